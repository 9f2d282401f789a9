/* SPDX-License-Identifier: MIT */
/* Models that are known, and known not to run here: told from the names of
 * their tensors, or what lies beside them, so that the message can say what
 * they are. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "description.h"

static const struct {
    const char *part;      /* of the names of a block's tensors */
    const char *what;
} known[] = {
    {".attns.", "several attentions side by side (timm's "
                "ParallelThingsBlock)"},
};

enum { KNOWN = sizeof(known) / sizeof(*known) };

/* Beside the blocks, as transformers has them. */
static const struct {
    const char *name, *what;
} beside[] = {
    {"embeddings.detection_tokens", "detection tokens (YOLOS)"},
    {"embeddings.text_embeddings.word_embeddings.weight",
     "text and image in one sequence (ViLT)"},
    {"head.cls_token", "AIMv2's attention pooling"},
};

/* What names of timm's begin with. [timm, models/volo.py, xcit.py, tnt.py,
 * vision_transformer_sam.py, vitamin.py, vision_transformer_hybrid.py] */
static const struct {
    const char *start, *what;
} starts[] = {
    {"network.0.0.attn.", "outlook attention (VOLO)"},
    {"cls_attn_blocks.", "attention over channels (XCiT)"},
    {"pixel_embed.", "transformers inside patches (TNT)"},
    {"blocks.0.attn.rel_pos_h", "windowed attention (SAM)"},
    {"patch_embed.backbone.stages.0.blocks.0.downsample.",
     "patches from a convolutional network"},
    {"patch_embed.backbone.conv.", "patches from a convolutional network"},
};

/* blocks.CHUNK.LAYER. */
static int chunked(const char *name)
{
    if (strncmp(name, "blocks.", 7) || !isdigit((unsigned char)name[7]))
        return 0;
    for (name += 7; isdigit((unsigned char)*name); name++)
        ;
    return name[0] == '.' && isdigit((unsigned char)name[1]);
}

static const char *what_is(const char *name)
{
    if (!strncmp(name, "v.blk.", 6))
        return "a model under the names of llama.cpp and clip.cpp";
    if (strstr(name, "global_embed.weight"))
        return "a model of bytes (MEGABYTE), which tomevit_bytes_open opens,";
    if (chunked(name))
        return "blocks in chunks (DINOv2's block_chunks)";
    for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++)
        if (!strcmp(name, beside[i].name))
            return beside[i].what;
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
        if (!strncmp(name, starts[i].start, strlen(starts[i].start)))
            return starts[i].what;
    for (size_t i = 0; i < KNOWN && !strncmp(name, "blocks.", 7); i++)
        if (strstr(name, known[i].part))
            return known[i].what;
    return NULL;
}

/* Norms there are, but not one with a bias. */
static int unbiased(const vit_tensors *file)
{
    static const char *const biases[] = {
        "blocks.0.norm1.bias", "blocks.0.norm2.bias", "norm.bias",
        "fc_norm.bias",
    };

    for (size_t i = 0; i < sizeof(biases) / sizeof(*biases); i++)
        if (tomevit_tensors_find(file, biases[i]))
            return 0;
    return tomevit_tensors_find(file, "blocks.0.norm1.weight") != NULL;
}

int tomevit_check_supported(const vit_tensors *file, const vit_report *report)
{
    const char *norm = tomevit_tensors_metadata(file, "norm");

    for (size_t i = 0; i < file->count; i++) {
        const char *what = what_is(file->list[i].name);

        if (what)
            return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%.80s\": %s "
                                "cannot be run here", file->list[i].name, what);
    }
    if (unbiased(file) && (!norm || strcmp(norm, "rms")))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"blocks.0.norm1."
                            "weight\": norms without biases (RMSNorm, or "
                            "LayerNorm with bias=False) cannot be run here");
    return 0;
}

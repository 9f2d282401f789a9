/* SPDX-License-Identifier: MIT */
/* Which layout a file has, and how the layout spells names. */
#include "config.h"

#include "names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Of several that fit, the first is meant. */
static const vit_layout *const layouts[] = {
    &tomevit_layout_dinov3_masked,
    &tomevit_layout_dinov3,
    &tomevit_layout_sapiens2,
    &tomevit_layout_gemma4_classifier,
    &tomevit_layout_gemma4,
    &tomevit_layout_mega,
    &tomevit_layout_megalodon,
    &tomevit_layout_mobile,
    &tomevit_layout_mae,
    &tomevit_layout_dinov2_registers,
    &tomevit_layout_dinov2,
    &tomevit_layout_timm_biased,
    &tomevit_layout_timm,
    &tomevit_layout_naflex,
    &tomevit_layout_huggingface_dinov3_memory,
    &tomevit_layout_huggingface_dinov3,
    &tomevit_layout_huggingface_gemma4,
    &tomevit_layout_huggingface_internvl,
    &tomevit_layout_huggingface_beit,
    &tomevit_layout_huggingface_beit_unscaled,
    &tomevit_layout_huggingface_beit_memory,
    &tomevit_layout_huggingface_aimv2,
    &tomevit_layout_huggingface_registers,
    &tomevit_layout_huggingface_dinov2,
    &tomevit_layout_huggingface_short,
    &tomevit_layout_huggingface,
    &tomevit_layout_huggingface_clip,
    &tomevit_layout_huggingface_siglip2,
    &tomevit_layout_huggingface_siglip,
    &tomevit_layout_swag,
    &tomevit_layout_torchvision,
    &tomevit_layout_google,
    &tomevit_layout_openai,
    &tomevit_layout_coca,
    &tomevit_layout_clip,
    &tomevit_layout_mmproj_pairs,
    &tomevit_layout_mmproj,
};

/* The length of what stands before the anchor in a name, -1 without one. */
static int before_anchor(const vit_layout *layout, const char *name)
{
    size_t length = strlen(name), tail = strlen(layout->anchor);
    size_t before = length > tail ? length - tail : 0;

    if (before >= VIT_NAME / 2 || strcmp(name + before, layout->anchor) ||
        (before > 0 && name[before - 1] != '.' && name[before - 1] != '/'))
        return -1;
    return (int)before;
}

static int has_witness(const vit_layout *layout, const vit_tensors *file,
                       const char *name, int prefix)
{
    char witness[VIT_NAME];

    if (!layout->witness)
        return 1;
    snprintf(witness, sizeof(witness), "%.*s%s", prefix, name, layout->witness);
    return tomevit_tensors_find(file, witness) ||
           tomevit_tensors_find(file, layout->witness);
}

int tomevit_names_prefix(const vit_layout *layout, const vit_tensors *file,
                         char prefix[VIT_NAME])
{
    int best = -1;

    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->list[i].name;
        int length = before_anchor(layout, name);

        if (length < 0 || (best >= 0 && length >= best) ||
            (layout->dims && file->list[i].dims != layout->dims) ||
            !has_witness(layout, file, name, length))
            continue;
        best = length;
        snprintf(prefix, VIT_NAME, "%.*s", length, name);
    }
    return best;
}

const vit_layout *tomevit_layout_of(const vit_tensors *file)
{
    char prefix[VIT_NAME];

    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (tomevit_names_prefix(layouts[i], file, prefix) >= 0)
            return layouts[i];
    return &tomevit_layout_timm;
}

void tomevit_names_spell(const char *prefix, const char *pattern,
                         size_t layer, char name[VIT_NAME])
{
    const char *mark = strchr(pattern, '#');

    if (mark)
        snprintf(name, VIT_NAME, "%s%.*s%zu%s", prefix, (int)(mark - pattern),
                 pattern, layer, mark + 1);
    else
        snprintf(name, VIT_NAME, "%s%s", prefix, pattern);
}

const char *tomevit_names_in_layer(const vit_layout *layout,
                                   const char *prefix, const char *name,
                                   size_t *layer)
{
    const char *mark = strchr(layout->layer, '#');
    size_t before = strlen(prefix), head = (size_t)(mark - layout->layer);

    if (strncmp(name, prefix, before) ||
        strncmp(name + before, layout->layer, head))
        return NULL;
    name += before + head;
    if (!isdigit((unsigned char)*name) ||
        (*name == '0' && isdigit((unsigned char)name[1])))
        return NULL;
    for (*layer = 0; isdigit((unsigned char)*name); name++)
        if (*layer < VIT_LAYERS)
            *layer = *layer * 10 + (size_t)(*name - '0');
    return strncmp(name, mark + 1, strlen(mark + 1))
               ? NULL : name + strlen(mark + 1);
}

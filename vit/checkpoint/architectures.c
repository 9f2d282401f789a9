/* SPDX-License-Identifier: MIT */
/* Models that are known by name: what they are, or what of them is missing. */
#include "config.h"

#include "architectures.h"

#include <string.h>

/* ---- timm ---------------------------------------------------------------- */

#define GELU "gelu"
#define TANH "gelu_tanh"
#define QUICK "quick_gelu"
#define GATED NULL
#define CLASS "class"
#define MEAN "mean"
#define MAP NULL
#define ARCH(name, dim, depth, heads, activation, eps, pool) \
    {#name, dim, depth, heads, activation, "1e-" #eps, pool, "learned"},
#define ROPE_ARCH(name, dim, depth, heads, activation, eps, pool, rule) \
    {#name, dim, depth, heads, activation, "1e-" #eps, pool, "rotary " rule},

#define RELATIVE_ARCH(name, dim, depth, heads, activation, eps, pool) \
    {#name, dim, depth, heads, activation, "1e-" #eps, pool, "relative"},

#define PLACELESS_ARCH(name, dim, depth, heads, activation, eps, pool) \
    {#name, dim, depth, heads, activation, "1e-" #eps, pool, "none"},

#define CENTRED "centred theta=100 axes=hw layout=halves"
#define SCALED "index theta=10000 grid=16 axes=hw layout=interleaved"
#define PE_G(grid) "index theta=10000 grid=" #grid " axes=xy layout=interleaved"
#define PE(grid) \
    "index theta=10000 offset=1 grid=" #grid " axes=xy layout=interleaved"
#define AXIAL "index theta=100 axes=xy layout=interleaved"
#define GRID "index theta=10000 axes=hw layout=halves"
#define MIXED "mixed axes=xy layout=interleaved"
#define QUARTERS "index theta=100 axes=xy layout=quarters"

static const vit_architecture architectures[] = {
#include "timm.def"
#include "timm_eva.def"
};

const vit_architecture *tomevit_architecture(const char *name)
{
    for (size_t i = 0; i < sizeof(architectures) / sizeof(*architectures); i++)
        if (!strcmp(architectures[i].name, name))
            return &architectures[i];
    return NULL;
}

typedef struct missing {
    const char *part;      /* of the name; "x*": its beginning */
    const char *what;
} missing;

/* The first row that fits. [timm 1.0, the modules of models/] */
static const missing of_timm[] = {
    {"naflexvit", "an unknown model of any aspect (NaFlex)"},
    {"_rope_", "rotary positions"}, {"_dinov3", "rotary positions"},
    {"eva02_", "rotary positions"}, {"vit_pe_", "rotary positions"},
    {"_lingbot", "rotary positions"},
    {"_sapiens2", "an unknown Sapiens2"},
    {"qwen3_vit", "an unknown tower"}, {"deepseek_vit", "an unknown tower"},
    {"gemma4_vit", "an unknown tower"},
    {"_relpos_", "relative positions of another kind"},
    {"_xp_", "attention and MLP side by side (ParallelScalingBlock)"},
    {"_18x2_", "several attentions side by side (ParallelThingsBlock)"},
    {"_map_256", "attention pooling beside register tokens"},
    {"samvit", "windowed attention"}, {"swin", "windowed attention"},
    {"_resnet", "patches from a convolutional network"},
    {"_r26_", "patches from a convolutional network"},
    {"_r50_", "patches from a convolutional network"},
    {"_r_s16_", "patches from a convolutional network"},
    {"vitamin", "an unknown ViTamin"},
    {"xcit", "attention over channels"},
    {"volo", "outlook attention"}, {"tnt_", "transformers inside patches"},
};

static const char *find(const missing *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(name, rows[i].part))
            return rows[i].what;
    return NULL;
}

const char *tomevit_timm_missing(const char *name)
{
    return tomevit_architecture(name)
               ? NULL : find(of_timm, sizeof(of_timm) / sizeof(*of_timm), name);
}

/* ---- transformers -------------------------------------------------------- */

/* [transformers 5, models/] */
static const missing of_transformers[] = {
    {"Vilt", "text and image in one sequence"},
    {"DINOv3ConvNext", "convolutions"}, {"DINOv3ViTBackbone", "feature maps"},
    {"Yolos", "detection tokens"}, {"XCLIP", "video"},
    {"GroupViT", "tokens grouped into segments"},
    {"VitPose", "images that are not square"},
    {"ASTModel", "audio"}, {"ASTFor", "audio"}, {"Timesformer", "video"},
    {"Tipsv2", "TIPSv2's names"}, {"Pixio", "several class tokens"},
    {"SegGpt", "pairs of images"},
    {"BridgeTower", "bridges between towers"},
    {"Blip", "an output that goes through the last norm twice"},
    {"Eomt", "queries among the tokens"},
    {"Pixtral", "rotary positions"},
    {"EvaCLIP", "rotary positions"}, {"EVA", "rotary positions"},
    {"Radio", "RADIO's positions"}, {"Sapiens2Backbone", "feature maps"},
    {"Sapiens2For", "predictions for every pixel (Sapiens2)"},
    {"MLCD", "rotary positions"}, {"VJEPA", "video"}, {"VideoMAE", "video"},
    {"Vivit", "video"}, {"Sam", "windowed attention"},
    {"VitDet", "windowed attention"}, {"Swin", "windowed attention"},
    {"ViTHybrid", "patches from a convolutional network"},
    {"OwlViT", "OWL's detection"}, {"Owlv2", "OWL's detection"},
};

const char *tomevit_transformers_missing(const char *name)
{
    return find(of_transformers,
                sizeof(of_transformers) / sizeof(*of_transformers), name);
}

int tomevit_transformers_known(const char *name)
{
    static const char *const known[] = {
        "ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling",
        "DeiTModel", "DeiTForImageClassification",
        "DeiTForImageClassificationWithTeacher",
        "DeiTForMaskedImageModeling", "Dinov2Model",
        "Dinov2ForImageClassification", "Dinov2WithRegistersModel",
        "Dinov2WithRegistersForImageClassification", "CLIPModel",
        "CLIPVisionModel", "CLIPVisionModelWithProjection",
        "ChineseCLIPModel", "ChineseCLIPVisionModel", "AltCLIPModel",
        "MetaClip2Model", "MetaClip2VisionModel",
        "CLIPForImageClassification", "MetaClip2ForImageClassification",
        "SiglipModel",
        "SiglipVisionModel", "SiglipForImageClassification", "Siglip2Model",
        "Siglip2VisionModel", "Siglip2ForImageClassification",
        "DINOv3ViTModel", "Sapiens2Model", "BeitModel",
        "BeitForImageClassification",
        "Data2VecVisionModel", "Data2VecVisionForImageClassification",
        "InternVLVisionModel", "Aimv2VisionModel", "Aimv2Model",
        "ViTMSNModel", "ViTMSNForImageClassification", "ViTMAEModel",
        "ViTMAEForPreTraining", "IJepaModel", "IJepaForImageClassification",
        "Dinov2Backbone", "FlavaImageModel",
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (!strcmp(known[i], name))
            return 1;
    return 0;
}

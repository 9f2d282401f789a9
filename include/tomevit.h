/* SPDX-License-Identifier: MIT */
/*
 * tomevit.h - Vision Transformer inference built around token merging
 *
 * A model is opened once and then only read: any number of contexts, each
 * used by one caller at a time, may share it. A context owns the memory of a
 * batch; a forward pass allocates nothing. Logits are the same bits for any
 * batch size, number of threads and place of an image in its batch, on one
 * machine and CPU tier.
 *
 * Functions that can fail return 0 or a negative TOMEVIT_E code. Those that
 * read files also fill a tomevit_message: one line saying which file, which
 * tensor or offset, what was expected and what was found. After a failure no
 * other output has changed, but for a pointer to a new object, which is NULL.
 *
 * Within version 1 no function changes or goes, enums grow at their ends, and
 * no struct changes its size, as in tomerge.h: structs that may gain fields
 * have reserved ones, which are 0 or NULL. Functions that take such a struct
 * give EINVAL for reserved fields that are not, and for a wrong struct_size.
 */
#ifndef TOMEVIT_H
#define TOMEVIT_H

#include <stddef.h>
#include <stdint.h>

#include "tomerge.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* Versions go with those of libtomerge. */
int tomevit_version(void);
const char *tomevit_version_string(void);

/* ---- errors -------------------------------------------------------------- */

enum tomevit_error {
    TOMEVIT_OK = 0,
    TOMEVIT_EINVAL = -1,   /* an argument out of its range */
    TOMEVIT_ENOMEM = -2,
    TOMEVIT_EIO = -3,      /* the file cannot be opened or read */
    TOMEVIT_EFORMAT = -4,  /* the file is not what it claims to be */
    TOMEVIT_EMODEL = -5    /* readable, but not a model this library runs */
};

/* A constant English sentence for a code; never NULL. */
const char *tomevit_strerror(int error);

/* Filled by a function that fails: one line, no newline, cut to fit. */
typedef struct tomevit_message {
    char text[512];
} tomevit_message;

/* ---- pixels -------------------------------------------------------------- */

enum tomevit_interpolation { TOMEVIT_BICUBIC = 0, TOMEVIT_BILINEAR = 1 };

enum tomevit_crop_mode {
    TOMEVIT_CENTER = 0, TOMEVIT_SQUASH = 1, TOMEVIT_BORDER = 2
};

/* Whose pixels: columns or rows are resized first, and rounded in between.
 * Versions of Pillow before 12.2 always begin with columns; 12.2 and 12.3 with
 * rows where a picture over 100 times as tall as wide gets less tall; 13 where
 * the height loses more than twice the pixels that the width loses. */
enum tomevit_pixels {
    TOMEVIT_PILLOW_12 = 0, TOMEVIT_PILLOW_12_3 = 1, TOMEVIT_PILLOW_13 = 2
};

/* From a decoded image to the model's input: the shorter side (TOMEVIT_SQUASH:
 * each side; TOMEVIT_BORDER: the longer side) is resized to
 * floor(size / crop_pct), the centre size x size is cut out, and each value v
 * of channel c becomes (v / 255 - mean[c]) / std[c]. TOMEVIT_BORDER fills what
 * a side lacks, half before and half behind it, with the nearest bytes to the
 * mean; an odd pixel lies behind. For a crop that is no square the image is
 * resized by the larger (TOMEVIT_BORDER: smaller) of the two factors that make
 * its height floor(size / crop_pct) or its width floor(width / crop_pct).
 * [timm, data/transforms.py: ResizeKeepRatio, CenterCropOrPad]
 *
 * With max_patches an image keeps its proportions: it is all there, as large as
 * it can be with each side rounded up to whole patches and no more patches than
 * that, see tomevit_crop_sides; size, width, crop_pct and crop_mode then do not
 * matter. [NaViT, arXiv 2307.06304; SigLIP 2, arXiv 2502.14786, section 2.3] */
typedef struct tomevit_preprocessing {
    size_t size;           /* height of the crop in pixels */
    double crop_pct;       /* in (0, 1] */
    int interpolation;     /* enum tomevit_interpolation */
    int crop_mode;         /* enum tomevit_crop_mode */
    float mean[3];
    float std[3];
    int pixels;            /* enum tomevit_pixels */
    size_t width;          /* of the crop; 0: as high */
    size_t patch, max_patches; /* sides in pixels, and how many; 0: crops are
                            * all of one size */
    uint64_t reserved[2];  /* 0 */
} tomevit_preprocessing;

/* The length that the shorter side (TOMEVIT_BORDER: the longer) is resized to,
 * or of a rectangular crop the height; 0 if `pre` is not usable, or every image
 * has sides of its own. */
size_t tomevit_resized_side(const tomevit_preprocessing *pre);

/* Height and width of the crop of an image [height, width]: size and width, or
 * where max_patches is given the image's own. EINVAL as tomevit_resize_crop. */
int tomevit_crop_sides(const tomevit_preprocessing *pre, size_t width,
                       size_t height, size_t *crop_width, size_t *crop_height);

/*
 * Resizes and crops with the arithmetic of Pillow's Image.resize on 8-bit
 * RGB (antialiased, fixed point, in the order of pre->pixels), bit for bit;
 * only the rows and columns that the crop needs are computed.
 *
 * rgb   [height, width, 3], rows `stride` bytes apart
 * crop  [size, width, 3], or of tomevit_crop_sides: with max_patches at most
 *       3 * max_patches * patch * patch bytes
 *
 * EINVAL: an empty image, sides over 2^24, size 0, crop_pct outside (0, 1], an
 * unknown interpolation, crop mode or pixels, rows that overlap; with
 * max_patches a patch of 0, or that many in a row over 2^24 pixels.
 * ENOMEM: no memory for the coefficients (freed before returning).
 */
int tomevit_resize_crop(const tomevit_preprocessing *pre, const uint8_t *rgb,
                        size_t width, size_t height, size_t stride,
                        uint8_t *crop);

/* The source rows tomevit_resize_crop reads for an image of this size:
 * rows first .. first + count - 1. The others may be left undecoded. EINVAL as
 * there. */
int tomevit_crop_rows(const tomevit_preprocessing *pre, size_t width,
                      size_t height, size_t *first, size_t *count);

/* ---- models -------------------------------------------------------------- */

enum tomevit_pool {
    TOMEVIT_POOL_CLASS = 0, /* the class token, or with a distillation head the
                             * mean of both heads' logits */
    TOMEVIT_POOL_MEAN = 1,  /* mean of the patch tokens, weighted by size */
    TOMEVIT_POOL_CLASS_MEAN = 2, /* the class token, then that mean */
    TOMEVIT_POOL_ATTENTION = 3, /* attention of one learnt query, and an MLP */
    TOMEVIT_POOL_CELLS = 4, /* mean of what an MLP makes of each square of
                             * patches, joined; see tomevit_cells */
    TOMEVIT_POOL_CLASS_LAYERS = 5, /* layers of the class token [2103.17239] */
    TOMEVIT_POOL_QUERY = 6  /* that of the first of many [2205.01917] */
};

enum tomevit_activation {
    TOMEVIT_GELU = 0,       /* x Phi(x), by erf */
    TOMEVIT_GELU_TANH = 1,  /* its approximation by tanh */
    TOMEVIT_QUICK_GELU = 2, /* x / (1 + exp(-1.702 x)) */
    TOMEVIT_SWIGLU = 3,     /* silu(a) * b, halves of the first product */
    TOMEVIT_SILU = 4,       /* x / (1 + exp(-x)) */
    TOMEVIT_GEGLU = 5,      /* gelu(a) * b */
    TOMEVIT_GEGLU_TANH = 6  /* the same by tanh */
};

/* What a layer is made of. */
enum tomevit_block {
    TOMEVIT_BLOCK_VIT = 0,
    TOMEVIT_BLOCK_MEGA = 1, /* moving averages in two directions and gated
                             * attention [arXiv 2209.10655] */
    TOMEVIT_BLOCK_MEGALODON = 2 /* complex averages, norms of groups over all
                             * patches, attention of units [arXiv 2404.08801],
                             * read for images */
};

/* Of blocks of Mega's kind and Megalodon's. */
typedef struct tomevit_mega {
    size_t shared, value;  /* widths of all heads' queries and of values */
    size_t states;         /* of a channel's moving average */
    size_t chunk;          /* patches that attention stays among; 0: all */
    size_t groups;         /* of channels that Megalodon norms together */
    int laplace;           /* attention is by Laplace's function, not softmax */
} tomevit_mega;

/* Rotary positions: queries and keys of patches are turned by angles that
 * their places give, instead of or beside embeddings that are added.
 * [arXiv 2104.09864] What stands before the patches is not turned. */
enum tomevit_rotary {
    TOMEVIT_ROTARY_NONE = 0,
    TOMEVIT_ROTARY_CENTRED = 1, /* by where the patch's centre lies, from -1 to
                                 * 1 on each axis [DINOv3, arXiv 2508.10104] */
    TOMEVIT_ROTARY_INDEX = 2,   /* by its row and its column [EVA-02, arXiv
                                 * 2303.11331; arXiv 2403.13298] */
    TOMEVIT_ROTARY_MIXED = 3,   /* by both at once, with frequencies that every
                                 * layer and head learnt [arXiv 2403.13298] */
    TOMEVIT_ROTARY_LINE = 4     /* by its number, row after row [2104.09864] */
};

enum tomevit_periods {
    TOMEVIT_PERIODS_OF_THETA = 0,
    TOMEVIT_PERIODS_READ = 1,    /* from the file, h / 4 */
    TOMEVIT_PERIODS_BETWEEN = 2  /* of theta, times theta^(2 / h) by the other
                                  * axis [Pixtral, arXiv 2410.07073] */
};

/*
 * Pair k of a head's channels is turned by the angle
 *
 *     centred   2 pi c / p    c = 2 (i + 1/2) / n - 1, p = theta^(4 k / h)
 *     index     c / p         c = i + offset, times grid / n if there is one
 *     mixed     x f + y g     f and g read from the file
 *     line      c / p         c = row * n + column, p = theta^(2 k / h)
 *
 * of row or column i of n, h being the head's channels: the first h / 4 pairs
 * by one axis, the others, from k = 0 again, by the other axis.
 */
typedef struct tomevit_rope {
    int kind;              /* enum tomevit_rotary; the rest is 0 without it */
    int xy;                /* 0: rows first, 1: columns first */
    int halves;            /* pair k: channels k and k + h / 2; 0: 2k and
                            * 2k + 1; 2: each axis has half of the channels,
                            * and pairs k and k + h / 4 of it */
    int periods;           /* enum tomevit_periods: where p is from */
    float theta, offset;
    size_t grid;           /* side of the grid that it was trained on; 0: any */
} tomevit_rope;

/*
 * How towers of language models hand their patches on: each square of side x
 * side of them is joined to one row, and goes through an MLP. A merged token
 * stands in the place of each patch that it is made of, what was dropped is
 * zeros, and so is what a grid lacks to whole squares.
 */
typedef struct tomevit_cells {
    size_t side;           /* 0: there are none */
    int by_channel;        /* rows [channels, side, side]; 0: channels last */
    int norm;              /* of every patch, before they are joined */
    size_t hidden, out;    /* of the MLP: widths of its products */
    uint64_t reserved[2];  /* 0 */
} tomevit_cells;

/* What a model is: all of it read from the checkpoint's tensors. */
typedef struct tomevit_description {
    char family[32];       /* "vit", "deit", "deit-distilled", "mae", ... */
    char layout[32];       /* whose names the tensors have: "timm", "Hugging
                            * Face", "torchvision", "Google", "CLIP", ... */
    size_t unused;         /* tensors of the file that are not the model's */
    char container[32];    /* "safetensors", "PyTorch zip", "npz"; or empty */
    char wrapper[96];      /* what stood before its tensors' names in it:
                            * "state_dict.module.", ...; or empty */
    size_t dim, depth, heads, mlp_dim;
    size_t kv_heads;       /* heads of keys and values, each for as many of the
                            * queries' [arXiv 2305.13245]: heads, or fewer */
    size_t share;          /* how often each layer's weights run, one after
                            * another [arXiv 2402.14905]; depth counts runs */
    size_t patch, image_size; /* pixels of a side; see image_width */
    size_t classes;        /* 0: there is no head, features only */
    size_t tokens;         /* entering the first layer: prefix + patches; at
                            * most, where images keep their proportions */
    size_t prefix;         /* class, distillation and register tokens, in this
                            * order: protected */
    size_t registers;
    size_t pos_prefix;     /* of them, those with a position embedding */
    size_t features;       /* width of what the head sees, or queries pool by */
    int class_token, distilled, patch_bias, head_bias;
    int qkv_bias;          /* 1: all three have one, 2: keys have none */
    int pos_embed;         /* embeddings of positions are added to patches */
    int relative;          /* scores are raised by how far patches lie apart:
                            * 1: by tables of every layer [arXiv 2106.08254];
                            * 2, 3: by what an MLP of every layer, or of all,
                            * makes of distances' logarithms [2111.09883] */
    tomevit_rope rope;     /* and how they are turned by their positions */
    int patch_norm;        /* a norm of the patches before positions come */
    int norm_pre;          /* a norm before the first layer */
    int block;             /* enum tomevit_block */
    tomevit_mega mega;
    int rms_norm;          /* norms are RMSNorm, without biases */
    int unbiased, mlp_unbiased; /* nor have a layer's products, its MLP's */
    int in_order;          /* merged tokens stay in the order of their places,
                            * whatever order is asked for */
    int qk_norm;           /* norms of every head's queries and keys; 2: and of
                            * its values without weights, scores not scaled */
    int layer_scale;       /* factors on what attention (and 1: MLP) adds */
    int activation;        /* enum tomevit_activation */
    int attn_norm, mlp_norm; /* norms of what their last products see; 2: of
                            * what the MLP's first sees */
    int final_norm;        /* a norm before pooling, or after it: fc_norm */
    int fc_norm;
    int bare_norm;         /* behind pooling one that has no weights; 2: instead
                            * times sqrt(dim), 3: then less a bias, scaled */
    tomevit_cells cells;   /* of TOMEVIT_POOL_CELLS */
    int pool;              /* enum tomevit_pool */
    int pool_prefix;       /* attention pooling looks at all tokens, not at
                            * patches alone */
    size_t pool_heads, pool_mlp_dim; /* of attention pooling */
    int zero_shot;         /* classes are texts: logits are scaled cosines */
    size_t embedding;      /* their width; also of `projection` without them */
    int projection, projection_bias; /* features are projected to it */
    int logit_scale, logit_bias;
    float norm_eps;
    uint64_t parameters;
    tomevit_preprocessing preprocessing;
    char preprocessing_source[32]; /* "metadata", "family", "default" */
    size_t relative_hidden; /* width of that MLP */
    size_t post_norm;      /* 1: a layer's norms are of what attention and MLP
                            * give, before it is added; 0: of what they see;
                            * 2: of both */
    size_t differential;   /* 1: attention is that of [arXiv 2410.05258] */
    size_t talking, class_layers; /* of CaiT [arXiv 2003.02436, 2103.17239] */
    size_t parallel;       /* MLP beside attention [2302.05442]; 2: joined */
    size_t stem_width[2], stem_side[3]; /* patches by three products, or 0 */
    size_t stages[3];      /* channels of stem and stages [2404.02132], or 0 */
    size_t image_width;    /* 0: images are squares, or image_size high */
    size_t pool_queries;   /* learnt queries, of which one pools */
    uint32_t whole[2];     /* layers at the start, and at the end, with all
                            * heads of keys and values [2604.21681] */
    uint32_t ranges;       /* 1: inputs and outputs of a layer's products are
                            * cut off at the ends of ranges */
    uint32_t signed_pixels; /* 1: patches are made of 2 v - 1 of pixels v */
    uint64_t reserved[1];  /* 0 */
} tomevit_description;

typedef struct tomevit_model tomevit_model;

/* What the products of a model are computed in. Whatever the checkpoint
 * holds is converted once, when it is opened. Sums, norms, softmax, GELU and
 * the residual stream are f32 always. */
enum tomevit_dtype {
    TOMEVIT_F32 = 0,
    TOMEVIT_BF16 = 1,      /* both sides rounded to bf16, nearest even */
    TOMEVIT_INT8 = 2       /* the layers' weights: symmetric, a scale for each
                            * output; their inputs: a scale and a centre for
                            * each row, found as they come. All other products
                            * are bf16 where the CPU has instructions for it,
                            * else f32. */
};

/* "f32", "bf16", "int8" and back, as in tomerge.h. */
const char *tomevit_dtype_name(int dtype);
int tomevit_dtype_from_name(const char *name, int *dtype);

typedef struct tomevit_open_options {
    size_t struct_size;    /* sizeof(tomevit_open_options) */
    int dtype;             /* enum tomevit_dtype */
    int strict;            /* 1: refuse a model of which something is a guess,
                            * see tomevit_each_fact. 0: take the usual */
    size_t image_size;     /* the image's side or height, a multiple of the
                            * patch; position embeddings are resized as the
                            * checkpoint's library does it. 0: as they are */
    const char *head;      /* a file with the head: one matrix [classes, width]
                            * and at most one vector; NULL: in the checkpoint */
    const char *text_embeddings; /* a file with one matrix [classes, width], a
                            * row for each class: the classes of a model of
                            * CLIP's or SigLIP's kind. NULL: none */
    size_t projection;     /* 1: features are also projected to the space of
                            * texts' embeddings, tomevit_output.embedding, by
                            * the file's own projection; what attention pools
                            * (SigLIP) is in that space and stays as it is. A
                            * model with neither is EMODEL. 0: only where text
                            * embeddings are given */
    /* The same rows as of `text_embeddings` from memory, which is only read
     * while the model is opened: [text_count, text_width]. NULL: none */
    const float *text_rows;
    size_t text_count, text_width;
    size_t image_width;    /* beside image_size; 0: squares */
    size_t max_patches;    /* images keep their proportions, and have no more
                            * patches than that: see tomevit_preprocessing and
                            * tomevit_image. Instead of image_size; 0: as the
                            * file says, or all of one size. Models whose only
                            * positions are added to the patches, or none */
    uint64_t reserved[2];  /* 0 */
} tomevit_open_options;

/* f32, and nothing but what the checkpoint has. NULL is ignored. */
void tomevit_open_options_init(tomevit_open_options *options);

/*
 * Opens a checkpoint of a ViT and packs its weights for the CPU tier in use
 * now. Containers: .safetensors; PyTorch's .pth, .pt, .bin (of any version, and
 * TorchScript's); .npz; .gguf version 2 and 3; the index of a checkpoint in
 * several files. Weights of F32, F16, BF16, F64, Q8_0, or int8 as
 * tomevit_convert writes it. Names of tensors: those of timm (and DeiT, MAE,
 * DINO, DINOv2), transformers, torchvision, SWAG, Google, CLIP, llama.cpp.
 *
 * What no tensor shows comes from the file's metadata, from
 * processor_config.json, preprocessor_config.json, config.json or
 * open_clip_config.json beside it, from what the layout implies, or is the
 * usual, in this order. A file beside the weights is obeyed whole; what it asks
 * for and cannot be done, or a value of another kind (a number that is a text),
 * is refused by its key. The keys of metadata:
 * "num_heads" or "arch", "norm_eps", "activation" (gelu, gelu_tanh,
 * quick_gelu), "pool" (class, mean), "positions" (learned), "family", "mean",
 * "std", "crop_pct", "crop_mode" (center, squash, border), "interpolation",
 * "position_resize", "class_names" (JSON array).
 *
 * Layers are read and packed on as many threads as OpenMP gives a parallel
 * region, at most 4.
 *
 * *model is the caller's, to be closed; NULL on failure. `options` NULL means
 * the defaults; `why` may be NULL. EINVAL, EIO, EFORMAT, EMODEL, ENOMEM.
 */
int tomevit_open(const char *path, const tomevit_open_options *options,
                 tomevit_model **model, tomevit_message *why);

/* A model of a published shape with random weights: for timing. `name` as in
 * tomevit_arch_name. A larger image than a shape of Mega's kind is for is
 * attended to in chunks of as many patches as it is for. EINVAL for an unknown
 * name, an image size that is no multiple of the patch, or options other than
 * dtype and image size; ENOMEM. */
int tomevit_random(const char *name, uint64_t seed,
                   const tomevit_open_options *options, tomevit_model **model);

/* What a file or a published shape is, without reading or making its weights.
 * The file is checked as tomevit_open checks it; errors as there. */
int tomevit_read_description(const char *path,
                             const tomevit_open_options *options,
                             tomevit_description *description,
                             tomevit_message *why);
int tomevit_arch_description(const char *name,
                             tomevit_description *description);

/* Calls `each` with the names of the file's tensors that the model has no use
 * for (a decoder, a text tower, a mask token), in the order of their bytes; a
 * name lasts for the call. Errors as tomevit_read_description. */
int tomevit_each_unused(const char *path, const tomevit_open_options *options,
                        void (*each)(void *data, const char *name), void *data,
                        tomevit_message *why);

/* One thing that decides what a model computes and that no shape shows. */
typedef struct tomevit_fact {
    const char *what;      /* "heads", "activation", "norm epsilon", "pooling",
                            * "positions", "mean", "std", "crop",
                            * "interpolation", "position resize" */
    const char *value;     /* "12", "quick_gelu", "1e-06", ... */
    const char *from;      /* "tensors", "metadata", the name of a file beside
                            * the weights, "rule of LAYOUT"; of what was taken
                            * unsaid "default of LAYOUT" or "guess" */
    int guessed;           /* 1: neither the file nor one beside it says so,
                            * and other models with the same tensors differ */
} tomevit_fact;

/* Calls `each` with what is known of a file's model and from where; the strings
 * last for the call. Errors as tomevit_read_description. */
int tomevit_each_fact(const char *path, const tomevit_open_options *options,
                      void (*each)(void *data, const tomevit_fact *fact),
                      void *data, tomevit_message *why);

/* The names tomevit_random knows, NULL past the last. */
const char *tomevit_arch_name(size_t index);

/* NULL is allowed. No context of the model may be in use. */
void tomevit_close(tomevit_model *model);

/* Valid as long as the model. */
const tomevit_description *tomevit_describe(const tomevit_model *model);

/*
 * A number of a description by the name of its field, for those who bind the
 * library to another language and would rather not copy its structs: dim,
 * depth, heads, mlp_dim, patch, image_size, image_width (of squares too),
 * classes, tokens, prefix, registers,
 * features, embedding, class_token, distilled, pool, zero_shot, norm_eps,
 * parameters; and of `preprocessing` size, crop_pct, interpolation, crop_mode,
 * pixels, max_patches, mean0, mean1, mean2, std0, std1, std2. EINVAL: no such
 * name.
 */
int tomevit_description_number(const tomevit_description *description,
                               const char *name, double *value);

/* The name of a class if the checkpoint brings class names, else NULL. */
const char *tomevit_class_name(const tomevit_model *model, size_t index);

/* The tier whose kernels multiply the layers' weights, as tomerge_cpu_name,
 * and the enum tomevit_dtype they are multiplied in. */
const char *tomevit_cpu(const tomevit_model *model);
int tomevit_model_dtype(const tomevit_model *model);

/* The tiers whose kernels would be used now, by the same names: by a model
 * opened in this enum tomevit_dtype (NULL for other numbers), and by
 * tomevit_resize_crop. */
const char *tomevit_tier(int dtype);
const char *tomevit_pixel_tier(void);

/*
 * Writes the model of any checkpoint that tomevit_open takes as one
 * .safetensors file that opens as the same model: timm's names, and as
 * metadata heads, epsilon, preprocessing and class names. What the options add
 * or resize is in the file as well; their dtype does not matter, nor does
 * `projection`: what the file has of that is kept.
 *
 * dtype  "f32", "f16", "bf16" (rounded to nearest, ties to even), or NULL: that
 *        of the checkpoint's own weights if they are all F16 or BF16, else
 *        f32. Or "int8": what a model opened in TOMEVIT_INT8 is packed from,
 *        so that opening the file in TOMEVIT_INT8 gives the same model and
 *        takes a fraction of the time. The layers' matrices NAME become I8
 *        with the scales of their rows in NAME_scale, F32 [rows, 1], layer
 *        scale included; the rest is f32.
 *
 * `out` is replaced when all is written, and untouched after a failure; until
 * then what is written lies beside it as `out`.part-PID, of this process's
 * number. EINVAL: an unknown dtype. EIO, EFORMAT, ENOMEM; EMODEL also for a
 * value too large for f16, and a model that such a file could not hold.
 */
int tomevit_convert(const char *path, const tomevit_open_options *options,
                    const char *out, const char *dtype, tomevit_message *why);

/* ---- merging inside the model -------------------------------------------- */

/* What similarity is measured on [ToMe, table 1a]. */
enum tomevit_metric {
    TOMEVIT_METRIC_K = 0,  /* keys, mean over heads */
    TOMEVIT_METRIC_Q = 1,
    TOMEVIT_METRIC_V = 2,
    TOMEVIT_METRIC_X = 3,  /* the tokens after attention's residual */
    /* Keys and queries as they are before their positions turn them; in models
     * without rotary positions the same as K and Q. */
    TOMEVIT_METRIC_K_UNTURNED = 4,
    TOMEVIT_METRIC_Q_UNTURNED = 5
};

/* Where a merged token stands for rotary positions. */
enum tomevit_rope_merge {
    TOMEVIT_ROPE_DESTINATION = 0, /* where its destination does */
    TOMEVIT_ROPE_CENTROID = 1,    /* at the mean place of the patches it stands
                                   * for */
    TOMEVIT_ROPE_MEAN = 2         /* nowhere: it is turned by the mean of their
                                   * rotations, which also shortens it */
};

/* What tokens are ranked by, where a method looks at their importance: the
 * attention that they get, meaned over the heads. */
enum tomevit_importance {
    /* From the class token; without one, from all tokens, in the mean [Liang et
     * al., ICLR 2022: EViT]. */
    TOMEVIT_IMPORTANCE_CLASS = 0,
    /* The same times the length of the token's values, of all heads
     * [Wu et al., 2023: PPT]. */
    TOMEVIT_IMPORTANCE_VALUES = 1,
    /* From all tokens, in the mean [Bonnaerens, Dambre, TMLR 2023: LTMP]. */
    TOMEVIT_IMPORTANCE_RECEIVED = 2
};

/* How many tokens a merged row stands for. */
enum tomevit_sizes {
    TOMEVIT_SIZES_COUNT = 0,  /* as many as went into it */
    /* Its destination's, and of every source as much as its cosine with that
     * [Chen et al., ICCV 2023: DiffRate], never less than the least positive
     * f32 of full precision, where the original would go on with NaNs. */
    TOMEVIT_SIZES_COSINE = 1
};

/* What the mean of TOMERGE_WEIGHTED is weighted by: tokens that become one. */
enum tomevit_weights {
    TOMEVIT_WEIGHTS_SIZE = 0, /* their sizes [ToMe, section 3] */
    /* Sizes times importance, where the method looks at importance: a row is
     * nearest to the tokens that attention looks at. Sizes are summed still. */
    TOMEVIT_WEIGHTS_IMPORTANCE = 1
};

/* How one layer merges. */
typedef struct tomevit_layer_merging {
    int method;            /* enum tomerge_method */
    int combine;           /* enum tomerge_combine */
    float threshold, cutoff; /* as in tomerge_options */
    size_t prune;
} tomevit_layer_merging;

/* What a moving average along the patches makes of merged tokens. */
enum tomevit_ema_merge {
    TOMEVIT_EMA_UNMERGE = 0, /* every place sees the token it went to, a token
                              * gets the mean over its places: exact where the
                              * merged tokens are equal */
    TOMEVIT_EMA_PLACE = 1,   /* a token weighs its size at its place */
    TOMEVIT_EMA_STEPS = 2,   /* a token lasts as many steps as its size */
    TOMEVIT_EMA_ROWS = 3     /* as if nothing had merged */
};

/* Where in a layer tokens merge. All but the first compare the tokens
 * themselves: TOMEVIT_METRIC_X, and are for blocks of Vision Transformers. */
enum tomevit_where {
    TOMEVIT_MERGE_BETWEEN = 0, /* between attention and MLP [ToMe, figure 1] */
    /* One step ahead [MCTF]: what all tokens attend to is known before they
     * merge, and counts for those they become: rows of the attention are
     * meaned over a group as the tokens are, columns summed, and the values are
     * those of the merged tokens. TOMERGE_MCTF, weighted or plain means. */
    TOMEVIT_MERGE_AHEAD = 1,
    TOMEVIT_MERGE_BEFORE = 2,  /* before the layer: if importance is asked for,
                                * by the attention of all its tokens, which
                                * then is computed anew */
    TOMEVIT_MERGE_AFTER = 3    /* behind the layer's MLP */
};

typedef struct tomevit_merging {
    size_t struct_size;    /* sizeof(tomevit_merging) */
    /* [depth], or NULL: nothing merges. A method that decides by itself how
     * many tokens go does so in the layers whose r is not 0. An image of fewer
     * patches than max_patches removes in proportion: by the end of a layer
     * the sum of r up to it times its share of them, rounded down. */
    const size_t *r;
    tomerge_options matching; /* `protect` is set by the forward; the seed of
                            * TOMERGE_RANDOM is mixed with the layer only;
                            * `role` is NULL */
    int combine;           /* enum tomerge_combine */
    int metric;            /* enum tomevit_metric */
    int prop_attn;         /* proportional attention: 1 on (default), 0 off */
    int rope_merge;        /* enum tomevit_rope_merge; the default is the mean,
                            * by the figures in data/README.md */
    /* [depth]: what takes the place of these fields of `matching` and of
     * `combine` in each layer. NULL: nothing does. */
    const tomevit_layer_merging *layers;
    int importance;        /* enum tomevit_importance */
    int sizes;             /* enum tomevit_sizes */
    size_t tile;           /* TOMERGE_GIVEN, which needs it: of every whole tile
                            * of so many rows and columns of patches the first
                            * is a destination in all layers; others 0 */
    int ema_merge;         /* enum tomevit_ema_merge */
    int weights;           /* enum tomevit_weights */
    int where;             /* enum tomevit_where */
    int reserved_int;      /* 0 */
    uint64_t reserved[3];  /* 0 */
} tomevit_merging;

/* Nothing merges; alternating, cosine, weighted, K, proportional attention,
 * rotations meaned. NULL is ignored. */
void tomevit_merging_init(tomevit_merging *merging);

/* Names and back, as in tomerge.h: "K", "Q", "V", "X", "K-unturned",
 * "Q-unturned"; "destination", "centroid", "mean"; "unmerge", "place", ... */
const char *tomevit_metric_name(int metric);
int tomevit_metric_from_name(const char *name, int *metric);
const char *tomevit_rope_merge_name(int how);
int tomevit_rope_merge_from_name(const char *name, int *how);
const char *tomevit_ema_merge_name(int how);
int tomevit_ema_merge_from_name(const char *name, int *how);

/* The tokens that leave each layer, [depth] or NULL, if every image has as many
 * to merge: r lowered to what the method can remove; one that decides by
 * itself, as TOMERGE_UPWARD, is taken to remove none. `merging` NULL: nothing
 * merges. EINVAL: too few for the head, such as no patches for a mean. */
int tomevit_schedule_tokens(const tomevit_description *description,
                            const tomevit_merging *merging, size_t *tokens);

/* Multiply-accumulates of one forward of one image, as the published FLOP
 * counts have them: patch embedding, per layer 4 T D^2 + 2 T^2 D before and
 * 2 T' D M after merging (M = mlp_dim; 3 T' D M for SwiGLU), attention pooling
 * of what the last layer leaves, heads. tokens [depth] leave the layers; NULL:
 * nothing merges. */
double tomevit_macs(const tomevit_description *description,
                    const size_t *tokens);

/* The same with merging that need not be between attention and MLP: one step
 * ahead, a layer with T tokens of which T' are left computes queries, keys and
 * their products for T, all else for T'; before the layer, it is one of T'
 * tokens, and queries, keys and products of T if importance is asked for;
 * behind it, one of T. `merging` NULL: as tomevit_macs. */
double tomevit_macs_merged(const tomevit_description *description,
                           const tomevit_merging *merging,
                           const size_t *tokens);

/* Those of them that a forward leaves out which is asked for logits and
 * features alone: if the head reads the class token (and the distillation
 * token), the last layer computes keys and values of all tokens, the rest of
 * these. `entering` and `leaving` tokens, before and after its merging. */
double tomevit_macs_unread(const tomevit_description *description,
                           size_t entering, size_t leaving);

/* ---- forward ------------------------------------------------------------- */

typedef struct tomevit_context tomevit_context;

/* Memory for batches of up to `max_batch` images on `threads` threads.
 * The model must outlive the context. EINVAL, ENOMEM. */
int tomevit_context_create(const tomevit_model *model, size_t max_batch,
                           int threads, tomevit_context **context);
void tomevit_context_free(tomevit_context *context);

/* Bytes the context holds, and those of the model's packed weights. */
size_t tomevit_context_bytes(const tomevit_context *context);
size_t tomevit_model_bytes(const tomevit_model *model);

enum tomevit_image_format {
    TOMEVIT_RGB8_HWC = 0,  /* uint8 [height, width, 3]: a crop; normalised
                            * here */
    TOMEVIT_F32_CHW = 1    /* float [3, height, width], already normalised */
};

typedef struct tomevit_image {
    const void *data;
    int format;            /* enum tomevit_image_format */
    size_t height, width;  /* pixels, multiples of the patch; 0: the model's.
                            * Others are for models with max_patches, at most
                            * so many patches: positions are resized to each
                            * image's as the checkpoint's library does it */
} tomevit_image;

/* Where results go; NULL members are not wanted. Row b belongs to image b. */
typedef struct tomevit_output {
    float *logits;         /* [batch, classes] */
    float *features;       /* [batch, features]: what the (first) head sees */
    int32_t *map;          /* [batch, tokens]: final row of every token; -1
                            * behind those of an image that has fewer */
    float *sizes;          /* [batch, tokens]: the first rows[b] are set */
    size_t *rows;          /* [batch]: rows left after the last layer */
    /* [batch, depth]: rows that leave each layer. Where the head reads only
     * leading rows of the last layer, and neither map, sizes, rows nor
     * last_rows is asked for, nothing merges there: then it is what its r
     * would leave. */
    size_t *layer_rows;
    /* [batch, tokens, dim]: the rows left after the last layer, of which the
     * first rows[b] are set, prefix first, normed unless the norm comes after
     * pooling: timm's forward_features. */
    float *last_rows;
    float *embedding;      /* [batch, embedding]: features in the space of
                            * texts' embeddings, of the length they come with;
                            * left alone where the model has no such space */
    void *reserved[5];     /* NULL */
} tomevit_output;

/* The preprocessing that RGB8 images are normalised with: the model's own
 * until this is called. Only mean and std are used. EINVAL: a mean that is not
 * finite, a std that is not positive and finite. */
int tomevit_context_normalise(tomevit_context *context,
                              const tomevit_preprocessing *pre);

/* Runs `batch` images (1 .. max_batch). `merging` NULL merges nothing.
 * Allocates nothing. EINVAL: also merging that leaves the head nothing to read,
 * where tomevit_schedule_tokens shows it; if only an image's own merging does,
 * the outputs have been written and mean nothing. */
int tomevit_forward(tomevit_context *context, const tomevit_merging *merging,
                    size_t batch, const tomevit_image *images,
                    const tomevit_output *output);

/* ---- texts --------------------------------------------------------------- */

/*
 * The other half of CLIP [arXiv 2103.00020] and of SigLIP [arXiv 2303.15343]:
 * a text's embedding, beside which images' lie. Towers of transformers,
 * open_clip and OpenAI; f32, whatever the image tower runs in. Its tokenizer is
 * what lies beside the weights: tokenizer.json (CLIP's byte pairs, or
 * SentencePiece's unigram model), or vocab.json with merges.txt; or the list of
 * merges of OpenAI and open_clip (.txt, .txt.gz), or a folder of any of them.
 */
typedef struct tomevit_text tomevit_text;

/* Which row becomes the text's. */
enum tomevit_text_pool {
    TOMEVIT_TEXT_HIGHEST = 0, /* that of the highest number, the first of them:
                               * CLIP's end of the text */
    TOMEVIT_TEXT_END = 1,     /* that of the first end of the text */
    TOMEVIT_TEXT_LAST = 2,    /* the last of the context, padded: SigLIP's */
    TOMEVIT_TEXT_FIRST = 3
};

typedef struct tomevit_text_description {
    char layout[32];       /* whose names the tensors have */
    char tokenizer[192];   /* the end of its file's path */
    size_t dim, depth, heads, mlp_dim, vocabulary;
    size_t context;        /* tokens at most, ends included */
    size_t embedding;      /* width of what comes out */
    int causal;            /* rows see none behind them */
    int pool;              /* enum tomevit_text_pool */
    int activation;        /* enum tomevit_activation */
    float norm_eps;
    uint64_t parameters;
    uint64_t reserved[8];  /* 0 */
} tomevit_text_description;

typedef struct tomevit_text_options {
    size_t struct_size;    /* sizeof(tomevit_text_options) */
    const char *tokenizer; /* its file or folder; NULL: beside the weights */
    int strict;            /* 1: refuse a tower of which something is a guess */
    uint64_t reserved[6];  /* 0 */
} tomevit_text_options;

void tomevit_text_options_init(tomevit_text_options *options);

/* Opens the text tower in a checkpoint, and its tokenizer. *text is the
 * caller's, to be closed; NULL on failure. Errors as tomevit_open; EMODEL also
 * for a tokenizer that is missing or not run, and in a build that reads no
 * texts. */
int tomevit_text_open(const char *path, const tomevit_text_options *options,
                      tomevit_text **text, tomevit_message *why);

/* NULL is allowed. */
void tomevit_text_close(tomevit_text *text);

/* Valid as long as the tower. */
const tomevit_text_description *tomevit_text_describe(const tomevit_text *text);

/* As tomevit_each_fact. */
void tomevit_text_each_fact(const tomevit_text *text,
                            void (*each)(void *data, const tomevit_fact *fact),
                            void *data);

/* The numbers of a text, NUL-terminated UTF-8 of at most 16 KiB: ids [context],
 * ends included, padding (or 0) behind them. *count is how many the text has
 * as a whole: of more than the context the last before the end are cut off, as
 * the tower's library does it. EINVAL for what is no such text, EMODEL for
 * what a library would repair and this does not, ENOMEM; with a line in
 * `why`. */
int tomevit_text_tokens(const tomevit_text *text, const char *utf8,
                        int32_t *ids, size_t *count, tomevit_message *why);

/* Embeddings of `count` texts, each of unit length: [count, embedding]. *cut
 * (NULL: of no interest) is the number of texts that were too long. The same
 * bits for any order and number of texts, and of threads; `threads` 0 means as
 * many as OpenMP has. Errors as tomevit_text_tokens. */
int tomevit_text_embed(const tomevit_text *text, const char *const *texts,
                       size_t count, int threads, float *embeddings,
                       size_t *cut, tomevit_message *why);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: MIT */
/* From the tensors and metadata of a file to the description of a model. */
#ifndef TOMEVIT_DESCRIPTION_H
#define TOMEVIT_DESCRIPTION_H

#include "../containers/tensors.h"
#include "../network/weights.h"

/* Upper limits: far beyond any published model, low enough that no product
 * of three of these numbers overflows 64 bits. */
enum {
    VIT_MAX_DIM = 16384,
    VIT_MAX_MLP = 131072,
    VIT_MAX_CELL = 16,     /* patches along a side of a square of them */
    VIT_MAX_STATES = 64,   /* what kernels/ema.h has room for */
    VIT_MAX_DEPTH = 1024,
    VIT_MAX_PATCH = 1024,
    VIT_MAX_TOKENS = 65536,
    VIT_MAX_IMAGE = 16384,
    VIT_MAX_CLASSES = 1 << 20
};

/* Fills all of *d from a view of a file and checks every tensor against the
 * table. EMODEL, EFORMAT. */
int tomevit_describe_file(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report);

/* block.c: of what kind the layers are, where metadata say it; d->kv_heads, 0
 * for as many as there are heads; d->share, and d->depth from the layers to
 * their runs. EMODEL, EFORMAT. */
void tomevit_find_block(const vit_tensors *file, tomevit_description *d);

/* queries.c: pooling by the first of several queries, which the file has. */
int tomevit_find_queries(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report);

/* cells.c: pooling by squares of patches, which the file has. */
int tomevit_find_cells(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report);
int tomevit_find_kv_heads(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report);
int tomevit_find_stages(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report);
int tomevit_check_stages(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report);
int tomevit_find_stem(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report);
int tomevit_check_parallel(const tomevit_description *d,
                           const vit_report *report);
int tomevit_find_talking(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report);
int tomevit_find_differential(const vit_tensors *file, tomevit_description *d,
                              const vit_report *report);
int tomevit_find_chunk(tomevit_description *d, const vit_report *report);
/* ranges.c: d->ranges, of all layers. */
int tomevit_find_ranges(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report);
/* block.c: d->bare_norm. */
void tomevit_find_bare_norm(const vit_tensors *file, tomevit_description *d);
int tomevit_find_share(const vit_tensors *file, tomevit_description *d,
                       const vit_report *report);

/* The parts that metadata may say: d->heads (if still 0) and d->norm_eps, from
 * d->dim and d->depth; d->preprocessing and its source, from the rest of *d. */
int tomevit_metadata_heads(const vit_tensors *file, tomevit_description *d,
                           const vit_report *report);
/* d->pool_heads of attention pooling, from d->heads. */
int tomevit_metadata_pool_heads(const vit_tensors *file,
                                tomevit_description *d,
                                const vit_report *report);
/* What no tensor shows, if the metadata say it: d->activation of an MLP
 * without a gate; d->pool where there is a choice; *how positions are resized,
 * enum vit_positions. */
int tomevit_metadata_activation(const vit_tensors *file,
                                tomevit_description *d,
                                const vit_report *report);
int tomevit_metadata_pool(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report);
int tomevit_metadata_positions(const vit_tensors *file, int *how,
                               const vit_report *report);
/* "center", "squash", "border", as in metadata. */
const char *tomevit_crop_mode_word(int mode);
int tomevit_metadata_preprocessing(const vit_tensors *file,
                                   tomevit_description *d,
                                   const vit_report *report);

/* Refuses models that are known by what they are called. EMODEL. */
int tomevit_check_supported(const vit_tensors *file, const vit_report *report);

/* See tomevit_checkpoint_class_names. */
int tomevit_metadata_class_names(const vit_tensors *file, size_t classes,
                                 char ***names, const vit_report *report);

/* The metadata that a .safetensors file of this model needs beside its
 * tensors; `positions` as "position_resize" has it and `names` [classes + 1]
 * as above, or NULL. NULL without memory. */
struct json_t *tomevit_metadata_of(const tomevit_description *d,
                                   const char *positions,
                                   char *const *names);

/* What a family is fed with where the metadata do not say: mean, std, size,
 * crop_pct, interpolation, source; from d->family and d->image_size. */
void tomevit_family_preprocessing(tomevit_description *d);

/* tokens.c: in transformers a distillation token may be without a head of its
 * own; it is a register then. ENOMEM. */
int tomevit_settle_distillation(vit_tensors *view, const vit_report *report);

/* And where metadata say that the last norm comes behind pooling, it is timm's
 * fc_norm. ENOMEM. */
int tomevit_settle_last_norm(vit_tensors *view, const vit_report *report);

/* relative.c: d->relative, and of an MLP its width and d->heads. EMODEL. */
int tomevit_find_relative(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report);

/* tokens.c: rows and columns of patches are in the table of positions, if there
 * is one. EMODEL. */
int tomevit_fits_table(const vit_tensors *file, const tomevit_description *d,
                       const vit_report *report);

/* tokens.c: the sides that metadata say, "N" or "HxW", as they say it; 0 and
 * NULL if none. */
const char *tomevit_said_sides(const vit_tensors *file, size_t *height,
                               size_t *width);

/* tokens.c: tokens, pos_prefix and image_size, of a description that has the
 * parts, the patch and the prefix. EMODEL. */
int tomevit_find_tokens(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* A checkpoint file: opened, described, read tensor by tensor. */
#ifndef TOMEVIT_CHECKPOINT_H
#define TOMEVIT_CHECKPOINT_H

#include "../network/weights.h"

typedef struct vit_checkpoint vit_checkpoint;

/* Opens and checks a file and derives what model it holds. Every tensor of
 * the description exists afterwards with its shape and a readable dtype.
 * `options` have been checked, or are NULL. */
int tomevit_checkpoint_open(const char *path,
                            const tomevit_open_options *options,
                            vit_checkpoint **checkpoint,
                            tomevit_description *description,
                            tomevit_message *why);

/* Calls `each`, unless it is NULL, with the names of the file's tensors that
 * the model has no use for; their number. */
size_t tomevit_checkpoint_unused(const vit_checkpoint *checkpoint,
                                 void (*each)(void *data, const char *name),
                                 void *data);

/* What the file or its neighbours say under a key, or its layout implies; NULL
 * if nothing. */
const char *tomevit_checkpoint_metadata(const vit_checkpoint *checkpoint,
                                        const char *key);

/* Adds to a model without a head what the file has for one made of text
 * embeddings: the projection to their space, and the logits' scale and bias. */
void tomevit_checkpoint_zero_shot(const vit_checkpoint *checkpoint,
                                  tomevit_description *description);

/* "F16" or "BF16" if all tensors of the model are of this dtype, else "F32". */
const char *tomevit_checkpoint_dtype(const vit_checkpoint *checkpoint);

/* May be read from any number of threads at once. */
vit_source tomevit_checkpoint_source(vit_checkpoint *checkpoint);

/* Why the source failed first, once no thread reads any more; an empty line
 * if it did not. */
const tomevit_message *tomevit_checkpoint_why(const vit_checkpoint *checkpoint);

/* Class names from the metadata: NULL-terminated array of strings in one
 * allocation, to be freed by the caller; *names NULL if there are none. */
int tomevit_checkpoint_class_names(const vit_checkpoint *checkpoint,
                                   char ***names, tomevit_message *why);
void tomevit_checkpoint_close(vit_checkpoint *checkpoint);

/* The same from memory, which must outlive the checkpoint; `path` is only a
 * name. */
int tomevit_checkpoint_parse(const char *path, const void *bytes, size_t count,
                             vit_checkpoint **checkpoint,
                             tomevit_description *description,
                             tomevit_message *why);

/* A source of random weights: about normal, std 0.02, norms' weights around
 * 1. What a tensor gets depends on the seed, the tensor and the layer alone.
 * `random` and its description must outlive the source. */
typedef struct vit_random {
    const tomevit_description *description;
    uint64_t seed;
} vit_random;

vit_source tomevit_random_source(vit_random *random);

/* arch.c: a published shape at another image size. EINVAL if it is no multiple
 * of the patch, or too large. */
int tomevit_arch_resize(tomevit_description *d, size_t height, size_t width);

#endif

/* SPDX-License-Identifier: MIT */
/* A checkpoint file: opened, described, read tensor by tensor. */
#ifndef TOMEVIT_CHECKPOINT_H
#define TOMEVIT_CHECKPOINT_H

#include "weights.h"

typedef struct vit_checkpoint vit_checkpoint;

/* Opens and checks a file and derives what model it holds. Every tensor of
 * the description exists afterwards with its shape and a readable dtype. */
int tomevit_checkpoint_open(const char *path, vit_checkpoint **checkpoint,
                            tomevit_description *description,
                            tomevit_message *why);
vit_source tomevit_checkpoint_source(vit_checkpoint *checkpoint);
/* Class names from the metadata: NULL-terminated array of strings in one
 * allocation, to be freed by the caller; *names NULL if there are none. */
int tomevit_checkpoint_class_names(const vit_checkpoint *checkpoint,
                                   char ***names, tomevit_message *why);
void tomevit_checkpoint_close(vit_checkpoint *checkpoint);

/* The description of a published shape (see tomevit_arch_name), and a source
 * of random weights for it (trunc-normal-like, std 0.02; biases small; norms
 * near 1). The source's state is `*state`. */
int tomevit_arch_describe(const char *name, tomevit_description *description);
vit_source tomevit_random_source(const tomevit_description *description,
                                 uint64_t *state);

#endif

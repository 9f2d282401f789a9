/* SPDX-License-Identifier: MIT */
/* A model's parts from other files than its checkpoint: a head, embeddings of
 * class texts. */
#ifndef TOMEVIT_EXTRAS_H
#define TOMEVIT_EXTRAS_H

#include "../containers/tensors.h"
#include "tomevit.h"

typedef struct vit_extras {
    vit_tensors *head, *texts;              /* NULL: none */
} vit_extras;

/*
 * Opens the files that the options name and adds their tensors to the view,
 * which they must outlive. A head is the one matrix of its file and the one
 * vector, if there is one; embeddings are the one matrix of theirs. Where a
 * model of timm's has CLIP's projection as its head, texts make it one again.
 * EIO, EFORMAT, EMODEL, ENOMEM.
 */
int tomevit_extras_add(vit_extras *extras, const tomevit_open_options *options,
                       vit_tensors *view, const vit_report *report);
void tomevit_extras_close(vit_extras *extras);

#endif

/* SPDX-License-Identifier: MIT */
/* The image's sides that a model is opened for. */
#ifndef TOMEVIT_IMAGE_SIZE_H
#define TOMEVIT_IMAGE_SIZE_H

#include "tomevit.h"

#include "../base/message.h"
#include "../containers/tensors.h"

/* Of a description with the sides that its positions are of those that are
 * asked for (`width` 0: a square; `size` 0: nothing is asked for), or that a
 * file beside the weights says. EMODEL if the model cannot be run on them. */
int tomevit_settle_image(const vit_tensors *view, tomevit_description *d,
                         size_t size, size_t width, const vit_report *report);

/* Of one whose images keep their proportions: `asked` is the most patches of
 * one; 0: as a file says, if any does. EMODEL if the model is not for such
 * images. */
int tomevit_settle_patches(const vit_tensors *view, tomevit_description *d,
                           size_t asked, const vit_report *report);

#endif

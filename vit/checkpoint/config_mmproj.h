/* SPDX-License-Identifier: MIT */
/* Metadata under "clip.": see config_mmproj.c. */
#ifndef TOMEVIT_CONFIG_MMPROJ_H
#define TOMEVIT_CONFIG_MMPROJ_H

#include "../containers/tensors.h"
#include "../network/weights.h"

/* Says under the usual keys what a file of llama.cpp's says of its tower, where
 * it is one; before the layout implies anything. EMODEL, ENOMEM. */
int tomevit_mmproj_say(vit_tensors *view, const vit_report *report);

/* EMODEL: it says otherwise than the tensors. */
int tomevit_mmproj_check(const vit_tensors *file, const tomevit_description *d,
                         const vit_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* Metadata under "config": see config_own.c. */
#ifndef TOMEVIT_CONFIG_OWN_H
#define TOMEVIT_CONFIG_OWN_H

#include "../containers/tensors.h"
#include "../network/weights.h"

/* Says what it holds under the usual keys, where it is of a kind that is known;
 * before the layout implies anything. EMODEL, ENOMEM. */
int tomevit_config_say(vit_tensors *view, const vit_report *report);

/* Of a description that is whole but for kv_heads, which may still be 0.
 * EMODEL: it says otherwise than the tensors. */
int tomevit_config_check(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report);

#endif

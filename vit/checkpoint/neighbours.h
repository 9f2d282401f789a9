/* SPDX-License-Identifier: MIT */
/* What lies beside a checkpoint and says more about it: config.json,
 * preprocessor_config.json, open_clip_config.json. */
#ifndef TOMEVIT_NEIGHBOURS_H
#define TOMEVIT_NEIGHBOURS_H

#include "../containers/tensors.h"

/*
 * Adds to the metadata of a view what its neighbours say and they do not yet:
 * "num_heads", "norm_eps", "activation", "block" (res_post_norm, for another
 * than the usual one), "pool", "mean", "std", "crop_pct", "crop_mode",
 * "interpolation", "class_names", and the neighbour's name as
 * "preprocessing_source". A configuration of a model with another width is
 * not this one's, and is passed over. EFORMAT: a neighbour that is not JSON.
 */
int tomevit_neighbours(vit_tensors *view, const vit_report *report);

#endif

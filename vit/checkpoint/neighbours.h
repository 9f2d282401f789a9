/* SPDX-License-Identifier: MIT */
/* What lies beside a checkpoint and says more about it: config.json,
 * preprocessor_config.json, processor_config.json, open_clip_config.json. */
#ifndef TOMEVIT_NEIGHBOURS_H
#define TOMEVIT_NEIGHBOURS_H

#include "../containers/tensors.h"

/*
 * Adds to the metadata of a view what its neighbours say and they do not yet:
 * "num_heads", "norm_eps", "activation", "block" (res_post_norm or
 * sandwich_norm, for another than the usual one), "pool", "mean", "std",
 * "crop_pct", "crop_mode", "interpolation", "positions", "input_size" (the
 * crop's side), "class_names";
 * each from the neighbour's name. A configuration of a model with another width
 * is not this one's, and is passed over. EIO: a neighbour that is there and
 * cannot be read, or is not a regular file. EFORMAT: one that is no JSON
 * object, or whose members are of other kinds than are read here, such as a
 * number that is a text. EMODEL: one that asks for pixels or names a model that
 * cannot be had here.
 */
int tomevit_neighbours(vit_tensors *view, const vit_report *report);

#endif

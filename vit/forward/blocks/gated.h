/* SPDX-License-Identifier: MIT */
/*
 * What blocks of Mega's kind have in common: moving averages along the patches,
 * and attention whose outcome is gated. Of every row there are, one after
 * another in c->qkv:
 *
 *     U [dim]  Z [shared]  R [value]  H [dim]  V [value]  Q, K [shared]
 *
 * Mega's U says how much of a row is renewed; Megalodon has none. Normed rows
 * are in c->attention, their moving averages in c->next.x, which merging needs
 * only later.
 *
 * Averages go over all rows in both directions, so a layer has to have seen the
 * last row before it can go on with the first; all that is there of every row
 * meanwhile are these three. What follows looks no further than a chunk: where
 * chunks are enough for all threads, each takes one from V to the end of
 * attention in memory of its own, and the parts of a row are those of s->parts.
 */
#ifndef TOMEVIT_GATED_H
#define TOMEVIT_GATED_H

#include "../steps.h"

/* Where each part of a row begins. */
typedef struct vit_parts {
    size_t z, r, h, v, q, k;
} vit_parts;

vit_parts tomevit_parts_of(const tomevit_description *d);

/* The parts of one row. */
float *tomevit_gated_row(const vit_team *c, const vit_scratch *s, size_t row);

/* V of some rows of c->attention, by a product that ends in SiLU. */
void tomevit_gated_values(vit_pass *p, vit_scratch *s, const vit_at *at);

/* The moving average of some channels of an image and omega times the row,
 * through SiLU if the block is Mega's. */
vit_task tomevit_average;

/* One head of one image: R times what its scores weigh of V, in R's place.
 * Products of queries and keys, and of weights and values, are f32 in every
 * type. */
vit_task tomevit_gated_attention;

/* The rows of chunk `head` of an image, from c->attention and averages to what
 * `join` makes of what `mix` made of them. */
void tomevit_gated_chunk(vit_pass *p, vit_scratch *s, const vit_at *at,
                         vit_task *mix, vit_task *join);

/* Whether chunks are taken so, or all rows step by step. */
vit_condition tomevit_in_chunks, tomevit_as_one;

/* y = x scale + shift: queries or keys of one row. */
void tomevit_scale_and_shift(size_t n, const float *restrict scale,
                             const float *restrict shift,
                             const float *restrict x, float *restrict y);

/* What both work with. */
void tomevit_carve_gated(const vit_team *c, vit_scratch *s, vit_arena *arena);

/* Multiply-accumulates of moving averages of all places in two directions, of
 * gates and products, and of attention among the rows of a chunk. */
double tomevit_gated_macs(const tomevit_description *d, double before,
                          double queries);

#endif

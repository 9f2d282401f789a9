/* SPDX-License-Identifier: MIT */
/* Which rows of the last layer the head looks at. */
#ifndef TOMEVIT_POOLING_H
#define TOMEVIT_POOLING_H

#include "tomevit.h"

/* The leading rows of an image that pooling reads; 0: all. */
static inline size_t tomevit_pool_reads(const tomevit_description *d)
{
    return d->pool != TOMEVIT_POOL_CLASS ? 0 : d->distilled ? 2 : 1;
}

/* The fewest rows it can make something of: a mean is one of patches. */
static inline size_t tomevit_pool_least(const tomevit_description *d)
{
    int mean = d->pool == TOMEVIT_POOL_MEAN ||
               d->pool == TOMEVIT_POOL_CLASS_MEAN ||
               d->pool == TOMEVIT_POOL_CELLS;

    return mean ? d->prefix + 1 : d->prefix ? d->prefix : 1;
}

/* Floats of a square of patches, or of what becomes of it. */
static inline size_t tomevit_cell_length(const tomevit_description *d)
{
    size_t joined = d->cells.side * d->cells.side * d->dim;

    return joined > d->cells.out ? joined : d->cells.out;
}

/* merging.c: what one layer matches and combines by. */
tomerge_options tomevit_options_at(const tomevit_merging *merging,
                                   size_t layer);
int tomevit_combine_at(const tomevit_merging *merging, size_t layer);

/* Whether a layer that merges ranks tokens by their importance. */
int tomevit_ranks_at(const tomevit_merging *merging, size_t layer);

/* The bits of enum tomerge_need of all layers' methods. */
uint32_t tomevit_needs_of(const tomevit_description *d,
                          const tomevit_merging *merging);

/* 0 if what the layers match and combine by is known and fits the model. */
int tomevit_check_matching(const tomevit_description *d,
                           const tomevit_merging *merging);

/* schedule.c: r of a layer for an image of so many patches, of merging that has
 * an r: in proportion, where images have sides of their own. */
size_t tomevit_share_of_r(const tomevit_description *d,
                          const tomevit_merging *merging, size_t layer,
                          size_t patches);

/* Rows that a layer's r leaves of an image of so many patches that comes with
 * `left` rows, whatever they hold. */
size_t tomevit_rows_after(const tomevit_description *d,
                          const tomevit_merging *merging, size_t layer,
                          size_t patches, size_t left);

#endif

/* SPDX-License-Identifier: MIT */
/* Which kind of block a model's layers are of. */
#include "config.h"

#include "../steps.h"

const vit_block *tomevit_block_of(const tomevit_description *d)
{
    static const vit_block *const blocks[] = {
        [TOMEVIT_BLOCK_VIT] = &tomevit_block_vit,
        [TOMEVIT_BLOCK_MEGA] = &tomevit_block_mega,
        [TOMEVIT_BLOCK_MEGALODON] = &tomevit_block_megalodon,
    };

    return d->parallel ? &tomevit_block_parallel : blocks[d->block];
}

void tomevit_carve_block(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    tomevit_block_of(&c->model->d)->carve(c, s, arena);
}

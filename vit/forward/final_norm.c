/* SPDX-License-Identifier: MIT */
/* The norm behind the last layer, where the model has one there. */
#include "config.h"

#include "steps.h"

#include <string.h>

void tomevit_final_norm(const tomevit_model *m, const float *x, float *y)
{
    /* Mega's and Megalodon's is done with, by what is behind their rows. */
    if (m->d.final_norm && m->d.block == TOMEVIT_BLOCK_VIT)
        tomevit_norm(m, &m->norm, m->d.dim, x, y);
    else
        memcpy(y, x, m->d.dim * sizeof(*y));
}

/* SPDX-License-Identifier: MIT */
/* Tests of models that run on each tier of the machine in turn. */
#ifndef MODEL_TIERS_H
#define MODEL_TIERS_H

#include "../vit/kernels/dsp.h"
#include "tiers.h"

/* Runs `check` with the CPU mask set to every tier this machine has. */
static inline void each_tier(void (*check)(const char *tier))
{
    const vit_dsp *dsp;
    uint32_t needs, all = tomerge_cpu_detected();

    for (size_t i = 0; (dsp = tomevit_dsp_tier(i, &needs)); i++) {
        uint32_t mask = 0;

        if ((all & needs) != needs) {
            note_absent(dsp->name);
            continue;
        }
        tomerge_cpu_mask(dsp->name, &mask);
        tomerge_set_cpu_mask(mask);
        check(dsp->name);
    }
    tomerge_set_cpu_mask(UINT32_MAX);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The peak of AMX on tiles that stay in registers: four sums of 16 x 16, as a
 * block of a product has them. The file that includes this defines TDP (an
 * instruction), DEPTH (products a sum gains by it), TIER, DTYPE and PEAK.
 */
#include "../peak.h"

#include <immintrin.h>

enum { REPEATS = 20000, TILES = 4 };

static void loop(void *unused)
{
    _Alignas(64) uint8_t config[64] = {1};

    (void)unused;
    for (int i = 0; i < 8; i++) {
        config[16 + 2 * i] = 64; /* bytes of a row */
        config[48 + i] = 16;     /* rows */
    }
    _tile_loadconfig(config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int n = 0; n < REPEATS; n++) {
        TDP(0, 4, 6);
        TDP(1, 4, 7);
        TDP(2, 5, 6);
        TDP(3, 5, 7);
    }
    _tile_release();
}

const peak_kernel PEAK = {
    TIER, DTYPE, 2.0 * REPEATS * TILES * 16 * 16 * DEPTH, loop,
};

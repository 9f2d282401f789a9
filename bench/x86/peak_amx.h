/* SPDX-License-Identifier: MIT */
/*
 * The peak of AMX on tiles that stay in registers: four sums of 16 x 16, as a
 * block of a product has them. The file that includes this defines TDP (an
 * instruction), DEPTH (products a sum gains by it), TIER, DTYPE and PEAK.
 */
#include "../peak.h"

#include <immintrin.h>

enum { REPEATS = 20000, TILES = 4 };

/* A constant: gcc 12 takes _tile_loadconfig to read 8 bytes only, and leaves
 * out what was stored to the others of a variable. */
static const struct {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} full_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

static void loop(void *unused)
{
    (void)unused;
    _tile_loadconfig(&full_tiles);
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

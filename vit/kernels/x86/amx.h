/* SPDX-License-Identifier: MIT */
/*
 * Products with AMX, written once for both types. A tile register is 16 rows
 * of 64 bytes: 16 x 16 sums, 16 rows' chunk of the left side, or 16 words of
 * depth of a panel of 16 columns; each lies contiguous in memory. A tier's
 * file defines, then includes this:
 *
 *   TDP(c, a, b)     the instruction: tile c += tile a x tile b
 *   SUM              type of a sum
 *   to_floats(p, i, rows, j, sums, c)   rows x 32 sums to floats
 *
 * Blocks are 32 x 32 sums in four tiles. Leaving the tile registers takes
 * long, and so does what comes then, GELU above all: the rows of a block are
 * finished a few at a time between the instructions of the next one.
 */
#include "../low.h"
#include "tomevit.h"

#include <immintrin.h>
#include <string.h>

enum {
    TILE_ROWS = 16,
    BLOCK = 2 * TILE_ROWS,
    TILE_WORDS = TILE_ROWS * VIT_CHUNK / 4,
    /* Chunks of depth at a time: as many of a block's panels fit an L1. */
    MOST_CHUNKS = 24
};

/* Where tiles 0 .. 3 hold the sums, 4 and 5 the left side, 6 and 7 the right
 * one, all of full size. */
typedef struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* A constant: gcc 12 takes _tile_loadconfig to read 8 bytes only, and may leave
 * out what was stored to the others of a variable. */
static const tile_config full_tiles = {
    .palette = 1,
    .row_bytes = {VIT_CHUNK, VIT_CHUNK, VIT_CHUNK, VIT_CHUNK,
                  VIT_CHUNK, VIT_CHUNK, VIT_CHUNK, VIT_CHUNK},
    .rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS,
             TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS},
};

/* A block whose sums are complete, some of its rows finished. */
typedef struct pending {
    const vit_low *low;
    const vit_low_product *p;
    size_t i, rows, j, columns, done;
    SUM *sums;             /* [32, 32] */
} pending;

static void advance(pending *b, size_t count)
{
    float c[BLOCK * BLOCK];
    size_t rows = b->rows - b->done;

    if (!rows)
        return;
    rows = rows < count ? rows : count;
    to_floats(b->p, b->i + b->done, rows, b->j, b->sums + b->done * BLOCK, c);
    tomevit_low_finish(b->low, b->p, b->i + b->done, rows, b->j, b->columns, c,
                       BLOCK);
    b->done += rows;
}

/* Operands of one block from the first chunk of the pass on: both groups of
 * rows, both panels; NULL where there is only one. */
typedef struct operands {
    const unsigned char *a[2];
    const uint32_t *b[2];
    size_t chunks;
} operands;

/* Tiles 0 .. 3 += the block's products; `before` is finished meanwhile. */
static void multiply(const operands *o, pending *before)
{
    size_t step = (BLOCK + o->chunks - 1) / o->chunks;

    for (size_t q = 0; q < o->chunks; q++) {
        size_t at = q * TILE_WORDS;

        _tile_loadd(4, o->a[0] + at * 4, VIT_CHUNK);
        _tile_loadd(6, o->b[0] + at, VIT_CHUNK);
        TDP(0, 4, 6);
        if (o->b[1]) {
            _tile_loadd(7, o->b[1] + at, VIT_CHUNK);
            TDP(1, 4, 7);
        }
        if (o->a[1]) {
            _tile_loadd(5, o->a[1] + at * 4, VIT_CHUNK);
            TDP(2, 5, 6);
            if (o->b[1])
                TDP(3, 5, 7);
        }
        advance(before, step);
    }
}

static void load_sums(const SUM *c)
{
    _tile_loadd(0, c, BLOCK * sizeof(*c));
    _tile_loadd(1, c + TILE_ROWS, BLOCK * sizeof(*c));
    _tile_loadd(2, c + TILE_ROWS * BLOCK, BLOCK * sizeof(*c));
    _tile_loadd(3, c + TILE_ROWS * BLOCK + TILE_ROWS, BLOCK * sizeof(*c));
}

static void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

static void store_sums(void *to, size_t ldc)
{
    SUM *c = to;

    _tile_stored(0, c, ldc * sizeof(*c));
    _tile_stored(1, c + TILE_ROWS, ldc * sizeof(*c));
    _tile_stored(2, c + TILE_ROWS * ldc, ldc * sizeof(*c));
    _tile_stored(3, c + TILE_ROWS * ldc + TILE_ROWS, ldc * sizeof(*c));
}

/* A whole block whose sums are its result, as in attention: it is stored
 * where it belongs. Copying would take as long as its few products. */
static int is_result(const vit_low *low, const vit_low_product *p, size_t i,
                     size_t j)
{
    return low->dtype == TOMEVIT_BF16 && !p->bias && p->y &&
           i + BLOCK <= p->rows && j + BLOCK <= p->n;
}

static operands operands_of(const vit_low *low, const vit_low_product *p,
                            size_t i, size_t j, size_t first, size_t chunks)
{
    size_t words = p->words / (VIT_CHUNK / 4) * TILE_WORDS;
    const unsigned char *a = p->a + (i / TILE_ROWS * words +
                                     first * TILE_WORDS) * 4;
    const uint32_t *b = p->panels + j / TILE_ROWS * vit_low_panel(low, p->words)
                        + first * TILE_WORDS;

    return (operands){
        {a, i + TILE_ROWS < p->rows ? a + words * 4 : NULL},
        {b, j + TILE_ROWS < p->n ? b + words : NULL},
        chunks,
    };
}

/* Blocks of chunks first .. first + chunks - 1 of the depth. Unfinished sums
 * lie in the scratch, block after block. */
static void pass(const vit_low *low, const vit_low_product *p, size_t first,
                 size_t chunks)
{
    size_t all = p->words / (VIT_CHUNK / 4), index = 0;
    int last = first + chunks == all;
    _Alignas(64) SUM sums[2][BLOCK * BLOCK];
    pending before = {.low = low, .p = p};

    for (size_t j = 0; j < p->n; j += BLOCK) {
        for (size_t i = 0; i < p->rows; i += BLOCK, index++) {
            operands o = operands_of(low, p, i, j, first, chunks);
            SUM *part = (SUM *)(void *)p->scratch + index * BLOCK * BLOCK;
            SUM *to = last ? sums[index % 2] : part;

            if (first)
                load_sums(part);
            else
                zero_sums();
            multiply(&o, &before);
            advance(&before, BLOCK);
            if (last && is_result(low, p, i, j)) {
                store_sums(p->y + i * p->ldy + j, p->ldy);
                continue;
            }
            store_sums(to, BLOCK);
            if (last)
                before = (pending){
                    .low = low, .p = p, .i = i, .j = j, .sums = to,
                    .rows = p->rows - i < BLOCK ? p->rows - i : BLOCK,
                    .columns = p->n - j < BLOCK ? p->n - j : BLOCK,
                };
        }
    }
    advance(&before, BLOCK);
}

static void product(const vit_low *low, const vit_low_product *p)
{
    size_t all = p->words / (VIT_CHUNK / 4);
    size_t passes = (all + MOST_CHUNKS - 1) / MOST_CHUNKS;
    size_t chunks = (all + passes - 1) / passes;

    _tile_loadconfig(&full_tiles);
    for (size_t q = 0; q < all; q += chunks)
        pass(low, p, q, all - q < chunks ? all - q : chunks);
    _tile_release();
}

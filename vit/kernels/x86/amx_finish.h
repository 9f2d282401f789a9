/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a block of 32 x 32 sums that left the tile registers: bias,
 * activation, and their place in rows of f32 or of a narrow type; two rows at a
 * time, inlined, as it has to fit between the instructions of the next block.
 * The bits are those of tomevit_dsp_avx512's `finish`. A tier's file defines,
 * then includes this:
 *
 *   CELL             type of a sum
 *   sums_of(p, row, column, sums)   16 of them as floats
 *   NARROWS          1 if rows of the type may be the result, and then
 *   store_chunk(out, low, high)     32 floats as a chunk of such a row
 */
#include "../low.h"
#include "tomevit.h"
#include "vectors512.h"

/* Vectors of two rows. */
enum { PAIR = 4, BLOCK = 32 };

#include "../vectors/functions.h"

enum target { BARE, ROWS, CHUNKS };

/* A block whose sums are complete, some of its rows finished. */
typedef struct pending {
    const vit_low *low;
    const vit_low_product *p;
    const CELL *sums;      /* of the next row: [.., 32] */
    size_t pairs;          /* of rows, finished ones too; 0: no block waits */
    size_t row, rows;      /* of the block: the next one, how many */
    size_t i, j;           /* of the next row, of the first column */
    float *y;              /* of the next row, if the result is rows */
    unsigned char *narrow; /* the same of chunks */
    size_t half;           /* from the first 16 rows to the others, bytes */
    __mmask16 columns[2];  /* those that there are */
    const float *bias;
    float padded[BLOCK];   /* a bias with fewer than 32 columns */
    _Alignas(64) CELL ring[2][BLOCK * BLOCK]; /* sums of this and the next */
} pending;

/* Two rows: four vectors. */
INLINE void load_pair(enum target to, const pending *b, V *v)
{
    enum { n = PAIR };
    /* The second row of a pair may be past the last: the first once more. */
    size_t second = b->row + 1 < b->rows;

    EACH(i) v[i] = sums_of(b->p, b->i + (i / 2) * second, b->j + i % 2 * 16,
                           b->sums + i * 16);
    if (to != BARE)
        EACH(i) v[i] = ADD(v[i], LOAD(b->bias + i % 2 * 16));
}

INLINE void store_rows(int add, const pending *b, const V *v)
{
    enum { n = PAIR };

    EACH(i) {
        float *y = b->y + (i / 2) * b->p->ldy + i % 2 * 16;
        __mmask16 there;

        /* The next block's, which lie elsewhere for hardware. */
        __builtin_prefetch(y + BLOCK * b->p->ldy, 1);
        there = b->row + i / 2 < b->rows ? b->columns[i % 2] : 0;
        _mm512_mask_storeu_ps(
            y, there, add ? ADD(_mm512_maskz_loadu_ps(there, y), v[i]) : v[i]);
    }
}

#if NARROWS
INLINE void store_chunks(const pending *b, const V *v)
{
    for (size_t h = 0; h < 2; h++)
        store_chunk(b->narrow + h * VIT_CHUNK,
                    _mm512_maskz_mov_ps(b->columns[0], v[2 * h]),
                    _mm512_maskz_mov_ps(b->columns[1], v[2 * h + 1]));
}
#endif

INLINE void finish_next(enum vit_finish how, enum target to, pending *b)
{
    V v[PAIR];

    load_pair(to, b, v);
    activate(how, PAIR, v);
#if NARROWS
    if (to == CHUNKS) {
        store_chunks(b, v);
        b->narrow += b->row + 2 == 16 ? b->half : 2 * VIT_CHUNK;
    }
#endif
    if (to != CHUNKS) {
        store_rows(how == VIT_ADD, b, v);
        b->y += 2 * b->p->ldy;
    }
    b->row += 2;
    b->i += 2;
    b->sums += 2 * BLOCK;
}

INLINE void finish_rest(enum vit_finish how, enum target to, pending *b)
{
    while (b->pairs && b->row < b->rows)
        finish_next(how, to, b);
    b->pairs = 0;
}

static __mmask16 columns_from(size_t n, size_t j)
{
    size_t left = n > j ? n - j : 0;

    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
}

static void pending_init(pending *b, const vit_low *low,
                         const vit_low_product *p)
{
    b->low = low;
    b->p = p;
    b->pairs = 0;
}

static void narrow_columns(pending *b, size_t j)
{
    for (size_t h = 0; h < 2; h++) {
        b->columns[h] = columns_from(b->p->n, j + h * 16);
        if (b->p->bias)
            STORE(b->padded + h * 16,
                  _mm512_maskz_loadu_ps(b->columns[h],
                                        b->p->bias + j + h * 16));
    }
    b->bias = b->padded;
}

/* Block i, j is next. */
INLINE void pending_set(pending *b, enum target to, size_t i, size_t j,
                        const CELL *sums)
{
    const vit_low_product *p = b->p;

    b->sums = sums;
    b->row = 0;
    b->rows = p->rows - i < BLOCK ? p->rows - i : BLOCK;
    b->pairs = (b->rows + 1) / 2;
    b->i = i;
    b->j = j;
    b->columns[0] = b->columns[1] = 0xffff;
    if (to != BARE)
        b->bias = p->bias + j;
    if (j + BLOCK > p->n)
        narrow_columns(b, j);
    if (to == CHUNKS) {
        size_t chunks = (p->n + BLOCK - 1) / BLOCK;

        b->narrow = p->narrow + vit_low_place(b->low, chunks, i, j / BLOCK);
        b->half = (chunks - 1) * 16 * VIT_CHUNK + 2 * VIT_CHUNK;
    } else {
        b->y = p->y + i * p->ldy + j;
    }
}

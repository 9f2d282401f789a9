/* SPDX-License-Identifier: MIT */
/* A narrow product tile by tile, and what becomes of a finished tile. */
#include "config.h"

#include "../base/bytes.h"
#include "low.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- weights ------------------------------------------------------------- */

/* Sums of the columns of a panel: four s8 or two s16 a word. */
static void sum_columns(const vit_low *low, size_t words,
                        const uint32_t *restrict panel, int32_t *restrict sum)
{
    memset(sum, 0, low->nr * sizeof(*sum));
    for (size_t p = 0; p < words; p++) {
        const uint32_t *row = panel + p * low->nr;

        if (low->per_word == 2) {
            for (size_t j = 0; j < low->nr; j++)
                sum[j] += (int16_t)row[j] + (int16_t)(row[j] >> 16);
        } else {
            for (size_t j = 0; j < low->nr; j++)
                sum[j] += (int8_t)row[j] + (int8_t)(row[j] >> 8) +
                          (int8_t)(row[j] >> 16) + (int8_t)(row[j] >> 24);
        }
    }
}

/* Rows to be packed, of `k` elements: f32, to be rounded, or rounded. */
typedef struct unpacked {
    size_t k;
    const float *f32;      /* NULL: int8 */
    const signed char *int8;
} unpacked;

/* Words of int8 as they are: four s8, or two as s16. */
static void words_as_is(size_t per_word, size_t depth, const signed char *x,
                        uint32_t *out)
{
    size_t whole = depth / per_word, i;

    for (i = 0; per_word == 4 && i < whole; i++)
        out[i] = vit_le32((const unsigned char *)x + 4 * i);
    for (i = 0; per_word == 2 && i < whole; i++)
        out[i] = (uint16_t)x[2 * i] | (uint32_t)x[2 * i + 1] << 16;
    if (depth % per_word) {
        uint32_t mask = per_word == 4 ? 0xff : 0xffff;

        out[whole] = 0;
        for (i = whole * per_word; i < depth; i++)
            out[whole] |= ((uint32_t)x[i] & mask)
                          << i % per_word * (32 / per_word);
    }
}

/* `depth` elements of a row from p on. */
static void words_of(const vit_low *low, const unpacked *w, size_t row,
                     size_t p, size_t depth, float inverse, uint32_t *out)
{
    size_t at = row * w->k + p;

    if (w->f32)
        low->words(depth, w->f32 + at, inverse, out);
    else
        words_as_is(low->per_word, depth, w->int8 + at, out);
}

/* The panel whose first column is row `first`. */
static void pack_panel(const vit_low *low, const unpacked *w, size_t first,
                       size_t rows, const float *inverse, uint32_t *panel)
{
    enum { SLICE = 64 };
    size_t step = SLICE * low->per_word;
    uint32_t *to = panel + (low->offset ? low->nr : 0);

    for (size_t p = 0; p < w->k; p += step) {
        size_t depth = smaller(step, w->k - p);
        uint32_t slice[VIT_MAX_NR * SLICE];

        for (size_t r = 0; r < rows; r++)
            words_of(low, w, first + r, p, depth, inverse[r],
                     slice + r * SLICE);
        low->transpose(rows, (depth + low->per_word - 1) / low->per_word,
                       slice, SLICE, low->nr, to + p / low->per_word * low->nr);
    }
}

/* What the products of a packed panel of int8 need to know of it. A VNNI
 * panel's sums start where they undo the offset of its left side. */
static void describe_panel(const vit_low *low, size_t words, size_t columns,
                           uint32_t *panel, const float *scale, float *sum)
{
    int32_t whole[VIT_MAX_NR];

    sum_columns(low, words, panel + (low->offset ? low->nr : 0), whole);
    for (size_t j = 0; low->offset && j < low->nr; j++)
        panel[j] = (uint32_t)(-low->offset * whole[j]);
    for (size_t j = 0; j < columns; j++)
        sum[j] = scale[j] * (float)whole[j];
}

/* `scale` is found if `w` is f32, and known if it is int8. */
static void pack(const vit_low *low, size_t n, const unpacked *w,
                 uint32_t *panels, float *scale, float *sum)
{
    size_t words = vit_low_words(low, w->k);

    for (size_t j = 0; j < n; j += low->nr) {
        uint32_t *panel = panels + j / low->nr * vit_low_panel(low, words);
        size_t rows = smaller(low->nr, n - j);
        float inverse[VIT_MAX_NR] = {0};

        for (size_t r = 0; scale && w->f32 && r < rows; r++)
            scale[j + r] = tomevit_int8_scale(
                tomevit_peak(w->k, w->f32 + (j + r) * w->k), &inverse[r]);
        pack_panel(low, w, j, rows, inverse, panel);
        if (scale)
            describe_panel(low, words, rows, panel, scale + j, sum + j);
    }
}

void tomevit_low_pack(const vit_low *low, size_t n, size_t k, const float *w,
                      uint32_t *panels, float *scale, float *sum)
{
    unpacked rows = {.k = k, .f32 = w};

    pack(low, n, &rows, panels, scale, sum);
}

void tomevit_low_pack_int8(const vit_low *low, size_t n, size_t k,
                           const signed char *w, uint32_t *panels,
                           float *scale, float *sum)
{
    unpacked rows = {.k = k, .int8 = w};

    pack(low, n, &rows, panels, scale, sum);
}

/* ---- products ------------------------------------------------------------ */

/* What is finished in place becomes rows that a product takes. */
static void narrow_tile(const vit_low *low, const vit_low_product *p, size_t i,
                        size_t rows, size_t j, size_t columns, const float *c,
                        size_t ldc)
{
    size_t chunks = vit_low_chunks(low, p->n), step = low->interleaved;

    for (size_t r = 0; r < rows; r++)
        low->narrow(columns, c + r * ldc,
                    p->narrow + vit_low_place(low, chunks, i + r,
                                              j / low->per_chunk),
                    step * VIT_CHUNK);
}

void tomevit_low_finish(const vit_low *low, const vit_low_product *p, size_t i,
                        size_t rows, size_t j, size_t columns, float *c,
                        size_t ldc)
{
    float *y = p->y ? p->y + i * p->ldy + j : c;
    size_t ldy = p->y ? p->ldy : ldc;

    if (p->bias)
        p->dsp->finish(p->how, rows, columns, c, ldc, p->bias + j, y, ldy);
    else
        for (size_t r = 0; r < rows && y != c; r++)
            memcpy(y + r * ldy, c + r * ldc, columns * sizeof(*y));
    if (!p->y)
        narrow_tile(low, p, i, rows, j, columns, c, ldc);
}

static const float *from(const float *columns, size_t j)
{
    return columns ? columns + j : NULL;
}

/* One pass over words w .. w + depth - 1, in the manner of gemm.c. */
static void pass(const vit_low *low, const vit_low_product *p, size_t w,
                 size_t depth)
{
    size_t nr = low->nr, panel = vit_low_panel(low, p->words);
    size_t lda = vit_low_bytes(low, 1, p->words * low->per_word);
    float tile[VIT_MAX_MR * VIT_MAX_NR];
    int whole = depth == p->words, last = w + depth == p->words;

    for (size_t j = 0; j < p->n; j += nr) {
        const uint32_t *b = p->panels + j / nr * panel + w * nr;
        const uint32_t *next = j + nr < p->n ? b + panel
            : p->panels + (last ? 0 : w + depth) * nr;
        size_t columns = smaller(nr, p->n - j);
        int direct = whole && !p->bias && p->y && columns == nr;

        for (size_t i = 0, height; i < p->rows; i += height) {
            vit_low_tile t = {
                .rows = height = vit_tile_rows(p->rows - i, low->mr),
                .words = depth,
                .a = p->a + i * lda + w * low->per_word * VIT_CHUNK /
                     low->per_chunk,
                .lda = lda,
                .b = b,
                .ahead = next + i / low->mr % 8 * (depth * nr / 8),
                .quants = p->quants ? p->quants + i : NULL,
                .column_scale = from(p->column_scale, j),
                .column_sum = from(p->column_sum, j),
                .c = direct ? p->y + i * p->ldy + j
                     : whole ? tile : p->scratch + j * p->rows + i * nr,
                .ldc = direct ? p->ldy : nr,
                .add = w > 0,
            };

            if (last && p->y)
                vit_fetch(p->y + i * p->ldy + j, p->ldy, t.rows, columns);
            low->tile(&t);
            if (last && !direct)
                tomevit_low_finish(low, p, i, t.rows, j, columns, t.c, t.ldc);
        }
    }
}

void tomevit_low_blocked(const vit_low *low, const vit_low_product *p)
{
    size_t chunk = low->per_chunk / low->per_word;
    size_t most = low->depth ? low->depth : p->words;
    size_t passes = (p->words + most - 1) / most;
    size_t chunks = (p->words / chunk + passes - 1) / passes;

    for (size_t w = 0; w < p->words; w += chunks * chunk)
        pass(low, p, w, smaller(chunks * chunk, p->words - w));
}

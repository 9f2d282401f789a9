/* SPDX-License-Identifier: MIT */
/*
 * Products in narrow types, bf16 or int8: one constant table for each type
 * and CPU tier. The scalar tables are the specification.
 *
 *   bf16  c = sum a b over f32 products of rounded factors, which are exact;
 *         sums are f32. Tiers that widen sum in the scalar order and give its
 *         bits; those with instructions for bf16 differ in rounding.
 *   int8  c = (float)(sum a b) * (row scale * column scale) + row zero point *
 *         sum of the column, the sum of products exact in 32 bits: all tiers
 *         give the same bits. The left side's elements are what a row holds
 *         less its zero point, the middle of its range: what GELU leaves lies
 *         on one side of zero and would use half of the 8 bits.
 *
 * Both sides of a product are cut along its depth into words of 32 bits: two
 * bf16 (or s16), or four s8. The right side lies in panels of `nr` columns,
 * panel[words][nr]; the left side in rows of 64-byte chunks. Past the last
 * element of a row or column there are zeros up to a whole chunk.
 *
 * As with vit_dsp, row i of a result depends on row i of the left side alone.
 */
#ifndef TOMEVIT_LOW_H
#define TOMEVIT_LOW_H

#include "dsp.h"

enum { VIT_CHUNK = 64, VIT_SOFTMAX_ROWS = 8 };

typedef struct vit_low vit_low;

/* What the whole numbers q of an int8 row stand for: scale q + zero_point; {1,
 * 0} for bf16. The zero point is what q = 0 stands for, in the row's own unit,
 * and need not be a multiple of the scale. */
typedef struct vit_quant {
    float scale, zero_point;
} vit_quant;

/* One tile: c[rows, nr] of `words` words, whole chunks, or += if `add` (bf16
 * only), rows in 1 .. mr. A VNNI panel begins with the row of words its sums
 * start from. Meanwhile words * nr / 8 words from `ahead` on are prefetched. */
typedef struct vit_low_tile {
    size_t rows, words;
    const unsigned char *a;
    size_t lda;            /* bytes */
    const uint32_t *b, *ahead;
    const vit_quant *quants; /* int8: of the rows */
    const float *column_scale, *column_sum; /* int8 */
    float *c;
    size_t ldc;
    int add;
} vit_low_tile;

/* A whole product: y[rows, n] = finish(a panels + bias). */
typedef struct vit_low_product {
    size_t rows, n, words;
    const unsigned char *a; /* rows as `narrow` has them */
    const vit_quant *quants; /* [rows] */
    const uint32_t *panels;
    const float *column_scale; /* [n], zeros to a multiple of VIT_MAX_NR */
    const float *column_sum; /* the same */
    const vit_dsp *dsp;    /* whose finish */
    enum vit_finish how;
    const float *bias;     /* [n]; NULL: y are the sums as they are */
    float *y;              /* [rows, ldy]; NULL: narrowed to `narrow` */
    size_t ldy;
    unsigned char *narrow; /* bf16: rows of n elements, as a product takes */
    float *scratch;        /* see tomevit_gemm_scratch: for rows and columns
                            * in whole blocks of VIT_MAX_NR x VIT_MAX_NR */
} vit_low_product;

struct vit_low {
    const char *name;      /* as tomerge_cpu_name */
    int dtype;             /* TOMEVIT_BF16 or TOMEVIT_INT8 */
    size_t mr, nr;         /* rows and columns of a tile; bf16: whole chunks */
    size_t block_rows;     /* rows of a product, as VIT_BLOCK_ROWS */
    size_t strip;          /* rows of attention's scores at a time */
    size_t depth;          /* words of one pass, whole chunks; 0: all */
    size_t per_word;       /* elements of depth in a word: 2 or 4 */
    size_t per_chunk;      /* elements in a chunk of the left side */
    size_t interleaved;    /* rows whose chunks take turns: 1, or a tile's */
    int widens;            /* bf16 by f32 instructions: slower than f32 */
    int offset;            /* what is added to every element of the left side;
                            * not 0: panels begin with a row of starts */

    /* Narrows x[k] to chunks `step` bytes apart. A row with an infinity or a
     * NaN has the scale NaN in int8. */
    vit_quant (*narrow)(size_t k, const float *x, unsigned char *out,
                        size_t step);

    /* softmax(scale * s + bias) of s[rows, n], rows in 1 .. VIT_SOFTMAX_ROWS,
     * narrowed as `narrow` would to rows `ldo` and chunks `step` bytes apart:
     * the same bits. bias[n] is of all rows, NULL means 0; s is anything
     * then. NULL: vit_dsp's, then `narrow`. bf16 only. */
    void (*softmax)(size_t rows, size_t n, float scale, const float *bias,
                    float *s, size_t lds, unsigned char *out, size_t ldo,
                    size_t step);

    /* Words of x[k] as the right side has them: out[ceil(k / per_word)].
     * `inverse` is that of the scale. */
    void (*words)(size_t k, const float *x, float inverse, uint32_t *out);

    /* Transposes x[rows, words] to out[words, width], zeros in the columns
     * from `rows` on. */
    void (*transpose)(size_t rows, size_t words, const uint32_t *x, size_t ldx,
                      size_t width, uint32_t *out);

    /* out[n]: the pairs of even[i] and odd[i], NULL meaning 0; bf16 only. */
    void (*interleave)(size_t n, const float *even, const float *odd,
                       uint32_t *out);

    /* NULL in a table whose product needs none. */
    void (*tile)(const vit_low_tile *t);

    void (*product)(const vit_low *low, const vit_low_product *p);
};

/* The best table for a dtype and these CPU flags. */
const vit_low *tomevit_low_choose(int dtype, uint32_t cpu_flags);

/* The table of patches, heads and attention around layers of `low`; NULL: f32.
 * Around int8 bf16 pays only where the CPU has instructions for it. */
const vit_low *tomevit_low_outer(const vit_low *low, uint32_t cpu_flags);

/* The CPU flags that a model of this dtype is to be opened with: these, less
 * AMX if a table of it would be chosen and the system refuses its registers.
 * They are asked for here, and only then; a table that needs them works after
 * that. */
uint32_t tomevit_low_permitted(int dtype, uint32_t cpu_flags);

/* All tables built in, scalar first, with the flags each needs; for tests and
 * benches. NULL past the last. */
const vit_low *tomevit_low_tier(size_t index, uint32_t *needs);

extern const vit_low tomevit_bf16_scalar, tomevit_int8_scalar;
extern const vit_low tomevit_bf16_avx2, tomevit_int8_avx2;
extern const vit_low tomevit_bf16_avx512, tomevit_int8_avx512;
extern const vit_low tomevit_bf16_avx512bf16, tomevit_int8_avx512vnni;
extern const vit_low tomevit_bf16_amxbf16, tomevit_int8_amxint8;
extern const vit_low tomevit_bf16_neon, tomevit_int8_neon;
extern const vit_low tomevit_int8_neondotprod, tomevit_int8_neoni8mm;
extern const vit_low tomevit_bf16_neonbf16;

/* ---- what tables share --------------------------------------------------- */

/* The scale of int8 weights whose largest magnitude is `peak`, and its inverse.
 * Nothing but zeros (or next to it) has the scale 0, what is not finite NaN;
 * the inverse of both is 0. */
float tomevit_int8_scale(float peak, float *inverse);

/* How an int8 row is quantized whose elements lie in low .. high, and the
 * inverse of its scale, as above. */
vit_quant tomevit_int8_quant(float low, float high, float *inverse);

/* x[k] becomes what its row is multiplied as, -127 .. 127; the scale. */
float tomevit_int8_round(size_t k, float *x);

/* The largest magnitude in x[k]; an infinity or a NaN if there is one. */
float tomevit_peak(size_t k, const float *x);

/* Words of four s8, and of two s8 as s16. */
void tomevit_words_s8(size_t k, const float *x, float inverse, uint32_t *out);
void tomevit_words_s16(size_t k, const float *x, float inverse, uint32_t *out);
void tomevit_transpose_words(size_t rows, size_t words, const uint32_t *x,
                             size_t ldx, size_t width, uint32_t *out);

/* Packs row-major weights w[n, k] to panels; if int8, also their scales and
 * the sums over k of what they then stand for. */
void tomevit_low_pack(const vit_low *low, size_t n, size_t k, const float *w,
                      uint32_t *panels, float *scale, float *sum);

/* The same from rows that are rounded already, as tomevit_int8_round leaves
 * them, whose scales are known: the same panels and sums. int8 only. */
void tomevit_low_pack_int8(const vit_low *low, size_t n, size_t k,
                           const signed char *w, uint32_t *panels,
                           float *scale, float *sum);

/* Finishes rows i .. i + rows - 1, columns j .. j + columns - 1 of a product
 * from their sums c[rows, ldc], which may change. */
void tomevit_low_finish(const vit_low *low, const vit_low_product *p, size_t i,
                        size_t rows, size_t j, size_t columns, float *c,
                        size_t ldc);

/* A product tile by tile. */
void tomevit_low_blocked(const vit_low *low, const vit_low_product *p);

/* ---- where things lie ---------------------------------------------------- */

static inline size_t vit_low_chunks(const vit_low *low, size_t k)
{
    return (k + low->per_chunk - 1) / low->per_chunk;
}

/* Words of depth k, up to a whole chunk. */
static inline size_t vit_low_words(const vit_low *low, size_t k)
{
    return vit_low_chunks(low, k) * (low->per_chunk / low->per_word);
}

/* Chunks from one row to the next: not a multiple of 1 KiB, or the rows of a
 * tile would meet in a few sets of a cache. */
static inline size_t vit_low_stride(const vit_low *low, size_t chunks)
{
    return low->interleaved == 1 && chunks % 16 == 0 ? chunks + 1 : chunks;
}

/* Bytes of `rows` rows of k elements. */
static inline size_t vit_low_bytes(const vit_low *low, size_t rows, size_t k)
{
    size_t groups = (rows + low->interleaved - 1) / low->interleaved;

    return groups * low->interleaved * VIT_CHUNK *
           vit_low_stride(low, vit_low_chunks(low, k));
}

/* Chunk `chunk` of row `row`, rows being `chunks` long; the row's next one is
 * interleaved * VIT_CHUNK bytes further. */
static inline size_t vit_low_place(const vit_low *low, size_t chunks,
                                   size_t row, size_t chunk)
{
    size_t together = low->interleaved, group = row / together * together;

    return (group * vit_low_stride(low, chunks) + chunk * together +
            row - group) * VIT_CHUNK;
}

/* Words of one panel. */
static inline size_t vit_low_panel(const vit_low *low, size_t words)
{
    return (words + (low->offset != 0)) * low->nr;
}

#endif

/* SPDX-License-Identifier: MIT */
/* int8 with the dot product: tiles of 8 x 8, a word of four products a lane.
 * An instruction takes one word of a register for all its columns. */
#include "int8_neon.h"

enum { MR = 8, NR = 8 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)

#define ROW_DECLARE(i) int32x4_t l##i = vdupq_n_s32(0), h##i = l##i;
#define ROW_FOUR(i)                                                          \
    int8x16_t a##i = vreinterpretq_s8_u8(                                    \
        vld1q_u8(a + ((i) < rows ? (i) : 0) * lda));
#define ROW_LANE(i, lane)                                                    \
    if ((i) < rows) {                                                        \
        l##i = vdotq_laneq_s32(l##i, lo, a##i, lane);                        \
        h##i = vdotq_laneq_s32(h##i, hi, a##i, lane);                        \
    }
#define ROW_STEP0(i) ROW_LANE(i, 0)
#define ROW_STEP1(i) ROW_LANE(i, 1)
#define ROW_STEP2(i) ROW_LANE(i, 2)
#define ROW_STEP3(i) ROW_LANE(i, 3)
#define STEP(lane)                                                           \
    {                                                                        \
        int8x16_t lo = vreinterpretq_s8_u32(vld1q_u32(b));                   \
        int8x16_t hi = vreinterpretq_s8_u32(vld1q_u32(b + 4));               \
                                                                             \
        b += NR;                                                             \
        EACH_ROW(ROW_STEP##lane)                                             \
    }
#define ROW_END(i)                                                           \
    if ((i) < rows) {                                                        \
        vst1q_f32(t->c + (i) * t->ldc, value(l##i, t, i, 0));                \
        vst1q_f32(t->c + (i) * t->ldc + 4, value(h##i, t, i, 4));            \
    }

/* `rows` is a constant wherever this is expanded. */
static inline __attribute__((always_inline)) void
tile_of(size_t rows, const vit_low_tile *t)
{
    const unsigned char *a = t->a;
    const uint32_t *b = t->b, *end = b + t->words * NR, *ahead = t->ahead;
    size_t lda = t->lda;
    EACH_ROW(ROW_DECLARE)

    for (; b < end; a += 16) {
        EACH_ROW(ROW_FOUR)
        __builtin_prefetch(ahead, 0, 2);
        ahead += NR / 2;
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
    }
    EACH_ROW(ROW_END)
}

#define ROW_CASE(i)                                                          \
    case (i) + 1:                                                            \
        tile_of((i) + 1, t);                                                 \
        break;

static void tile(const vit_low_tile *t)
{
    switch (t->rows) {
        EACH_ROW(ROW_CASE)
    }
}

const vit_low tomevit_int8_neondotprod = {
    .name = "neon-dotprod", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 48, .strip = MR, .per_word = 4, .per_chunk = CHUNK,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};

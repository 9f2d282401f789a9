/* SPDX-License-Identifier: MIT */
/* What the tiers of int8 on NEON share: rows in, sums out. */
#ifndef TOMEVIT_ARM_INT8_NEON_H
#define TOMEVIT_ARM_INT8_NEON_H

#include "../low.h"
#include "tomevit.h"

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

/* What the sums of 4 columns stand for, in the scalar kernel's order. */
static inline float32x4_t value(int32x4_t sums, const vit_low_tile *t,
                                size_t row, size_t column)
{
    const vit_quant *quant = t->quants + row;
    float32x4_t scale = vmulq_f32(vdupq_n_f32(quant->scale),
                                  vld1q_f32(t->column_scale + column));

    return vaddq_f32(vmulq_f32(vcvtq_f32_s32(sums), scale),
                     vmulq_f32(vdupq_n_f32(quant->zero_point),
                               vld1q_f32(t->column_sum + column)));
}

/* For int8_rows.h. */
typedef float32x4_t F;
enum { WIDTH = 4, CHUNK = VIT_CHUNK };
#define LOADF vld1q_f32
#define SETF vdupq_n_f32
#define ADDF vaddq_f32
#define MINF vminq_f32
#define MAXF vmaxq_f32
#define FMAF(a, b, c) vfmaq_f32(c, a, b)
#define LEAST vminvq_f32
#define MOST vmaxvq_f32
#define TOTAL vaddvq_f32

/* 8 whole numbers, to the nearest, ties to even. */
static inline int16x8_t wholes(const float *x, float32x4_t zero,
                               float32x4_t inverse)
{
    int32x4_t low = vcvtnq_s32_f32(
        vmulq_f32(vsubq_f32(vld1q_f32(x), zero), inverse));
    int32x4_t high = vcvtnq_s32_f32(
        vmulq_f32(vsubq_f32(vld1q_f32(x + WIDTH), zero), inverse));

    return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
}

static inline void store_chunk(const float *x, float32x4_t zero,
                               float32x4_t inverse, unsigned char *out)
{
    for (size_t i = 0; i < CHUNK; i += 16) {
        int8x8_t low = vqmovn_s16(wholes(x + i, zero, inverse));
        int8x8_t high = vqmovn_s16(wholes(x + i + 8, zero, inverse));

        vst1q_u8(out + i, vreinterpretq_u8_s8(vcombine_s8(low, high)));
    }
}

#include "../vectors/int8_rows.h"

#endif

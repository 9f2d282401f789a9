/* SPDX-License-Identifier: MIT */
/* What files for NEON share: ends of rows, and rows to columns. */
#ifndef TOMEVIT_ARM_NEON_H
#define TOMEVIT_ARM_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

/* The first n < 4 elements, zeros after them; there are no masked moves. */
static inline float32x4_t load_n(const float *x, size_t n)
{
    float part[4] = {0};

    memcpy(part, x, n * sizeof(*x));
    return vld1q_f32(part);
}

static inline void store_n(float *x, float32x4_t v, size_t n)
{
    float part[4];

    vst1q_f32(part, v);
    memcpy(x, part, n * sizeof(*x));
}

/* Elements start .. start + 3 of x[n], zeros past its end. */
static inline float32x4_t load_part(const float *x, size_t start, size_t n)
{
    size_t left = n > start ? n - start : 0;

    return left >= 4 ? vld1q_f32(x + start) : load_n(x + start, left);
}

/* The first n of 4 lanes. */
static inline uint32x4_t first(size_t n)
{
    static const uint32_t lane[4] = {0, 1, 2, 3};

    return vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)n));
}

static inline void transpose4(float32x4_t v[4])
{
    float32x4x2_t low = vzipq_f32(v[0], v[2]), high = vzipq_f32(v[1], v[3]);
    float32x4x2_t front = vzipq_f32(low.val[0], high.val[0]);
    float32x4x2_t back = vzipq_f32(low.val[1], high.val[1]);

    v[0] = front.val[0];
    v[1] = front.val[1];
    v[2] = back.val[0];
    v[3] = back.val[1];
}

#endif

/* SPDX-License-Identifier: MIT */
/* What the tiers of bf16 on NEON share: words of pairs. A tier's file defines
 * halves(x) first: four f32 rounded to bf16. */
#ifndef TOMEVIT_ARM_BF16_NEON_H
#define TOMEVIT_ARM_BF16_NEON_H

#include "../low.h"
#include "neon.h"
#include "tomevit.h"

static inline void words(size_t k, const float *x, float unused, uint32_t *out)
{
    (void)unused;
    for (size_t p = 0; p < k; p += 4, out += 2) {
        uint32x2_t pairs = vreinterpret_u32_u16(halves(load_part(x, p, k)));

        if (p + 2 < k)
            vst1_u32(out, pairs);
        else
            vst1_lane_u32(out, pairs, 0);
    }
}

static inline void interleave(size_t n, const float *even, const float *odd,
                              uint32_t *out)
{
    for (size_t i = 0; i < n; i += 4) {
        uint16x4_t low = halves(load_part(even, i, n));
        uint16x4_t high = odd ? halves(load_part(odd, i, n)) : vdup_n_u16(0);
        uint32x4_t pairs = vreinterpretq_u32_u16(
            vcombine_u16(vzip1_u16(low, high), vzip2_u16(low, high)));
        uint32_t part[4];

        if (n - i >= 4) {
            vst1q_u32(out + i, pairs);
            continue;
        }
        vst1q_u32(part, pairs);
        memcpy(out + i, part, (n - i) * sizeof(*part));
    }
}

#endif

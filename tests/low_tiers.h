/* SPDX-License-Identifier: MIT */
/* What the tests know of the tables in bf16 and int8. */
#ifndef TOMERGE_TESTS_LOW_TIERS_H
#define TOMERGE_TESTS_LOW_TIERS_H

#include "../vit/kernels/low.h"
#include "../vit/base/numeric.h"
#include "tomevit.h"

#include <string.h>

#ifdef HAVE_AVX512
extern const vit_low emulated_bf16_avx512bf16, emulated_bf16_amxbf16,
    emulated_int8_amxint8;
#endif

/* The tables of tomevit_low_tier, then those on emulated instructions. */
static inline const vit_low *low_tier(size_t index, uint32_t *needs)
{
    const vit_low *low;
    size_t built = 0;
    uint32_t unused;

    while ((low = tomevit_low_tier(built, index == built ? needs : &unused)))
        if (index == built++)
            return low;
#ifdef HAVE_AVX512
    static const vit_low *const emulated[] = {
        &emulated_bf16_avx512bf16, &emulated_bf16_amxbf16,
        &emulated_int8_amxint8, NULL,
    };
    *needs = TOMERGE_CPU_AVX512;
    return emulated[index - built];
#else
    return NULL;
#endif
}

/* A tier that widens bf16 and sums in the scalar order. */
static inline int low_widens(const vit_low *low)
{
    return low->dtype == TOMEVIT_BF16 &&
           (!strcmp(low->name, "scalar") || !strcmp(low->name, "avx2") ||
            !strcmp(low->name, "avx512") || !strcmp(low->name, "neon"));
}

/* Element p of a chunk of the left side: words, the first of each in its lowest
 * bits, whatever the order of their bytes. */
static inline float low_element(const vit_low *low, const unsigned char *chunk,
                                size_t p)
{
    size_t each = low->per_chunk / (VIT_CHUNK / sizeof(uint32_t));
    uint32_t word;

    memcpy(&word, chunk + p / each * sizeof(word), sizeof(word));
    if (each == 1)
        return vit_f32_from_bits(word);
    word >>= p % each * (32 / each);
    if (each == 4)
        return (float)(low->offset ? (int)(uint8_t)word - low->offset
                                   : (int)(int8_t)word);
    return low->dtype == TOMEVIT_INT8 ? (float)(int16_t)word
                                      : vit_f32_from_bf16((uint16_t)word);
}

#endif

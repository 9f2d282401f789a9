/* SPDX-License-Identifier: MIT */
/* splitmix64 (Steele, Lea, Flood 2014): the same numbers on every machine. */
#ifndef DEMO_RANDOM_H
#define DEMO_RANDOM_H

#include <stdint.h>

/* The finaliser: spreads every bit of x over the whole word. */
TM_WRAPS static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

TM_WRAPS static inline uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return random_mix(*state);
}

/* The number at this place of a series. */
TM_WRAPS static inline uint64_t random_at(uint64_t seed, uint64_t place)
{
    return random_mix(seed + random_mix(place + 1));
}

/* A whole number in low .. high, both included; the bias is below 2^-32. */
static inline int32_t random_range(uint64_t *state, int32_t low, int32_t high)
{
    uint64_t span = (uint64_t) (high - low) + 1;

    return low + (int32_t) (((random_next(state) >> 32) * span) >> 32);
}

#endif

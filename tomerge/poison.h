/* SPDX-License-Identifier: MIT */
/*
 * Gaps between the pieces of a workspace that AddressSanitizer watches, as it
 * watches those between variables: a piece that is written past its end is
 * then reported at once, and not when its neighbour turns out wrong. Without
 * the sanitizer there are no gaps, and nothing is done.
 */
#ifndef TOMERGE_POISON_H
#define TOMERGE_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define TM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TM_ASAN 1
#endif
#endif

#ifdef TM_ASAN
#include <sanitizer/asan_interface.h>
enum { TOMERGE_GAP = 64 };
#else
enum { TOMERGE_GAP = 0 };
#endif

/* Nobody may touch these bytes, whose end is a multiple of 8, until
 * tomerge_unpoison. */
static inline void tomerge_poison(void *at, size_t bytes)
{
#ifdef TM_ASAN
    __asan_poison_memory_region(at, bytes);
#else
    (void)at;
    (void)bytes;
#endif
}

static inline void tomerge_unpoison(void *at, size_t bytes)
{
#ifdef TM_ASAN
    __asan_unpoison_memory_region(at, bytes);
#else
    (void)at;
    (void)bytes;
#endif
}

#endif

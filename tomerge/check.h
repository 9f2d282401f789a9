/* SPDX-License-Identifier: MIT */
/*
 * What the public functions check before they touch anything, rows of views,
 * and workspaces.
 */
#ifndef TOMERGE_CHECK_H
#define TOMERGE_CHECK_H

#include "dsp.h"
#include "poison.h"
#include "tomerge.h"

/* Returns the error, and tells options->why what it is about. */
static inline int tomerge_refuse(const tomerge_options *options, int error,
                                 const char *what)
{
    if (error && options && options->why)
        *options->why = what;
    return error;
}

/* TOMERGE_ERANGE for more rows than an int32_t can number. */
int tomerge_check_rows(size_t rows);

/* A view of `rows` rows: EINVAL for no or misaligned data, no channels, or
 * overlapping rows; EOPTION for an unknown dtype; ERANGE if its extent is
 * more than memory can hold. With no rows nothing but the dtype counts. */
int tomerge_check_view(tomerge_const_view view, size_t rows, size_t channels);

/* Rows of `parts` parts, each part_stride elements after the one before: the
 * parts of one row, and the rows of one part, must both be views, and their
 * extents together fit into memory. EINVAL also for no parts. */
int tomerge_check_parts(tomerge_const_view view, size_t rows, size_t channels,
                        size_t parts, ptrdiff_t part_stride);

/* EINVAL if the rows of one are those of the other, be it only the first. */
int tomerge_check_apart(tomerge_const_view x, tomerge_const_view y,
                        size_t rows);

/* EINVAL unless every size is positive and finite. */
int tomerge_check_sizes(const float *size, size_t count);

/* EMAP unless every map entry is -1 or below `rows`. */
int tomerge_check_map(const int32_t *map, size_t tokens, size_t rows);

static inline size_t tomerge_element(int dtype)
{
    return dtype == TOMERGE_F32 ? 4 : 2;
}

/* Element `channel` of row `i`. */
static inline const void *tomerge_at(tomerge_const_view view, size_t i,
                                     size_t channel)
{
    return (const char *)view.data +
           ((ptrdiff_t)i * view.stride + (ptrdiff_t)channel) *
               (ptrdiff_t)tomerge_element(view.dtype);
}

static inline void *tomerge_at_mutable(tomerge_view view, size_t i,
                                       size_t channel)
{
    return (char *)view.data +
           ((ptrdiff_t)i * view.stride + (ptrdiff_t)channel) *
               (ptrdiff_t)tomerge_element(view.dtype);
}

/* n elements as f32: in place if they are, else converted into `scratch`. */
static inline const float *tomerge_load(const tomerge_dsp *dsp, int dtype,
                                        const void *from, size_t n,
                                        float *scratch)
{
    if (dtype == TOMERGE_F32)
        return from;
    (dtype == TOMERGE_BF16 ? dsp->load_bf16 : dsp->load_f16)(scratch, from, n);
    return scratch;
}

void tomerge_store(const tomerge_dsp *dsp, int dtype, void *to,
                   const float *from, size_t n);

/*
 * A workspace is carved in order into pieces aligned to 64 bytes. The size
 * query carves nothing (base 0) by the same code, so the two always agree;
 * the first 63 bytes may go to align a caller's pointer. What lies between the
 * pieces is poisoned (poison.h), so a public function that has carved calls
 * tomerge_unpoison on all of its workspace before it returns.
 */
typedef struct tomerge_arena {
    uintptr_t base;        /* 0: only count */
    size_t used;
    int overflow;
} tomerge_arena;

enum { TOMERGE_ALIGNMENT = 64 };

static inline tomerge_arena tomerge_arena_at(void *workspace)
{
    uintptr_t address = (uintptr_t)workspace;
    tomerge_arena arena = {0, 0, 0};

    if (workspace)
        arena.base = (address + TOMERGE_ALIGNMENT - 1) / TOMERGE_ALIGNMENT *
                     TOMERGE_ALIGNMENT;
    return arena;
}

static inline void *tomerge_take(tomerge_arena *arena, size_t count,
                                 size_t element)
{
    size_t used, bytes;
    char *piece;

    if (count > (PTRDIFF_MAX - TOMERGE_ALIGNMENT - TOMERGE_GAP) / element) {
        arena->overflow = 1;
        return NULL;
    }
    used = count * element;
    bytes = (used + TOMERGE_ALIGNMENT - 1) / TOMERGE_ALIGNMENT *
            TOMERGE_ALIGNMENT + TOMERGE_GAP;
    if (bytes > PTRDIFF_MAX - TOMERGE_ALIGNMENT - arena->used) {
        arena->overflow = 1;
        return NULL;
    }
    piece = arena->base ? (char *)(arena->base + arena->used) : NULL;
    arena->used += bytes;
    if (piece) { /* the memory may have been carved otherwise before */
        tomerge_unpoison(piece, used);
        tomerge_poison(piece + used, bytes - used);
    }
    return piece;
}

/* The bytes to ask the caller for, or ERANGE. */
int tomerge_arena_bytes(const tomerge_arena *arena, size_t *bytes);

/* `threads` parts, each rounded up to 64 bytes. */
int tomerge_parts_bytes(size_t part, int threads, size_t *bytes);

#endif

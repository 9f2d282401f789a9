/* SPDX-License-Identifier: MIT */
/* Argument checks, rows of views, workspaces: see check.h. */
#include "build.h"

#include "check.h"
#include "numeric.h"

#include <string.h>

/* ---- checks -------------------------------------------------------------- */

int tomerge_check_rows(size_t rows)
{
    return rows > INT32_MAX ? TOMERGE_ERANGE : 0;
}

/* How far apart the rows are; PTRDIFF_MIN has no opposite. */
static size_t distance(ptrdiff_t stride)
{
    return stride < 0 ? (size_t)-(stride + 1) + 1 : (size_t)stride;
}

int tomerge_check_view(tomerge_const_view view, size_t rows, size_t channels)
{
    size_t element, stride, limit;

    if (view.dtype < TOMERGE_F32 || view.dtype > TOMERGE_F16)
        return TOMERGE_EOPTION;
    if (rows == 0)
        return 0;
    element = tomerge_element(view.dtype);
    if (!view.data || (uintptr_t)view.data % element || channels == 0)
        return TOMERGE_EINVAL;
    stride = distance(view.stride);
    limit = PTRDIFF_MAX / element;
    if (channels > limit)
        return TOMERGE_ERANGE;
    if (rows == 1)
        return 0;
    if (stride < channels)
        return TOMERGE_EINVAL;
    return stride > (limit - channels) / (rows - 1) ? TOMERGE_ERANGE : 0;
}

/* Elements from the first to the last of `count` strides apart. */
static size_t extent(size_t count, ptrdiff_t stride)
{
    return count == 1 ? 0 : (count - 1) * distance(stride);
}

int tomerge_check_parts(tomerge_const_view view, size_t rows, size_t channels,
                        size_t parts, ptrdiff_t part_stride)
{
    tomerge_const_view part = {view.data, part_stride, view.dtype};
    size_t limit;
    int error = tomerge_check_view(view, rows, channels);

    if (!error && parts == 0)
        error = TOMERGE_EINVAL;
    if (error || rows == 0)
        return error;
    error = tomerge_check_view(part, parts, channels);
    if (error)
        return error;
    limit = PTRDIFF_MAX / tomerge_element(view.dtype) - channels;
    if (extent(rows, view.stride) > limit - extent(parts, part_stride))
        return TOMERGE_ERANGE;
    return 0;
}

int tomerge_check_apart(tomerge_const_view x, tomerge_const_view y,
                        size_t rows)
{
    return rows && x.data == y.data ? TOMERGE_EINVAL : 0;
}

int tomerge_check_sizes(const float *size, size_t count)
{
    for (size_t i = 0; i < count; i++) { /* as bits they lie in one range */
        uint32_t bits = tomerge_bits(size[i]);

        if (bits == 0 || bits >= TOMERGE_F32_INF)
            return TOMERGE_EINVAL;
    }
    return 0;
}

int tomerge_check_map(const int32_t *map, size_t tokens, size_t rows)
{
    for (size_t i = 0; i < tokens; i++)
        if (map[i] < -1 || (map[i] >= 0 && (size_t)map[i] >= rows))
            return TOMERGE_EMAP;
    return 0;
}

/* ---- rows ---------------------------------------------------------------- */

void tomerge_store(const tomerge_dsp *dsp, int dtype, void *to,
                   const float *from, size_t n)
{
    if (dtype == TOMERGE_F32)
        memcpy(to, from, n * sizeof(*from));
    else if (dtype == TOMERGE_BF16)
        dsp->store_bf16(to, from, n);
    else
        dsp->store_f16(to, from, n);
}

/* ---- workspaces ---------------------------------------------------------- */

int tomerge_arena_bytes(const tomerge_arena *arena, size_t *bytes)
{
    if (arena->overflow)
        return TOMERGE_ERANGE;
    *bytes = arena->used + TOMERGE_ALIGNMENT - 1;
    return 0;
}

int tomerge_parts_bytes(size_t part, int threads, size_t *bytes)
{
    if (part > PTRDIFF_MAX - TOMERGE_ALIGNMENT)
        return TOMERGE_ERANGE;
    part = (part + TOMERGE_ALIGNMENT - 1) / TOMERGE_ALIGNMENT *
           TOMERGE_ALIGNMENT;
    if (part > PTRDIFF_MAX / (size_t)threads)
        return TOMERGE_ERANGE;
    *bytes = part * (size_t)threads;
    return 0;
}

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
    stride = view.stride < 0 ? 0 - (size_t)view.stride : (size_t)view.stride;
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
    if (count == 1)
        return 0;
    return (count - 1) * (stride < 0 ? 0 - (size_t)stride : (size_t)stride);
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
    for (size_t i = 0; i < count; i++) /* as bits they lie in one range */
        if (tomerge_bits(size[i]) - 1 >= TOMERGE_F32_INF - 1)
            return TOMERGE_EINVAL;
    return 0;
}

int tomerge_check_map(const int32_t *map, size_t tokens, size_t rows)
{
    for (size_t i = 0; i < tokens; i++)
        if ((uint32_t)map[i] + 1 > rows) /* -1 becomes 0 */
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

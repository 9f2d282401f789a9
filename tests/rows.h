/* SPDX-License-Identifier: MIT */
/* Rows of any type and stride in guarded memory, and plans of any shape. */
#ifndef TOMERGE_TESTS_ROWS_H
#define TOMERGE_TESTS_ROWS_H

#include "guarded.h"
#include "planning.h"

#include "../tomerge/numeric.h"

static const int dtypes[] = {TOMERGE_F32, TOMERGE_BF16, TOMERGE_F16};

/* ---- rows of any type and stride ----------------------------------------- */

typedef struct rows {
    guarded memory;
    size_t count, channels;
    ptrdiff_t stride;
    int dtype;
    void *first;
} rows;

static inline size_t element(int dtype)
{
    return dtype == TOMERGE_F32 ? 4 : 2;
}

static inline rows new_rows(int dtype, size_t count, size_t channels,
                            ptrdiff_t stride)
{
    size_t step = (size_t)(stride < 0 ? -stride : stride);
    size_t before = stride < 0 ? (count - 1) * step : 0;
    rows r = {.count = count, .channels = channels, .stride = stride,
              .dtype = dtype};

    r.memory = guarded_new(((count - 1) * step + channels) * element(dtype));
    memset(r.memory.data, GUARD_BYTE,
           ((count - 1) * step + channels) * element(dtype));
    r.first = r.memory.data + before * element(dtype);
    return r;
}

static inline void *at(const rows *r, size_t i, size_t c)
{
    return (char *)r->first + ((ptrdiff_t)i * r->stride + (ptrdiff_t)c) *
                                  (ptrdiff_t)element(r->dtype);
}

static inline float get(const rows *r, size_t i, size_t c)
{
    uint16_t half;
    float value;

    if (r->dtype == TOMERGE_F32) {
        memcpy(&value, at(r, i, c), 4);
        return value;
    }
    memcpy(&half, at(r, i, c), 2);
    return r->dtype == TOMERGE_BF16 ? tomerge_from_bf16(half)
                                    : tomerge_from_f16(half);
}

static inline uint32_t stored(int dtype, float value)
{
    if (dtype == TOMERGE_F32)
        return tomerge_bits(value);
    return dtype == TOMERGE_BF16 ? tomerge_to_bf16(value)
                                 : tomerge_to_f16(value);
}

static inline void put(rows *r, size_t i, size_t c, float value)
{
    uint32_t bits = stored(r->dtype, value);
    uint16_t half = (uint16_t)bits;

    if (r->dtype == TOMERGE_F32)
        memcpy(at(r, i, c), &bits, 4);
    else
        memcpy(at(r, i, c), &half, 2);
}

/* Between the rows, too, nothing has been written. */
static inline void expect_gaps(const rows *r)
{
    size_t step = (size_t)(r->stride < 0 ? -r->stride : r->stride);
    size_t size = element(r->dtype);

    cr_assert(guarded_intact(&r->memory));
    for (size_t i = 0; i + 1 < r->count; i++)
        for (size_t b = (i * step + r->channels) * size;
             b < (i + 1) * step * size; b++)
            cr_assert_eq(r->memory.data[b], GUARD_BYTE);
}

static inline tomerge_const_view in(const rows *r)
{
    tomerge_const_view view = {r->first, r->stride, r->dtype};

    return view;
}

static inline tomerge_view out(const rows *r)
{
    tomerge_view view = {r->first, r->stride, r->dtype};

    return view;
}

static inline rows random_rows(int dtype, size_t count, size_t channels,
                        ptrdiff_t stride, uint64_t *state)
{
    rows r = new_rows(dtype, count, channels, stride);

    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < channels; c++)
            put(&r, i, c, random_float(state));
    return r;
}

/* ---- plans --------------------------------------------------------------- */

/* Any map at all: `count` rows, each with a token, some tokens dropped. */
static inline tomerge_plan random_plan(size_t tokens, size_t count,
                                       uint64_t *state)
{
    tomerge_plan plan = new_plan(tokens);

    plan.rows = count;
    for (size_t i = 0; i < tokens; i++)
        plan.map[i] = (int32_t)(i < count ? i
                                          : random_bits(state) % (count + 1));
    for (size_t i = 0; i < tokens; i++)
        if (plan.map[i] == (int32_t)count)
            plan.map[i] = -1;
    for (size_t i = tokens; i-- > 1;) {
        size_t j = random_bits(state) % (i + 1);
        int32_t moving = plan.map[i];

        plan.map[i] = plan.map[j];
        plan.map[j] = moving;
    }
    for (size_t i = 0; i < tokens; i++)
        if (plan.map[i] >= 0)
            plan.origin[plan.map[i]] = (int32_t)i;
    return plan;
}

#endif

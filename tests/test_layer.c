/* SPDX-License-Identifier: MIT */
/* One call a layer is the calls that it stands for, in place or not. */
#include "planning.h"
#include "tiers.h"

#include "../tomerge/numeric.h"

#include <string.h>

enum { T = 50, HEADS = 3, HEAD = 8, C = 24, MOST = T * C };

typedef struct buffers {
    unsigned char x[MOST * 4 + 64], y[MOST * 4 + 64];
    float keys[MOST], size[T], bias[T], importance[T];
    int32_t map[T], origin[T];
} buffers;

static void fill(buffers *b, int dtype, uint64_t *state)
{
    for (int i = 0; i < MOST; i++) {
        float value = random_float(state);

        b->keys[i] = random_whole(state, 3);
        if (dtype == TOMERGE_F32) {
            memcpy(b->x + i * 4, &value, 4);
        } else {
            uint16_t half = dtype == TOMERGE_BF16 ? tomerge_to_bf16(value)
                                                  : tomerge_to_f16(value);

            memcpy(b->x + i * 2, &half, 2);
        }
    }
    for (int i = 0; i < T; i++) {
        b->size[i] = (float)(1 + random_bits(state) % 3);
        b->importance[i] = random_float(state);
    }
    memset(b->y, 0x5a, sizeof(b->y));
}

static tomerge_sequence sequence_of(buffers *b, int dtype)
{
    tomerge_sequence s = {0};

    s.tokens = T;
    s.heads = HEADS;
    s.head_channels = HEAD;
    s.head_stride = HEAD;
    s.keys = view_f32(b->keys, C);
    s.channels = C;
    s.x = tomerge_view_of(b->x, C, dtype);
    s.size = b->size;
    s.bias = b->bias;
    s.map = b->map;
    s.origin = b->origin;
    return s;
}

static int layer(const tomerge_options *options, size_t r,
                 tomerge_sequence *s)
{
    size_t bytes;
    void *work;
    int error;

    cr_assert_eq(tomerge_layer_workspace(options, s, &bytes), 0);
    work = test_alloc(bytes);
    error = tomerge_layer(options, r, s, work, bytes);
    free(work);
    return error;
}

/* The four calls one by one, from b->x into b->y. */
static size_t by_hand(const tomerge_options *options, int combine, int dtype,
                      size_t r, buffers *b)
{
    float mean[T * HEAD], sums[T];
    tomerge_const_view x = tomerge_const_view_of(b->x, C, dtype);
    tomerge_plan plan;
    size_t rows;

    cr_assert_eq(tomerge_mean_heads(T, HEADS, HEAD, view_f32(b->keys, C), HEAD,
                                    view_f32_out(mean, HEAD)), 0);
    plan = match_f32(options, T, HEAD, mean, r);
    rows = plan.rows;
    merge_view(combine, &plan, C, x, b->size, tomerge_view_of(b->y, C, dtype),
               sums);
    memcpy(b->size, sums, rows * sizeof(*sums));
    cr_assert_eq(tomerge_size_bias(rows, sums, b->bias), 0);
    memcpy(b->map, plan.map, sizeof(b->map));
    memcpy(b->origin, plan.origin, rows * sizeof(int32_t));
    free_plan(&plan);
    return rows;
}

static void expect_same(const buffers *found, const unsigned char *rows,
                        const buffers *expected, size_t count, int dtype)
{
    size_t row = C * (dtype == TOMERGE_F32 ? 4 : 2);

    cr_assert_eq(memcmp(rows, expected->y, count * row), 0);
    cr_assert_eq(memcmp(found->size, expected->size, count * 4), 0);
    cr_assert_eq(memcmp(found->bias, expected->bias, count * 4), 0);
    cr_assert_eq(memcmp(found->map, expected->map, T * 4), 0);
    cr_assert_eq(memcmp(found->origin, expected->origin, count * 4), 0);
}

static void check(const tomerge_options *given, int combine, int dtype,
                  size_t r, uint64_t seed)
{
    static buffers start, expected, found, before;
    tomerge_options options = *given;
    tomerge_sequence s;
    size_t rows;

    fill(&start, dtype, &seed);
    options.importance = start.importance;
    expected = start;
    rows = by_hand(&options, combine, dtype, r, &expected);

    found = start;
    s = sequence_of(&found, dtype);
    s.combine = combine;
    cr_assert_eq(layer(&options, r, &s), 0);
    cr_assert_eq(s.tokens, rows);
    expect_same(&found, found.x, &expected, rows, dtype);

    found = start;
    s = sequence_of(&found, dtype);
    s.combine = combine;
    s.y = tomerge_view_of(found.y, C, dtype);
    before = found;
    cr_assert_eq(layer(&options, r, &s), 0);
    cr_assert_eq(s.tokens, rows);
    expect_same(&found, found.y, &expected, rows, dtype);
    cr_assert_eq(memcmp(found.x, before.x, sizeof(found.x)), 0);
}

TIER_TEST(layer, is_the_calls_it_stands_for)
{
    uint8_t role[T] = {0};
    uint64_t seed = 1;

    role[7] = TOMERGE_PADDING;
    role[8] = TOMERGE_DROPPED;
    role[20] = TOMERGE_PROTECTED;
    for (int method = 0; method < TOMERGE_GIVEN; method++) {
        for (int combine = 0; tomerge_combine_name(combine); combine++) {
            for (int dtype = TOMERGE_F32; dtype <= TOMERGE_F16; dtype++) {
                tomerge_options options = TOMERGE_OPTIONS_INIT;

                options.method = method;
                options.protect = 1;
                check(&options, combine, dtype, seed % 23, seed);
                options.order = TOMERGE_BY_POSITION;
                options.role = role;
                check(&options, combine, dtype, seed % 23, seed + 1);
                seed++;
            }
        }
    }
}

/* Twelve layers on one workspace, sized once. */
TIER_TEST(layer, runs_a_model)
{
    static buffers b;
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    uint64_t state = 8;
    tomerge_sequence s;
    float sum = 0;
    size_t bytes;
    void *work;

    fill(&b, TOMERGE_F32, &state);
    s = sequence_of(&b, TOMERGE_F32);
    s.map = s.origin = NULL;
    options.protect = 1;
    cr_assert_eq(tomerge_layer_workspace(&options, &s, &bytes), 0);
    work = test_alloc(bytes);
    for (int i = 0; i < T; i++)
        b.size[i] = 1;
    for (size_t l = 1; l <= 12; l++) {
        cr_assert_eq(tomerge_layer(&options, 3, &s, work, bytes), 0);
        cr_assert_eq(s.tokens, T - 3 * l);
        for (int i = 0; i < MOST; i++)
            b.keys[i] = random_float(&state);
    }
    for (size_t j = 0; j < s.tokens; j++)
        sum += b.size[j];
    cr_assert_eq(sum, T);
    s.tokens = 0;
    cr_assert_eq(tomerge_layer(&options, 3, &s, work, bytes), 0);
    cr_assert_eq(s.tokens, 0);
    free(work);
}

/* Strides, the metric itself as keys, and nothing but what is needed. */
TIER_TEST(layer, keys_may_be_any_metric)
{
    static buffers one, two;
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    uint64_t state = 9;
    tomerge_sequence s, t;

    fill(&one, TOMERGE_F32, &state);
    two = one;
    s = sequence_of(&one, TOMERGE_F32);
    s.heads = 1;
    s.head_channels = C;
    t = sequence_of(&two, TOMERGE_F32);
    t.heads = 1;
    t.head_channels = C - 4;
    t.keys.data = two.keys + 4;
    cr_assert_eq(layer(&options, 5, &s), 0);
    cr_assert_eq(layer(&options, 5, &t), 0);
    cr_assert_neq(memcmp(one.map, two.map, sizeof(one.map)), 0);
    memset(&s.keys, 0, sizeof(s.keys));
    s.heads = s.head_channels = 0;
    s.bias = NULL;
    options.method = TOMERGE_TOPK;
    options.importance = one.importance;
    cr_assert_eq(layer(&options, 5, &s), 0);
    cr_assert_eq(s.tokens, T - 10);
}

/* SPDX-License-Identifier: MIT */
/* MEGABYTE gives what its equations give, whole and byte by byte, on every
 * tier. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers.h"
#include "draws.h"
#include "golden.h"
#include "tiers.h"
#include "tomevit_bytes.h"

enum { VALUES = 256 };

static const char *const fixtures[] = {"relu", "swiglu", "gelu"};
enum { FIXTURES = sizeof(fixtures) / sizeof(*fixtures) };

/* A model, opened for the tier in use, and the pictures it is tried on. */
typedef struct bench {
    golden_file *file;
    tomevit_bytes *model;
    const tomevit_bytes_description *d;
    const uint8_t *bytes;
    size_t batch;
} bench;

static tomevit_bytes_options options_of(int dtype, int portable)
{
    tomevit_bytes_options options;

    tomevit_bytes_options_init(&options);
    options.dtype = dtype;
    options.portable = portable;
    return options;
}

static tomevit_bytes_options merging(size_t window, size_t group)
{
    tomevit_bytes_options options = options_of(TOMEVIT_F32, 0);

    options.window = window;
    options.group = group;
    return options;
}

static void open_bench(bench *b, const char *folder, const char *model,
                       const char *out, tomevit_bytes_options options)
{
    char *path = golden_path(folder, model);
    tomevit_message why = {""};
    const golden_tensor *bytes;

    cr_assert_eq(tomevit_bytes_open(path, &options, &b->model, &why), 0, "%s",
                 why.text);
    b->d = tomevit_bytes_describe(b->model);
    b->file = golden_open(folder, out);
    bytes = golden_get(b->file, "in.bytes");
    b->bytes = bytes->data;
    b->batch = bytes->shape[0];
    cr_assert_eq(bytes->shape[1], b->d->length);
    free(path);
}

static const char *fixture_folder(void)
{
    static char folder[1024];
    const char *srcdir = getenv("srcdir");

    snprintf(folder, sizeof(folder), "%s/tests/fixtures/bytes",
             srcdir && *srcdir ? srcdir : ".");
    return folder;
}

static void open_with(bench *b, const char *name,
                      tomevit_bytes_options options)
{
    char model[64], out[64];

    snprintf(model, sizeof(model), "%s.safetensors", name);
    snprintf(out, sizeof(out), "%s_out.safetensors", name);
    open_bench(b, fixture_folder(), model, out, options);
}

static void open_fixture(bench *b, const char *name, int dtype, int portable)
{
    open_with(b, name, options_of(dtype, portable));
}

static void close_bench(bench *b)
{
    tomevit_bytes_close(b->model);
    golden_close(b->file);
}

static float *floats(size_t count)
{
    float *x = malloc(count * sizeof(*x));

    cr_assert_not_null(x);
    return x;
}

static void forward(const bench *b, size_t batch, int threads,
                    const uint8_t *bytes, const tomevit_bytes_output *out)
{
    tomevit_bytes_context *context;

    cr_assert_eq(tomevit_bytes_context_create(b->model, batch, threads,
                                              &context), 0);
    cr_assert_eq(tomevit_bytes_forward(context, batch, bytes, out), 0);
    tomevit_bytes_context_free(context);
}

/* ---- what the equations give --------------------------------------------- */

/* `loose`: of a narrow type, that it is near. */
static void check_results(const bench *b, const char *name, int loose)
{
    size_t length = b->d->length, count = b->batch * length;
    const golden_tensor *of_some = golden_get(b->file, "out.logits");
    const float *expected = of_some->data;
    const float *of_all = golden_f32(b->file, "out.bits", count);
    float *logits = floats(count * VALUES), *bits = floats(count), most = 0.0f;
    tomevit_bytes_output out = {.logits = logits, .bits = bits};

    forward(b, b->batch, 1, b->bytes, &out);
    for (size_t i = 0; i < of_some->count; i++)
        most = fmaxf(most, fabsf(expected[i]));
    for (size_t i = 0; i < of_some->count; i++)
        cr_assert(fabsf(logits[i] - expected[i]) <=
                      (loose ? 0.1f : 1e-4f) * most,
                  "%s %s: logit %zu is %.7g, not %.7g", name,
                  tomevit_bytes_cpu(b->model), i, (double)logits[i],
                  (double)expected[i]);
    for (size_t i = 0; i < count; i++)
        cr_assert(fabsf(bits[i] - of_all[i]) <= (loose ? 1.0f : 1e-5f),
                  "%s %s: byte %zu is worth %.7g bits, not %.7g", name,
                  tomevit_bytes_cpu(b->model), i, (double)bits[i],
                  (double)of_all[i]);
    free(bits);
    free(logits);
}

static void check_fixtures(int dtype, int portable)
{
    for (size_t i = 0; i < FIXTURES; i++) {
        bench b;

        open_fixture(&b, fixtures[i], dtype, portable);
        check_results(&b, fixtures[i], dtype != TOMEVIT_F32);
        close_bench(&b);
    }
}

TIER_TEST(bytes, agree_with_the_equations)
{
    check_fixtures(TOMEVIT_F32, 0);
}

Test(bytes, portable_kernels_agree_with_the_equations)
{
    check_fixtures(TOMEVIT_F32, 1);
}

Test(bytes, are_near_in_bf16_and_int8)
{
    check_fixtures(TOMEVIT_BF16, 0);
    check_fixtures(TOMEVIT_INT8, 0);
}

TIER_TEST(bytes, agree_with_the_golden_data)
{
    static const char *const files[] = {"megabyte.safetensors",
                                        "megabyte_mobile.safetensors"};
    const char *shared = getenv("TOMERGE_SHARED");
    char folder[1024];

    snprintf(folder, sizeof(folder), "%s/golden-other/index.json",
             shared ? shared : "../shared");
    if (access(folder, R_OK) != 0)
        cr_skip_test("no golden-other in %s", shared ? shared : "../shared");
    *strrchr(folder, '/') = '\0';
    for (size_t i = 0; i < 2; i++) {
        bench b;

        open_bench(&b, folder, files[i], files[i],
                   options_of(TOMEVIT_F32, 0));
        check_results(&b, files[i], 0);
        close_bench(&b);
    }
}

/* ---- properties ---------------------------------------------------------- */

TIER_TEST(bytes, have_probabilities_that_sum_to_one)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;
        size_t rows;
        float *p, *bits;
        tomevit_bytes_output out;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 0);
        rows = b.batch * b.d->length;
        p = floats(rows * VALUES);
        bits = floats(rows);
        out = (tomevit_bytes_output){.probabilities = p, .bits = bits};
        forward(&b, b.batch, 1, b.bytes, &out);
        for (size_t i = 0; i < rows; i++) {
            double sum = 0.0;

            for (size_t k = 0; k < VALUES; k++)
                sum += (double)p[i * VALUES + k];
            cr_assert_float_eq(sum, 1.0, 1e-5);
            cr_assert_float_eq(
                -log2((double)p[i * VALUES + b.bytes[i]]), (double)bits[i],
                1e-4);
        }
        free(bits);
        free(p);
        close_bench(&b);
    }
}

/* A changed byte changes no logit of its own or of an earlier byte, and some
 * later one. */
TIER_TEST(bytes, see_only_what_came_before)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;
        size_t length;
        uint8_t *bytes;
        float *logits, *changed;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 0);
        length = b.d->length;
        bytes = malloc(length);
        logits = floats(length * VALUES);
        changed = floats(length * VALUES);
        memcpy(bytes, b.bytes, length);
        forward(&b, 1, 1, bytes, &(tomevit_bytes_output){.logits = logits});
        for (size_t i = 0; i < length; i++) {
            bytes[i] ^= 0x55;
            forward(&b, 1, 1, bytes,
                    &(tomevit_bytes_output){.logits = changed});
            bytes[i] ^= 0x55;
            cr_assert_arr_eq(changed, logits,
                             (i + 1) * VALUES * sizeof(*logits),
                             "%s: byte %zu is seen before it comes",
                             fixtures[f], i);
            cr_assert(i + 1 == length ||
                      memcmp(changed + (i + 1) * VALUES,
                             logits + (i + 1) * VALUES,
                             VALUES * sizeof(*logits)) != 0,
                      "%s: byte %zu is not seen", fixtures[f], i);
        }
        free(changed);
        free(logits);
        free(bytes);
        close_bench(&b);
    }
}

/* ---- byte by byte -------------------------------------------------------- */

/* Pictures of the bench's bytes, each turned by its number. */
static uint8_t *some_pictures(const bench *b, size_t count)
{
    size_t length = b->d->length;
    uint8_t *bytes = malloc(count * length);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < length; k++)
            bytes[i * length + k] = b->bytes[(k + 7 * i) %
                                             (b->batch * length)];
    return bytes;
}

static void step_through(const bench *b, size_t batch, int threads,
                         const uint8_t *bytes, const float *expected)
{
    size_t length = b->d->length;
    float *p = floats(batch * VALUES);
    uint8_t *before = malloc(batch);
    tomevit_bytes_context *context;

    cr_assert_eq(tomevit_bytes_context_create(b->model, batch, threads,
                                              &context), 0);
    /* Twice: what the first pictures left must not be seen by the next. */
    for (int turn = 0; turn < 2; turn++) {
        cr_assert_eq(tomevit_bytes_start(context, batch), 0);
        for (size_t t = 0; t < length; t++) {
            cr_assert_eq(tomevit_bytes_next(context, t ? before : NULL, p), 0);
            for (size_t i = 0; i < batch; i++) {
                cr_assert_arr_eq(p + i * VALUES,
                                 expected + (i * length + t) * VALUES,
                                 VALUES * sizeof(*p), "%s: byte %zu of "
                                 "picture %zu of %zu",
                                 tomevit_bytes_cpu(b->model), t, i, batch);
                before[i] = bytes[i * length + t];
            }
        }
        cr_assert_eq(tomevit_bytes_next(context, before, p), TOMEVIT_EINVAL);
    }
    tomevit_bytes_context_free(context);
    free(before);
    free(p);
}

/* Whole and byte by byte, alone and together, on one thread and more. */
static void check_steps(const bench *b)
{
    enum { COUNT = 19 };
    size_t length = b->d->length, one = length * VALUES;
    uint8_t *bytes = some_pictures(b, COUNT);
    float *p = floats(COUNT * one), *again = floats(COUNT * one);

    forward(b, COUNT, 1, bytes, &(tomevit_bytes_output){.probabilities = p});
    forward(b, COUNT, 3, bytes,
            &(tomevit_bytes_output){.probabilities = again});
    cr_assert_arr_eq(again, p, COUNT * one * sizeof(*p), "on three threads");
    forward(b, 1, 1, bytes + 5 * length,
            &(tomevit_bytes_output){.probabilities = again});
    cr_assert_arr_eq(again, p + 5 * one, one * sizeof(*p), "alone");
    /* Fewer pictures than threads, which then share the rows of each. */
    for (int threads = 2; threads <= 7; threads++) {
        size_t count = (size_t)threads - 1 < 3 ? (size_t)threads - 1 : 3;

        forward(b, count, threads, bytes + 5 * length,
                &(tomevit_bytes_output){.probabilities = again});
        cr_assert_arr_eq(again, p + 5 * one, count * one * sizeof(*p),
                         "%zu on %d threads", count, threads);
    }
    step_through(b, COUNT, 1, bytes, p);
    step_through(b, COUNT, 3, bytes, p);
    step_through(b, 1, 1, bytes + 5 * length, p + 5 * one);
    free(again);
    free(p);
    free(bytes);
}

TIER_TEST(bytes, come_one_by_one_with_the_same_bits)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 0);
        check_steps(&b);
        close_bench(&b);
    }
}

Test(bytes, come_one_by_one_with_the_same_bits_in_other_arithmetic)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 1);
        check_steps(&b);
        close_bench(&b);
        open_fixture(&b, fixtures[f], TOMEVIT_BF16, 0);
        check_steps(&b);
        close_bench(&b);
        open_fixture(&b, fixtures[f], TOMEVIT_INT8, 0);
        check_steps(&b);
        close_bench(&b);
    }
}

/* ---- a model of many rows ------------------------------------------------ */

static void open_demonstration(bench *b, int dtype)
{
    const char *srcdir = getenv("srcdir");
    char path[1024];
    tomevit_bytes_options options = options_of(dtype, 0);
    tomevit_message why = {""};

    snprintf(path, sizeof(path), "%s/data/density.safetensors",
             srcdir && *srcdir ? srcdir : ".");
    cr_assert_eq(tomevit_bytes_open(path, &options, &b->model, &why), 0, "%s",
                 why.text);
    b->d = tomevit_bytes_describe(b->model);
}

/* Bits a byte of two pictures of plain gradients. */
static double demonstration_bits(int dtype)
{
    enum { COUNT = 2 };
    bench b;
    double sum = 0.0;

    open_demonstration(&b, dtype);
    size_t all = COUNT * b.d->length;
    uint8_t *bytes = malloc(all);
    float *bits = floats(all);
    for (size_t i = 0; i < all; i++)
        bytes[i] = (uint8_t)(i % 3 * 40 + i / 24 % 128);
    forward(&b, COUNT, 1, bytes, &(tomevit_bytes_output){.bits = bits});
    for (size_t i = 0; i < all; i++)
        sum += (double)bits[i];
    free(bits);
    free(bytes);
    tomevit_bytes_close(b.model);
    return sum / (double)all;
}

static void check_demonstration(const char *tier)
{
    double f32 = demonstration_bits(TOMEVIT_F32);
    double bf16 = demonstration_bits(TOMEVIT_BF16);
    double int8 = demonstration_bits(TOMEVIT_INT8);

    cr_assert_float_eq(bf16, f32, 0.01 * f32, "%s: bf16 %g, f32 %g", tier,
                       bf16, f32);
    cr_assert_float_eq(int8, f32, 0.05 * f32, "%s: int8 %g, f32 %g", tier,
                       int8, f32);
}

/* Its pictures have more rows than products take at once, in any type. */
Test(bytes, of_the_demonstration_are_near_in_bf16_and_int8)
{
    each_cpu_tier(check_demonstration);
}

/* ---- merging in the past ------------------------------------------------- */

static void bits_agree(const bench *b, const float *expected, float within,
                       const char *what)
{
    size_t count = b->batch * b->d->length;
    float *bits = floats(count);

    forward(b, b->batch, 1, b->bytes, &(tomevit_bytes_output){.bits = bits});
    for (size_t i = 0; i < count; i++)
        cr_assert(fabsf(bits[i] - expected[i]) <= within,
                  "%s %s: byte %zu is worth %.7g bits, not %.7g", what,
                  tomevit_bytes_cpu(b->model), i, (double)bits[i],
                  (double)expected[i]);
    free(bits);
}

TIER_TEST(bytes, merge_in_the_past_as_the_equations_say)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        size_t window = f < 2 ? 2 : 4;
        char key[32];
        bench b;

        open_with(&b, fixtures[f], merging(window, 2));
        snprintf(key, sizeof(key), "out.bits_window_%zu", window);
        bits_agree(&b, golden_f32(b.file, key, b.batch * b.d->length), 2e-5f,
                   fixtures[f]);
        check_steps(&b);
        close_bench(&b);
    }
}

/* Groups of one are no merging, nor are windows that nothing leaves. */
TIER_TEST(bytes, are_what_they_were_where_nothing_merges)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;

        for (size_t window = 1; window <= 20; window++) {
            open_with(&b, fixtures[f], merging(window, 1));
            bits_agree(&b, golden_f32(b.file, "out.bits",
                                      b.batch * b.d->length), 2e-5f,
                       fixtures[f]);
            close_bench(&b);
        }
        open_with(&b, fixtures[f], merging(64, 4));
        bits_agree(&b, golden_f32(b.file, "out.bits",
                                  b.batch * b.d->length), 1e-5f, fixtures[f]);
        close_bench(&b);
    }
}

/* Several rounds, windows that are no whole number, every part of a picture. */
Test(bytes, merge_with_the_same_bits_byte_by_byte)
{
    static const size_t ways[][2] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {6, 2},
                                     {8, 4}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        bench b;
        double macs, less;

        open_with(&b, "gelu", merging(ways[i][0], ways[i][1]));
        check_steps(&b);
        less = tomevit_bytes_macs(b.model);
        close_bench(&b);
        open_fixture(&b, "gelu", TOMEVIT_F32, 0);
        macs = tomevit_bytes_macs(b.model);
        close_bench(&b);
        cr_assert(ways[i][1] > 1 && 2 * ways[i][0] < 16 ? less < macs
                                                        : less == macs);
    }
}

/* A hash of the probabilities, computed once: portable kernels are to give the
 * same bits wherever this runs. */
Test(bytes, portable_kernels_give_these_bits)
{
    static const uint64_t expected[] = {
        UINT64_C(0x04f8811b02354c8a), UINT64_C(0x76d7931049c32ccc),
        UINT64_C(0x18647adcf1293041)};

    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;
        uint64_t hash = hash_basis;
        size_t count;
        float *p;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 1);
        count = b.batch * b.d->length * VALUES;
        p = floats(count);
        forward(&b, b.batch, 1, b.bytes,
                &(tomevit_bytes_output){.probabilities = p});
        for (size_t i = 0; i < count; i++) {
            uint32_t bits;

            memcpy(&bits, &p[i], sizeof(bits));
            hash = hash_more(hash, bits);
        }
        cr_expect_eq(hash, expected[f], "%s: 0x%016llx", fixtures[f],
                     (unsigned long long)hash);
        free(p);
        close_bench(&b);
    }
}

/* ---- pixels -------------------------------------------------------------- */

Test(bytes, are_in_the_order_of_the_scan)
{
    for (size_t f = 0; f < FIXTURES; f++) {
        bench b;
        const uint8_t *pixels;
        uint8_t *bytes, *back;

        open_fixture(&b, fixtures[f], TOMEVIT_F32, 0);
        pixels = golden_get(b.file, "in.pixels")->data;
        bytes = malloc(b.d->length);
        back = malloc(b.d->length);
        for (size_t i = 0; i < b.batch; i++) {
            const uint8_t *picture = pixels + i * b.d->length;

            cr_assert_eq(tomevit_bytes_order(b.model, picture, bytes), 0);
            cr_assert_arr_eq(bytes, b.bytes + i * b.d->length, b.d->length,
                             "%s", fixtures[f]);
            cr_assert_eq(tomevit_bytes_pixels(b.model, bytes, back), 0);
            cr_assert_arr_eq(back, picture, b.d->length, "%s", fixtures[f]);
        }
        free(back);
        free(bytes);
        close_bench(&b);
    }
}

/* ---- refusals ------------------------------------------------------------ */

/* A copy of the first fixture, `from` replaced by `to` of the same length; the
 * line that refuses it must have `expected`. */
static void refuses(const char *from, const char *to, const char *expected)
{
    static const char copy[] = "test_bytes.safetensors";
    char *path = golden_path(fixture_folder(), "relu.safetensors");
    FILE *file = fopen(path, "rb");
    static char text[1 << 16];
    size_t count = fread(text, 1, sizeof(text), file), at = 0;
    tomevit_bytes *model = NULL;
    tomevit_message why;

    fclose(file);
    cr_assert_eq(strlen(from), strlen(to));
    while (at + strlen(from) < count && memcmp(text + at, from, strlen(from)))
        at++;
    cr_assert(at + strlen(from) < count, "no %s", from);
    memcpy(text + at, to, strlen(to));
    file = fopen(copy, "wb");
    cr_assert_eq(fwrite(text, 1, count, file), count);
    fclose(file);
    cr_expect_eq(tomevit_bytes_open(copy, NULL, &model, &why), TOMEVIT_EMODEL,
                 "%s", to);
    cr_expect_null(model);
    cr_expect_not_null(strstr(why.text, expected), "%s: %s", to, why.text);
    unlink(copy);
    free(path);
}

Test(bytes, refuse_what_is_another_model)
{
    refuses("\"patch\\\": 12", "\"patch\\\": 13", "global_pos");
    refuses("\"patch\\\": 12", "\"pitch\\\": 12", "\"patch\"");
    refuses("\"patches\\\": 6", "\"patches\\\": 0", "\"patches\"");
    refuses("\"vocab\\\": 256", "\"vocab\\\": 255", "\"vocab\" 256");
    refuses("\"channels\\\": 3", "\"channels\\\": 1", "\"channels\" 3");
    refuses("\"dl\\\": 12", "\"dl\\\": 16", "\"dl\" 12");
    refuses("\"dg\\\": 1", "\"dg\\\": 2", "\"dg\" 1");
    refuses("\"global_layers\\\": 2", "\"global_layers\\\": 1",
            "\"global_layers\" 2");
    refuses("\"global_heads\\\": 3", "\"global_heads\\\": 5", "divide");
    refuses("\"local_heads\\\": 2", "\"local_heads\\\": 9", "divide");
    refuses("\"mlp\\\": \\\"relu\\\"", "\"mlp\\\": \\\"silu\\\"", "silu");
    refuses("\"mlp\\\": \\\"relu\\\"", "\"mlq\\\": \\\"relu\\\"", "found none");
    refuses("\"kind\\\":", "\"king\\\":", "\"king\" cannot be done here");
    refuses("\"height\\\": 6", "\"height\\\": 5", "5 x 4");
    refuses("model.global_pad", "model.global_bad", "global_pad");
    refuses("model.global_embed.weight", "model.global_embed.height",
            "global_embed.weight");
    refuses("model.global_embed.weight", "model.xx_start_tokens.0.w",
            "MEGABYTE-pytorch");
    refuses("model.local_model.blocks.1.attn.o.weight",
            "model.local_model.blocks.1.attn.o.height", "attn.o.weight");
}

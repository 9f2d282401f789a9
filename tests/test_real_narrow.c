/* SPDX-License-Identifier: MIT */
/*
 * What bf16 and int8 cost in accuracy: 500 real images, real weights, beside
 * the first classes of the reference implementation in f32, which our f32
 * meets (test_real_folder.c).
 *
 * Without merging the counts are held to points of top-1. With merging most
 * images have two tokens so alike that any rounding makes another of them
 * merge, which changes the first class of one image in twenty, to the better
 * or to the worse: the difference of two counts of 500 then says little. What
 * is held there is that the worse do not outweigh the better beyond the same
 * limit by more than chance does, and how many change at all.
 */
#include "config.h"

#include "golden.h"

#include "../src/base/message.h"
#include "../src/evaluation/dataset.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { IMAGES = 500, RUNS = 2 };

static const struct {
    const char *r, *reference;
} runs[RUNS] = {{"0", "top5_r0.safetensors"}, {"13", "top5_r13.safetensors"}};

typedef struct limits {
    int dtype;
    double points;         /* top-1 below f32's */
    size_t agree[RUNS];    /* images with f32's first class */
} limits;

/* Paired counts of one run. */
typedef struct counts {
    const int32_t *reference; /* [IMAGES, 5] */
    size_t seen, agree, better, worse;
} counts;

typedef struct paired {
    const json_t *files, *labels;
    counts run[RUNS];
} paired;

static void seen(void *data, size_t run, const folder_file *file,
                 const top_class *top)
{
    paired *p = data;
    counts *c = &p->run[run];
    size_t i = c->seen++;
    int32_t label, want;

    cr_assert_lt(i, (size_t)IMAGES);
    cr_assert_str_eq(file->name,
                     json_string_value(json_array_get(p->files, i)));
    label = (int32_t)json_integer_value(json_array_get(p->labels, i));
    want = c->reference[i * 5];
    c->agree += top[0].index == want;
    c->better += top[0].index == label && want != label;
    c->worse += top[0].index != label && want == label;
}

static void hold(const limits *l, size_t run, const counts *c)
{
    const char *type = tomevit_dtype_name(l->dtype);
    double drop = (double)c->worse - (double)c->better;
    double chance = run > 0 ? 2 * sqrt((double)(c->worse + c->better)) : 0;

    cr_log_info("%s, r=%s: top-1 %+.2f points, %zu better, %zu worse, %zu of "
                "%d agree", type, runs[run].r, -100 * drop / IMAGES, c->better,
                c->worse, c->agree, IMAGES);
    cr_assert_eq(c->seen, (size_t)IMAGES);
    cr_expect_leq(drop, l->points / 100 * IMAGES + chance + 1e-9,
                  "%s, r=%s: %zu better, %zu worse", type, runs[run].r,
                  c->better, c->worse);
    cr_expect_geq(c->agree, l->agree[run], "%s, r=%s: only %zu of %d agree",
                  type, runs[run].r, c->agree, IMAGES);
}

static void check(const limits *l)
{
    const char *real = golden_real_folder(), *data = golden_data_folder();
    golden_file *reference[RUNS];
    paired p = {0};
    json_t *index;
    options o;
    session s;
    dataset d;
    outcomes e;
    char why[ARGS_WHY], *images, *model;

    if (!real || !data)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    index = golden_index(real);
    p.files = json_object_get(index, "files");
    p.labels = json_object_get(index, "labels");
    cr_assert_eq(json_array_size(p.files), (size_t)IMAGES);
    cr_assert_eq(json_array_size(p.labels), (size_t)IMAGES);
    for (size_t i = 0; i < RUNS; i++) {
        reference[i] = golden_open(real, runs[i].reference);
        p.run[i].reference = golden_i32(reference[i], "classes", IMAGES * 5);
    }

    options_init(&o);
    images = golden_path(data, "imagenet-sample");
    model = golden_path(data,
                        "weights/vit_tiny_patch16_224.augreg.safetensors");
    o.model = model;
    o.operands = &images;
    o.operand_count = 1;
    o.quiet = 1;
    o.dtype = l->dtype;
    cr_assert_eq(merging_parse_r_list("0,13", &o.merging, why), 0, "%s", why);
    cr_assert_eq(session_open(&s, &o), 0);
    cr_assert_eq(dataset_open(&d, &s), 0);
    cr_assert_eq(dataset_evaluate(&d, &s, 1, &e, seen, &p), 0);
    cr_expect_eq(message_status(), STATUS_DONE);
    for (size_t i = 0; i < RUNS; i++) {
        hold(l, i, &p.run[i]);
        golden_close(reference[i]);
    }

    outcomes_free(&e);
    dataset_close(&d);
    session_close(&s);
    free(model);
    options_free(&o);
    free(images);
    json_decref(index);
}

/* Sanitizers and scalar kernels would take minutes. */
static void skip_if_slow(void)
{
    const char *sanitized = getenv("SANITIZED");

    if (tomerge_cpu_flags() == 0 || (sanitized && *sanitized))
        cr_skip_test("too slow with sanitizers or scalar kernels");
}

Test(real_narrow, bf16)
{
    skip_if_slow();
    check(&(limits){TOMEVIT_BF16, 0.2, {497, 475}});
}

Test(real_narrow, int8)
{
    skip_if_slow();
    check(&(limits){TOMEVIT_INT8, 0.6, {485, 460}});
}

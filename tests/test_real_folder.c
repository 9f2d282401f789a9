/* SPDX-License-Identifier: MIT */
/* The whole way from files to accuracy, on real images with real weights:
 * for each of the reference's ten schedules, top-1 accuracy within 0.2 points
 * and the same first class on at least 99.4 % of the images. */
#include "config.h"

#include "golden.h"

#include "../src/base/message.h"
#include "../src/evaluation/dataset.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *tag, *r;
} schedules[] = {
    {"r0", "0"}, {"r2", "2"}, {"r4", "4"}, {"r8", "8"}, {"r12", "12"},
    {"r13", "13"}, {"r16", "16"}, {"r20", "20"}, {"r8dec", "8:-1"},
    {"r13dec", "13:-1"}
};
enum { SCHEDULES = sizeof(schedules) / sizeof(schedules[0]), IMAGES = 500 };

/* First classes by schedule and by place in the reference's list of files. */
typedef struct firsts {
    const json_t *files;
    size_t counted[SCHEDULES];
    int32_t first[SCHEDULES][IMAGES];
} firsts;

static void seen(void *data, size_t run, const folder_file *file,
                 const top_class *top)
{
    firsts *f = data;

    /* Both lists are sorted, so that images come in the reference's order. */
    size_t i = f->counted[run]++;
    cr_assert_lt(i, (size_t)IMAGES);
    cr_assert_str_eq(file->name,
                     json_string_value(json_array_get(f->files, i)));
    f->first[run][i] = top[0].index;
}

/* Run `run` was under schedule `schedule`. */
static void compare(const char *real, const json_t *index,
                    const dataset *d, const session *s, const outcomes *e,
                    const firsts *f, size_t run,
                    size_t schedule)
{
    const json_t *row = json_array_get(json_object_get(index, "accuracy"),
                                       schedule);
    const char *tag = schedules[schedule].tag;
    char name[64];
    size_t agree = 0;

    cr_assert_str_eq(golden_string(row, "tag"), tag);
    snprintf(name, sizeof(name), "top5_%s.safetensors", tag);
    golden_file *file = golden_open(real, name);
    const int32_t *want = golden_i32(file, "classes", IMAGES * 5);
    for (size_t i = 0; i < IMAGES; i++)
        agree += f->first[run][i] == want[i * 5];
    double top1 = 100.0 * (double)dataset_tally(d, s, e, run).correct1 / IMAGES;
    double top1_want = json_number_value(json_object_get(row, "top1"));
    cr_log_info("%s: top-1 %.2f, reference %.2f, %zu of %d agree",
                tag, top1, top1_want, agree, IMAGES);
    cr_expect_leq(fabs(top1 - top1_want), 0.2 + 1e-5, "%s: top-1 %.2f, "
                  "reference %.2f", tag, top1, top1_want);
    cr_expect_geq(agree, 497, "%s: only %zu of %d agree", tag,
                  agree, IMAGES);
    golden_close(file);
}

/* Sanitizers and scalar kernels are slow: there r = 8 stands for all. */
static int slow(void)
{
    const char *sanitized = getenv("SANITIZED");
    return tomerge_cpu_flags() == 0 || (sanitized && *sanitized);
}

Test(real_folder, ten_schedules)
{
    size_t from = slow() ? 3 : 0, to = slow() ? 4 : SCHEDULES;
    const char *real = golden_real_folder(), *data = golden_data_folder();
    static firsts f;
    options o;
    session s;
    dataset d;
    outcomes e;
    char list[128] = "", why[ARGS_WHY];

    if (!real || !data)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    json_t *index = golden_index(real);
    f.files = json_object_get(index, "files");
    cr_assert_eq(json_array_size(f.files), IMAGES);

    char *model = golden_path(data,
        "weights/vit_tiny_patch16_224.augreg.safetensors");
    char *images = golden_path(data, "imagenet-sample");
    options_init(&o);
    o.model = model;
    o.operands = &images;
    o.operand_count = 1;
    o.quiet = 1;
    for (size_t i = from; i < to; i++) {
        strcat(list, i > from ? "," : "");
        strcat(list, schedules[i].r);
    }
    cr_assert_eq(merging_parse_r_list(list, &o.merging, why), 0, "%s", why);
    cr_assert_eq(session_open(&s, &o), 0);
    cr_assert_eq(dataset_open(&d, &s), 0);
    cr_assert_eq(dataset_evaluate(&d, &s, 1, &e, seen, &f), 0);
    cr_assert_eq(e.images, IMAGES);
    cr_expect_eq(e.refused_count, 0);
    cr_expect_eq(message_status(), STATUS_DONE);
    for (size_t i = from; i < to; i++)
        compare(real, index, &d, &s, &e, &f, i - from, i);

    outcomes_free(&e);
    dataset_close(&d);
    session_close(&s);
    options_free(&o);
    free(model);
    free(images);
    json_decref(index);
}

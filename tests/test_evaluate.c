/* SPDX-License-Identifier: MIT */
/* What is found already is told as if it were found now; parts of a folder. */
#include "config.h"

#include "../src/evaluation/evaluate.h"
#include "../src/evaluation/join.h"

#include <criterion/criterion.h>
#include <string.h>

enum { FILES = 3, RUNS = 2, TOPK = OUTCOME_TOP + 4 };

typedef struct told {
    size_t calls;
    size_t run[FILES * RUNS];
    const folder_file *file[FILES * RUNS];
    top_class top[FILES * RUNS][TOPK];
} told;

static void seen(void *data, size_t run, const folder_file *file,
                 const top_class *top)
{
    told *t = data;

    cr_assert_lt(t->calls, FILES * RUNS);
    t->run[t->calls] = run;
    t->file[t->calls] = file;
    memcpy(t->top[t->calls++], top, TOPK * sizeof(*top));
}

/* All of `topk` entries, though fewer are known. */
Test(evaluate, what_is_told_has_topk_entries)
{
    char names[FILES][2] = {"a", "b", "c"};
    folder_file files[FILES];
    folder list = {.files = files, .count = FILES};
    told t;
    evaluate_request r = {
        .files = &list, .to = FILES, .run_count = RUNS, .topk = TOPK,
        .seen = seen, .data = &t
    };
    outcomes o;

    memset(&t, 0, sizeof(t));
    memset(files, 0, sizeof(files));
    outcomes_begin(&o, RUNS, 1, 0);
    for (size_t i = 0; i < FILES; i++) {
        files[i].path = files[i].name = names[i];
        outcome *said = outcomes_add_image(&o, i);
        for (size_t run = 0; run < RUNS; run++)
            for (size_t k = 0; k < OUTCOME_TOP; k++) {
                said[run].index[k] = (int32_t)(100 * i + 10 * run + k);
                said[run].probability[k] = 0.125f;
            }
    }
    evaluate_retell(&r, &o);
    cr_assert_eq(t.calls, FILES * RUNS);
    for (size_t i = 0; i < t.calls; i++) {
        size_t file = i / RUNS, run = i % RUNS;
        cr_expect_eq(t.run[i], run);
        cr_expect_eq(t.file[i], &files[file]);
        for (size_t k = 0; k < TOPK; k++) {
            int known = k < OUTCOME_TOP;
            cr_expect_eq(t.top[i][k].index, known
                         ? (int32_t)(100 * file + 10 * run + k) : -1);
            cr_expect_eq(t.top[i][k].probability, known ? 0.125 : 0);
        }
    }
    outcomes_free(&o);
}

/* One after the other, as even as can be, and all of them. */
Test(join, parts_are_all_files)
{
    static const size_t counts[] = {0, 1, 2, 7, 50000, 1281167, 999999999};
    static const size_t numbers[] = {1, 2, 3, 7, 1000, 1000000};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            size_t count = counts[c], n = numbers[i], at = 0;
            for (size_t k = 1; k <= n; k++) {
                size_t from, to;
                join_part(count, (options_part){k, n}, &from, &to);
                cr_assert_eq(from, at, "%zu/%zu of %zu", k, n, count);
                cr_assert_geq(to - from, count / n);
                cr_assert_leq(to - from, (count + n - 1) / n);
                at = to;
            }
            cr_assert_eq(at, count);
        }
    size_t from, to;
    join_part(17, (options_part){0, 0}, &from, &to);
    cr_expect(from == 0 && to == 17, "no part is all");
}

/* A journal's part is what --part takes: beyond it products would wrap. */
Test(join, what_a_journal_says_is_a_part_or_refused)
{
    static const struct {
        const char *text;
        int is;
    } parts[] = {
        {"2/3", 1}, {"1000000/1000000", 1}, {"0/3", 0}, {"4/3", 0},
        {"2/3 ", 0}, {"2", 0}, {"-2/3", 0}, {"-5/-3", 0}, {"3/1000001", 0},
        {"18446744073709551614/18446744073709551615", 0},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        json_t *settings = json_pack("{s:s}", "--part", parts[i].text);
        range r = {.path = "journal"};
        cr_expect_eq(join_part_of(settings, 17, &r), parts[i].is ? 0 : -1,
                     "%s", parts[i].text);
        cr_expect(r.from <= r.to && r.to <= 17, "%s", parts[i].text);
        json_decref(settings);
    }
}

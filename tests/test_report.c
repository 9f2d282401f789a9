/* SPDX-License-Identifier: MIT */
/* Tables, lists and CSV from one description; fields that need quoting;
 * progress lines; the most probable classes; predictions. */
#include "config.h"

#include "../src/base/output.h"
#include "../src/base/printable.h"
#include "../src/base/progress.h"
#include "../src/base/report.h"
#include "../src/evaluation/predictions.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static char *text;
static size_t size;

static FILE *start(void)
{
    return open_memstream(&text, &size);
}

static void expect(FILE *out, const char *expected)
{
    fclose(out);
    cr_expect_str_eq(text, expected, "got:\n%s", text);
    free(text);
}

static const report_column columns[] = {
    {"schedule", "r", NULL},
    {"seconds.wall", "seconds", "%.2f"},
    {"hidden", NULL, NULL},
    {"absent", "absent", NULL},
    {"list", "list", NULL}
};

static json_t *rows(void)
{
    return json_pack("[{s:s,s:{s:f},s:i,s:[i,i]},{s:s,s:{s:n},s:b,s:i}]",
                     "schedule", "13:-1", "seconds", "wall", 1.23456, "hidden",
                     3, "list", 4, 55, "schedule", "a,\"b\"", "seconds", "wall",
                     "hidden", 1, "list", 7);
}

Test(report, table_lines_up_what_there_is)
{
    json_t *array = rows();
    FILE *out = start();

    report_table(out, columns, 5, array, NULL);
    expect(out, "r      seconds  list\n"
                "13:-1     1.23  4 55\n"
                "a,\"b\"              7\n");
    json_decref(array);
}

/* A mean has its least and most beside it where they differ, but not in CSV. */
Test(report, means_say_what_they_are_of)
{
    static const report_column of[] = {
        {"gmacs", "GMACs", "%.2f"}, {"tokens_left", "tokens", "%.1f"}
    };
    json_t *array = json_pack("[{s:f,s:f,s:f,s:i,s:i,s:i},"
                              "{s:f,s:f,s:f,s:f,s:i,s:i}]",
        "gmacs", 2.5, "gmacs_least", 2.5, "gmacs_most", 2.5,
        "tokens_left", 9, "tokens_least", 9, "tokens_most", 9,
        "gmacs", 2.5, "gmacs_least", 2.0, "gmacs_most", 3.0,
        "tokens_left", 8.5, "tokens_least", 8, "tokens_most", 9);
    FILE *out = start();

    report_table(out, of, 2, array, NULL);
    expect(out, "GMACs                      tokens\n"
                "2.50                            9\n"
                "2.50 (2.00 to 3.00)  8.5 (8 to 9)\n");
    out = start();
    report_csv(out, of, 2, array);
    expect(out, "gmacs,tokens_left\n2.5,9\n2.5,8.5\n");
    json_decref(array);
}

Test(report, list_leaves_out_what_is_not_there)
{
    json_t *array = rows();
    FILE *out = start();

    report_list(out, columns, 5, json_array_get(array, 0));
    expect(out, "r        13:-1\nseconds  1.23\nlist     4 55\n");
    json_decref(array);
}

Test(report, long_values_go_on_below)
{
    static const report_column one[] = {{"a", "heading", NULL}};
    /* 71 letters fit beside the heading, 72 do not; long words stay whole. */
    json_t *row = json_pack("{s:s}", "a",
        "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
        "01234 0123456789 0123456789 0123456789 0123456789 0123456789 "
        "0123456789 012345 "
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789 end");
    FILE *out = start();

    report_list(out, one, 1, row);
    expect(out, "heading  0123456789 0123456789 0123456789 0123456789 "
           "0123456789 0123456789 01234\n"
           "         0123456789 0123456789 0123456789 0123456789 0123456789 "
           "0123456789\n         012345\n         "
           "0123456789012345678901234567890123456789012345678901234567890123456"
           "7890123456789\n         end\n");
    json_decref(row);
}

Test(report, intervals_have_a_dash)
{
    static const report_column interval[] = {{"i", "95 %", "%.1f"}};
    json_t *array = json_pack("[{s:{s:f,s:f}},{s:n},{s:{}}]", "i", "low",
                              7.04, "high", 10.0, "i", "i");
    FILE *out = start();

    report_table(out, interval, 1, array, NULL);
    expect(out, "95 %\n7.0-10.0\n\n\n");
    json_decref(array);
}

Test(report, csv_has_every_column_and_quotes)
{
    json_t *array = rows();
    FILE *out = start();

    report_csv(out, columns, 5, array);
    expect(out, "schedule,seconds.wall,hidden,absent,list\n"
                "13:-1,1.23456,3,,4 55\n"
                "\"a,\"\"b\"\"\",,yes,,7\n");
    json_decref(array);
}

Test(report, json_numbers_are_short)
{
    json_t *object = json_pack("{s:f}", "top1", 81.4);
    FILE *out = start();

    report_json_line(out, object);
    expect(out, "{\"top1\":81.4}\n");
    json_decref(object);
}

Test(report, csv_fields)
{
    static const char *const cases[][2] = {
        {"plain.png", "plain.png"}, {"", ""}, {"a b", "a b"},
        {"a,b", "\"a,b\""}, {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"two\nlines", "\"two\nlines\""}, {"cr\r", "\"cr\r\""},
        {" lead", "\" lead\""}, {"trail ", "\"trail \""}
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *out = start();
        output_csv_field(out, cases[i][0]);
        expect(out, cases[i][1]);
    }
}

Test(progress, fits_a_terminal)
{
    char line[80];

    progress_line(50, 200, 5, 81.25, line);
    cr_expect_str_eq(line,
                     "50/200  10.0 images/s  top-1 81.25 %  15 s left");
    progress_line(0, 200, 0, -1, line);
    cr_expect_str_eq(line, "0/200  0.0 images/s  - left");
    progress_line(1000000, 10000000, 1e5, 100, line);
    cr_expect_not_null(strstr(line, "250:00:00 left"));
    progress_line(SIZE_MAX / 4 + 1, SIZE_MAX / 2 + 1, 1e-9, 100, line);
    cr_expect_leq(strlen(line), 79);
}

Test(top, largest_first_then_lowest_index)
{
    const float logits[] = {1, 3, NAN, 3, 2, -INFINITY};
    top_class top[8];
    double sum = 0;

    top_select(logits, 6, 8, top);
    static const int32_t order[] = {1, 3, 4, 0, 2, 5, -1, -1};
    for (int i = 0; i < 8; i++) {
        cr_expect_eq(top[i].index, order[i], "%d: %d", i, top[i].index);
        sum += top[i].probability;
    }
    cr_expect_float_eq(sum, 1, 1e-12);
    cr_expect_float_eq(top[0].probability / top[2].probability, exp(1), 1e-9);
    top_select(logits, 6, 2, top);
    cr_expect_eq(top[0].index, 1);
    cr_expect_eq(top[1].index, 3);
}

Test(predictions, header_and_lines)
{
    top_class top[PREDICTIONS_TOP] = {
        {3, 0.5}, {1, 0.25}, {0, 0.125}, {-1, 0}, {-1, 0}
    };
    FILE *out = start();

    predictions_header(out);
    predictions_line(out, "a, \"b\".png", 7, top);
    expect(out, "file,label,class1,prob1,class2,prob2,class3,prob3,class4,"
                "prob4,class5,prob5\n"
                "\"a, \"\"b\"\".png\",7,3,0.5,1,0.25,0,0.125,,,,\n");
}

/* What steers a terminal is shown, letters are left alone. */
Test(printable, nothing_steers_the_terminal)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain name.png", "plain name.png"},
        {"a\033[31mred.png", "a\\x1b[31mred.png"},
        {"two\nlines\r\t\177", "two\\x0alines\\x0d\\x09\\x7f"},
        {"gr\303\274n \346\274\242 \360\237\220\210",
         "gr\303\274n \346\274\242 \360\237\220\210"},
        {"\302\2331m", "\\xc2\\x9b1m"},
        {"\2331m \377", "\\x9b1m \\xff"},
        {"\342\200\256gnp.exe", "\\xe2\\x80\\xaegnp.exe"},
        {"cut \303", "cut \\xc3"},
        {"long \300\257", "long \\xc0\\xaf"}
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *out = start();
        printable_put(cases[i].text, out);
        expect(out, cases[i].shown);
    }
}

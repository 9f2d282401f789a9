/* SPDX-License-Identifier: MIT */
/* Command lines: what is taken, what is refused in which words, and help. */
#include "config.h"

#include "../src/base/args.h"

#include <criterion/criterion.h>
#include <string.h>

typedef struct fields {
    int quiet;
    const char *model;
    size_t batch;
    double share;
    char parsed[32];
} fields;

static int parse_word(const char *text, void *field, char *why)
{
    if (strlen(text) > 8) {
        snprintf(why, ARGS_WHY, "'%.20s' is too long", text);
        return -1;
    }
    strcpy(field, text);
    return 0;
}

static const char *word_name(int index)
{
    static const char *const names[] = {"one", "other", NULL};

    return names[index];
}

static const args_option table[] = {
    {"One", 0, NULL, 0, 0, ARGS_SECTION, 0, 0, 0, NULL, NULL, NULL},
    {"model", 'm', "FILE", 3, 0, ARGS_TEXT, offsetof(fields, model), 0, 0, NULL,
     "the model", NULL},
    {"batch", 'b', "N", 3, 0, ARGS_SIZE, offsetof(fields, batch), 1, 64, NULL,
     "images in one pass, described at such length that the text has to wrap "
     "more than once to stay within the columns that a terminal has", NULL},
    {"Two", 0, NULL, 0, 0, ARGS_SECTION, 0, 0, 0, NULL, NULL, NULL},
    {"share", 0, "P", 2, 0, ARGS_REAL, offsetof(fields, share), 0, 1, NULL, "s",
     NULL},
    {"Three", 0, NULL, 0, 0, ARGS_SECTION, 0, 0, 0, NULL, NULL, NULL},
    {"word", 0, "W", 3, 0, ARGS_PARSE, offsetof(fields, parsed), 0, 0,
     parse_word, "a word:", word_name},
    {"quiet", 'q', NULL, 3, 0, ARGS_FLAG, offsetof(fields, quiet), 0, 0, NULL,
     "say nothing", NULL},
    {"help", 'h', NULL, 3, 0, ARGS_HELP, 0, 0, 0, NULL, "this", NULL},
    {NULL, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL}
};
static const args_command command =
    {"eval", 1, "FOLDER", 1, 2, "A summary.", NULL, NULL};

static fields got;
static size_t operands;
static char why[ARGS_WHY];
static char *words[16];

/* Parses words separated by blanks. */
static int parse(const char *line)
{
    static char copy[256];
    int count = 0;

    memset(&got, 0, sizeof(got));
    why[0] = '\0';
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        words[count++] = w;
    return args_parse(table, &command, count, words, &got, NULL, &operands,
                      why);
}

static void refused(const char *line, const char *expected)
{
    cr_expect_eq(parse(line), ARGS_WRONG, "%s", line);
    cr_expect_str_eq(why, expected, "%s: %s", line, why);
}

Test(args, all_spellings_of_a_value)
{
    cr_assert_eq(parse("--model a --batch=7 -q in"), ARGS_DONE);
    cr_expect_str_eq(got.model, "a");
    cr_expect_eq(got.batch, 7);
    cr_expect_eq(got.quiet, 1);
    cr_expect_eq(operands, 1);
    cr_expect_str_eq(words[0], "in");
    cr_assert_eq(parse("in -m a -b 3 --word=x=y"), ARGS_DONE);
    cr_expect_str_eq(got.model, "a");
    cr_expect_eq(got.batch, 3);
    cr_expect_str_eq(got.parsed, "x=y");
    /* a value may begin with one dash, and the last one counts */
    cr_assert_eq(parse("--model - --model -x in"), ARGS_DONE);
    cr_expect_str_eq(got.model, "-x");
}

Test(args, operands_keep_their_order_around_options)
{
    cr_assert_eq(parse("first -q -- --second"), ARGS_DONE);
    cr_expect_eq(operands, 2);
    cr_expect_str_eq(words[0], "first");
    cr_expect_str_eq(words[1], "--second");
    cr_assert_eq(parse("-"), ARGS_DONE);
    cr_expect_str_eq(words[0], "-");
}

Test(args, what_is_wrong_is_named)
{
    refused("--modle a in",
            "unknown option '--modle': did you mean '--model'?");
    refused("--bacth=2 in",
            "unknown option '--bacth': did you mean '--batch'?");
    refused("--zebra in", "unknown option '--zebra': see 'tomerge eval "
            "--help'");
    refused("-z in", "unknown option '-z': see 'tomerge eval --help'");
    refused("-qb in", "unknown option '-qb': see 'tomerge eval --help'");
    refused("--share 1 in", "'tomerge eval' takes no option '--share'");
    refused("in --model", "--model needs a value: FILE");
    refused("--model --quiet in", "--model needs a value: FILE");
    refused("--model= in", "--model: its value, FILE, is empty");
    refused("--quiet=1 in", "--quiet takes no value ('1')");
    refused("--word overlong-word in", "--word: 'overlong-word' is too long");
    refused("", "FOLDER is missing: tomerge eval [OPTION...] FOLDER");
    refused("a b c", "'c' is one argument too many: tomerge eval [OPTION...] "
            "FOLDER");
}

Test(args, numbers_are_whole_and_within_bounds)
{
    static const char *const bad[] = {"0", "65", "-1", "+1", "1.5", "7x",
        "0x7", "99999999999999999999999", "nan"};
    char line[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "--batch=%s in", bad[i]);
        cr_expect_eq(parse(line), ARGS_WRONG, "%s", bad[i]);
        cr_expect_not_null(strstr(why, "is not a whole number from 1 to 64"));
        cr_expect_not_null(strstr(why, bad[i]));
    }
    cr_expect_eq(parse("--batch=64 in"), ARGS_DONE);

    double value = 7;
    cr_expect_eq(args_real("-0.5", &value), 0);
    cr_expect_eq(value, -0.5);
    cr_expect_eq(args_real("inf", &value), -1);
    cr_expect_eq(args_real("nan", &value), -1);
    cr_expect_eq(args_real("", &value), -1);
    cr_expect_eq(args_real("1,5", &value), -1);
    cr_expect_eq(value, -0.5);
}

Test(args, nearest_spelling)
{
    static const char *const names[] = {"prop-attn", "json", "csv", "r"};

    cr_expect_str_eq(args_nearest("prop-atn", names, 4), "prop-attn");
    cr_expect_str_eq(args_nearest("jsno", names, 4), "json");
    cr_expect_null(args_nearest("visualise", names, 4));
    cr_expect_null(args_nearest("a-word-that-is-longer-than-all-others-are",
                                names, 4));
}

Test(args, help_is_complete_and_narrow)
{
    char *text = NULL, *line;
    size_t size, longest = 0;
    FILE *out = open_memstream(&text, &size);

    args_help(out, table, &command);
    fclose(out);
    cr_expect_not_null(strstr(text, "usage: tomerge eval [OPTION...] FOLDER"));
    cr_expect_not_null(strstr(text, "-b, --batch N"));
    cr_expect_not_null(strstr(text, "One\n"));
    cr_expect_not_null(strstr(text, "a word: one, other\n"));
    /* options of other commands, and sections without any, are left out */
    cr_expect_null(strstr(text, "--share"));
    cr_expect_null(strstr(text, "Two\n"));
    for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        longest = strlen(line) > longest ? strlen(line) : longest;
    cr_expect_leq(longest, 80);
    cr_expect_geq(longest, 60, "text should use the width there is");
    free(text);
}

Test(args, help_is_asked_for)
{
    cr_expect_eq(parse("--help"), ARGS_SHOW_HELP);
    cr_expect_eq(parse("in -h"), ARGS_SHOW_HELP);
}

/* SPDX-License-Identifier: MIT */
/* The table of options: of each it is said what it acts on, so that a journal
 * pins all that results depend on and no output can be an input. */
#include "config.h"

#include "../src/session/options.h"

#include <criterion/criterion.h>
#include <string.h>

static int is_option(const args_option *option)
{
    return option->kind != ARGS_SECTION && option->kind != ARGS_HELP;
}

Test(options, each_says_what_it_acts_on)
{
    for (const args_option *o = options_table; o->name; o++) {
        int result = (o->effect & ARGS_RESULT) != 0;
        int report = (o->effect & ARGS_REPORT) != 0;
        if (is_option(o))
            cr_expect_eq(result + report, 1, "--%s: results, or their report",
                         o->name);
    }
}

/* Whatever takes a FILE says whether it is read or written. */
Test(options, files_are_read_or_written)
{
    for (const args_option *o = options_table; o->name; o++) {
        int reads = (o->effect & ARGS_READS) != 0;
        int writes = (o->effect & ARGS_WRITES) != 0;
        int takes = o->value != NULL && strstr(o->value, "FILE");
        if (is_option(o))
            cr_expect_eq(reads + writes, takes, "--%s %s", o->name,
                         o->value ? o->value : "");
        /* Their paths are taken from the fields. */
        if (writes)
            cr_expect_eq(o->kind, ARGS_TEXT, "--%s", o->name);
    }
}

/* What is known as it was given only is text, whatever the kind. */
Test(options, values_are_kept_as_given)
{
    char words[][16] = {"--crop-pct", "0.7", "--exif", "set"};
    char *argv[] = {words[0], words[1], words[2], words[3]};
    const args_command command = {
        "eval", OPTIONS_EVAL, "FOLDER", 1, 1, "", NULL, NULL
    };
    char why[ARGS_WHY];
    options o;

    options_init(&o);
    cr_assert_eq(args_parse(options_table, &command, 4, argv, &o, o.given,
                            &o.operand_count, why), ARGS_DONE, "%s", why);
    for (size_t i = 0; options_table[i].name; i++) {
        const char *name = options_table[i].name, *given = o.given[i];
        if (!args_applies(&options_table[i], &command))
            cr_expect_null(given, "--%s", name);
        else if (strcmp(name, "crop-pct") == 0)
            cr_expect_str_eq(given, "0.7");
        else if (strcmp(name, "exif") == 0)
            cr_expect_str_eq(given, "");
        else
            cr_expect_null(given, "--%s", name);
    }
    options_free(&o);
}

/* SPDX-License-Identifier: MIT */
/* Command lines from a table of options. */
#include "args.h"

#include "memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int args_size(const char *text, size_t *out)
{
    if (!isdigit((unsigned char)text[0]))
        return -1;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > SIZE_MAX)
        return -1;
    *out = (size_t)value;
    return 0;
}

int args_name(const char *text, int *field,
              int (*from_name)(const char *, int *), const char *(*name)(int),
              char *why)
{
    if (from_name(text, field) == 0)
        return 0;
    size_t used = (size_t)snprintf(why, ARGS_WHY, "'%.40s' is not one of",
                                   text);
    for (int i = 0; name(i) && used < ARGS_WHY; i++)
        used += (size_t)snprintf(why + used, ARGS_WHY - used, "%s %s",
                                 i ? "," : "", name(i));
    return -1;
}

int args_real(const char *text, double *out)
{
    if (text[0] == '\0' || isspace((unsigned char)text[0]))
        return -1;
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return -1;
    *out = value;
    return 0;
}

/* Edits (insert, delete, replace, swap of neighbours) between two words. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 31 };
    size_t d[LONGEST + 1][LONGEST + 1];
    size_t rows = strlen(a), columns = strlen(b);

    if (rows > LONGEST || columns > LONGEST)
        return SIZE_MAX;
    for (size_t i = 0; i <= rows; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= columns; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[rows][columns];
}

const char *args_nearest(const char *word, const char *const *names,
                         size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 1;

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, names[i]);
        if (distance < least || (distance == least && !nearest)) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

int args_applies(const args_option *option, const args_command *command)
{
    return option->kind != ARGS_SECTION &&
           (option->commands & command->bit) != 0;
}

/* The option spelled name[0 .. length), preferring one of this subcommand;
 * another's, so that the error can say so; NULL. */
static const args_option *find(const args_option *table,
                               const args_command *command,
                               const char *name, size_t length)
{
    const args_option *other = NULL;

    for (; table->name; table++) {
        if (table->kind == ARGS_SECTION || strlen(table->name) != length ||
            memcmp(table->name, name, length) != 0)
            continue;
        if (args_applies(table, command))
            return table;
        other = table;
    }
    return other;
}

static const args_option *find_letter(const args_option *table,
                                      const args_command *command, char letter)
{
    for (; table->name; table++)
        if (letter != '\0' && table->letter == letter &&
            args_applies(table, command))
            return table;
    return NULL;
}

static void unknown(const args_option *table, const args_command *command,
                    const char *name, size_t length, char *why)
{
    const char *names[128];
    size_t count = 0;
    char word[64];

    snprintf(word, sizeof(word), "%.*s", (int)(length < 60 ? length : 60),
             name);
    for (; table->name && count < 128; table++)
        if (args_applies(table, command))
            names[count++] = table->name;
    const char *nearest = args_nearest(word, names, count);
    if (nearest)
        snprintf(why, ARGS_WHY,
                 "unknown option '--%s': did you mean '--%s'?", word, nearest);
    else
        snprintf(why, ARGS_WHY,
                 "unknown option '--%s': see 'tomerge %s --help'", word,
                 command->name);
}

static int set_size(const args_option *option, const char *text, size_t *field,
                    char *why)
{
    size_t value;
    if (args_size(text, &value) == 0 && (double)value >= option->min &&
        (double)value <= option->max) {
        *field = value;
        return ARGS_DONE;
    }
    snprintf(why, ARGS_WHY,
             "--%s: '%.60s' is not a whole number from %.0f to %.0f",
             option->name, text, option->min, option->max);
    return ARGS_WRONG;
}

static int set_real(const args_option *option, const char *text, double *field,
                    char *why)
{
    double value;
    if (args_real(text, &value) == 0 && value >= option->min &&
        value <= option->max) {
        *field = value;
        return ARGS_DONE;
    }
    snprintf(why, ARGS_WHY, "--%s: '%.60s' is not a number from %g to %g",
             option->name, text, option->min, option->max);
    return ARGS_WRONG;
}

/* Where options go. */
typedef struct parsed {
    const args_option *table;
    void *settings;
    const char **given;    /* see args_parse */
} parsed;

static int set(const parsed *p, const args_option *option, const char *text,
               char *why)
{
    char *field = (char *)p->settings + option->offset;
    char expected[ARGS_WHY] = "";

    if (p->given)
        p->given[option - p->table] = text ? text : "";

    switch (option->kind) {
    case ARGS_FLAG:
        *(int *)(void *)field = 1;
        return ARGS_DONE;
    case ARGS_TEXT:
        if (text[0] == '\0') {
            snprintf(why, ARGS_WHY, "--%s: its value, %s, is empty",
                     option->name, option->value);
            return ARGS_WRONG;
        }
        *(const char **)(void *)field = text;
        return ARGS_DONE;
    case ARGS_SIZE:
        return set_size(option, text, (size_t *)(void *)field, why);
    case ARGS_REAL:
        return set_real(option, text, (double *)(void *)field, why);
    default:
        if (option->parse(text, field, expected) == 0)
            return ARGS_DONE;
        snprintf(why, ARGS_WHY, "--%s: %.200s", option->name, expected);
        return ARGS_WRONG;
    }
}

/* The option that a word spells, and the value behind its "=", if any. NULL
 * with a line in `why`. */
static const args_option *which(const args_option *table,
                                const args_command *command, const char *word,
                                const char **attached, char *why)
{
    const args_option *option;

    if (word[1] != '-') {
        option = find_letter(table, command, word[1]);
        if (option && word[2] == '\0')
            return option;
        snprintf(why, ARGS_WHY,
                 "unknown option '%.60s': see 'tomerge %s --help'", word,
                 command->name);
        return NULL;
    }
    size_t length = strcspn(word + 2, "=");
    if (word[2 + length] == '=')
        *attached = word + 2 + length + 1;
    option = find(table, command, word + 2, length);
    if (!option)
        unknown(table, command, word + 2, length, why);
    else if (args_applies(option, command))
        return option;
    else
        snprintf(why, ARGS_WHY, "'tomerge %s' takes no option '--%s'",
                 command->name, option->name);
    return NULL;
}

/* One option at argv[*i]; *i moves past the value it uses. */
static int parse_option(const parsed *p, const args_command *command,
                        int argc, char **argv, int *i, char *why)
{
    const char *attached = NULL;
    const args_option *option = which(p->table, command, argv[*i], &attached,
                                      why);

    if (!option)
        return ARGS_WRONG;
    if (option->kind == ARGS_HELP)
        return ARGS_SHOW_HELP;
    if (option->kind == ARGS_FLAG) {
        if (!attached)
            return set(p, option, NULL, why);
        snprintf(why, ARGS_WHY, "--%s takes no value ('%.60s')", option->name,
                 attached);
        return ARGS_WRONG;
    }
    if (!attached) {
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0) {
            snprintf(why, ARGS_WHY, "--%s needs a value: %s", option->name,
                     option->value);
            return ARGS_WRONG;
        }
        attached = argv[++*i];
    }
    return set(p, option, attached, why);
}

int args_parse(const args_option *table, const args_command *command,
               int argc, char **argv, void *settings, const char **given,
               size_t *operands, char *why)
{
    const parsed p = {table, settings, given};
    size_t count = 0;
    int only_operands = 0;

    for (int i = 0; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_operands = 1;
        } else {
            int result = parse_option(&p, command, argc, argv, &i, why);
            if (result != ARGS_DONE)
                return result;
        }
    }
    *operands = count;
    if (count < command->least) {
        snprintf(why, ARGS_WHY,
                 "%s is missing: tomerge %s [OPTION...] %s",
                 command->operands, command->name, command->operands);
        return ARGS_WRONG;
    }
    if (count > command->most) {
        snprintf(why, ARGS_WHY, "'%.60s' is one argument too many: "
                 "tomerge %s [OPTION...] %s", argv[command->most],
                 command->name, command->operands);
        return ARGS_WRONG;
    }
    return ARGS_DONE;
}

/* Appends one word: as it is where that is safe, else in single quotes. */
static char *quote_word(char *out, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";

    if (word[0] != '\0' && word[strspn(word, safe)] == '\0') {
        size_t length = strlen(word);
        memcpy(out, word, length);
        return out + length;
    }
    *out++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            memcpy(out, "'\\'", 3);
            out += 3;
        }
        *out++ = *word;
    }
    *out++ = '\'';
    return out;
}

char *args_quote(int argc, char **argv)
{
    size_t size = 1;

    for (int i = 0; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3;
    char *text = memory_zero(size, 1), *end = text;
    for (int i = 0; i < argc; i++) {
        if (i > 0)
            *end++ = ' ';
        end = quote_word(end, argv[i]);
    }
    return text;
}

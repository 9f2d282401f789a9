/* SPDX-License-Identifier: MIT */
/* The files that options name: what is read must not be written over. */
#include "config.h"

#include "options_files.h"

#include "../base/memory.h"
#include "../base/output.h"
#include "model_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- outputs ------------------------------------------------------------- */

/* What an option that writes has as its file; NULL if it is no such option, or
 * not of this subcommand, or not given. */
static const char *written(const options *o, size_t row)
{
    const args_option *option = &options_table[row];
    const args_command command = {.bit = o->command};

    if (!(option->effect & ARGS_WRITES) || !args_applies(option, &command))
        return NULL;
    const char *field = (const char *)o + option->offset;
    return *(const char *const *)(const void *)field;
}

/* A file by what it is, there or not: then by its folder and its name. */
typedef struct identity {
    dev_t device;
    ino_t inode;
    const char *name;      /* NULL: it is there */
    int is_regular;        /* or will be */
} identity;

static identity identify(const char *path)
{
    const char *slash = strrchr(path, '/');
    identity id = {0, 0, NULL, 1};
    struct stat status;

    if (stat(path, &status) == 0) {
        id.is_regular = S_ISREG(status.st_mode);
    } else {
        char *folder = memory_text(slash ? path : ".");
        if (slash)
            folder[slash == path ? 1 : slash - path] = '\0';
        id.name = slash ? slash + 1 : path;
        id.is_regular = stat(folder, &status) == 0;
        free(folder);
    }
    if (id.is_regular) {
        id.device = status.st_dev;
        id.inode = status.st_ino;
    }
    return id;
}

static int are_one(const char *a, const char *b)
{
    if (output_is_stdout(a) || output_is_stdout(b))
        return output_is_stdout(a) && output_is_stdout(b);
    identity x = identify(a), y = identify(b);
    if (!x.is_regular || !y.is_regular || x.device != y.device ||
        x.inode != y.inode || (!x.name) != (!y.name))
        return 0;
    return !x.name || strcmp(x.name, y.name) == 0;
}

static int check_twice(const options *o, char *why)
{
    for (size_t i = 0; options_table[i].name; i++)
        for (size_t j = i + 1; options_table[j].name; j++) {
            const char *a = written(o, i), *b = written(o, j);
            if (!a || !b || !are_one(a, b))
                continue;
            snprintf(why, ARGS_WHY, "--%s and --%s both write to '%.60s'",
                     options_table[i].name, options_table[j].name, a);
            return -1;
        }
    return 0;
}

static void note_output(options_outputs *out, const char *option,
                        const char *path)
{
    struct stat status;

    if (!path || output_is_stdout(path) || out->count == OPTIONS_OUTPUTS ||
        stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return;
    out->there[out->count].option = option;
    out->there[out->count].path = path;
    out->there[out->count].device = status.st_dev;
    out->there[out->count++].inode = status.st_ino;
}

static void note_outputs(options *o)
{
    options_outputs *out = &o->outputs;

    out->count = 0;
    for (size_t i = 0; i < OPTIONS_BESIDE; i++)
        note_output(out, "output", o->beside[i]);
    for (size_t i = 0; options_table[i].name; i++)
        note_output(out, options_table[i].name, written(o, i));
}

int options_use_stdout(const options *o)
{
    int used = 0;

    for (size_t i = 0; options_table[i].name; i++) {
        const char *path = written(o, i);
        used |= path != o->resume && output_is_stdout(path);
    }
    return used;
}

/* ---- inputs -------------------------------------------------------------- */

int options_files_input(const options *o, const char *path, char *why)
{
    const options_outputs *out = &o->outputs;
    struct stat status;

    if (out->count == 0 || stat(path, &status) != 0)
        return 0;
    for (size_t i = 0; i < out->count; i++)
        if (out->there[i].device == status.st_dev &&
            out->there[i].inode == status.st_ino) {
            snprintf(why, ARGS_WHY, "--%s: '%.80s' is the input '%.80s'",
                     out->there[i].option, out->there[i].path, path);
            return -1;
        }
    return 0;
}

typedef struct question {
    const options *options;
    char *why;
} question;

static int check_one(void *data, const char *path)
{
    const question *q = data;

    return options_files_input(q->options, path, q->why);
}

/* The files that an option's value leads to. */
static int check_option(question *q, const args_option *option,
                        const char *text)
{
    if (!text || !(option->effect & ARGS_READS))
        return 0;
    if (option->kind == ARGS_PARSE)             /* @FILE, or no file */
        return text[0] == '@' ? check_one(q, text + 1) : 0;
    return model_files_each(text, check_one, q);
}

int options_files_check(options *o, char *why)
{
    question q = {o, why};
    int result = check_twice(o, why);

    note_outputs(o);
    if (result != 0 || o->outputs.count == 0)
        return result;
    for (size_t i = 0; i < o->models.count && result == 0; i++)
        if (o->models.path[i])
            result = model_files_each(o->models.path[i], check_one, &q) ||
                     model_files_beside(o->models.path[i], check_one, &q)
                     ? -1 : 0;
    for (size_t i = 0; i < o->operand_count && result == 0; i++)
        result = check_one(&q, o->operands[i]);
    for (size_t i = 0; options_table[i].name && result == 0; i++)
        result = check_option(&q, &options_table[i], o->given[i]);
    return result != 0 ? result
                       : merging_files_each(&o->merging, check_one, &q);
}

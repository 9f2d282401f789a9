/* SPDX-License-Identifier: MIT */
/* What the numbers of a report depend on, for the first line of a journal. */
#include "config.h"

#include "journal_settings.h"

#include "../base/message.h"
#include "../session/model_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- files by their content ---------------------------------------------- */

TM_WRAPS static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t word;

    hash = mix(hash, count);
    for (; count > 0; count -= count < 8 ? count : 8, at += 8) {
        word = 0;
        memcpy(&word, at, count < 8 ? count : 8);
        hash = mix(hash, word);
    }
    return hash;
}

static json_t *digest(uint64_t hash, size_t count)
{
    char text[17];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    return json_pack("{s:I,s:s}", "count", (json_int_t)count, "hash", text);
}

typedef struct content {
    uint64_t hash;
    size_t bytes;
} content;

/* One more file; -1 after a message. */
static int add_file(void *data, const char *path)
{
    static unsigned char block[1 << 16];
    content *c = data;
    FILE *file = fopen(path, "rb");
    size_t got;

    if (!file) {
        message_failed("%s: %s", path, strerror(errno));
        return -1;
    }
    while ((got = fread(block, 1, sizeof(block), file)) > 0) {
        c->hash = mix_bytes(c->hash, block, got);
        c->bytes += got;
    }
    int failed = ferror(file);
    fclose(file);
    if (failed)
        message_failed("%s: cannot be read", path);
    return failed ? -1 : 0;
}

/* Of a file and those that it names; null without one. What is no regular file
 * can be read only once, and goes by its name. NULL after a message. */
static json_t *file_digest(const char *path)
{
    content c = {0, 0};
    struct stat status;

    if (!path)
        return json_null();
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return report_string(path);
    return model_files_each(path, add_file, &c) != 0 ? NULL
                                                     : digest(c.hash, c.bytes);
}

/* Of the files that say how methods are set; null without one. */
static json_t *methods_digest(const merging_args *args)
{
    content c = {0, 0};

    if (merging_files_each(args, add_file, &c) != 0)
        return NULL;
    return c.bytes ? digest(c.hash, c.bytes) : json_null();
}

static json_t *beside_digest(const char *path)
{
    content c = {0, 0};

    return model_files_beside(path, add_file, &c) != 0
        ? NULL : digest(c.hash, c.bytes);
}

static json_t *images_digest(const dataset *d)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < d->files.count; i++) {
        const folder_file *file = &d->files.files[i];
        hash = mix_bytes(hash, file->name, strlen(file->name));
        hash = mix(hash, (uint64_t)(int64_t)file->label);
    }
    return digest(hash, d->files.count);
}

static json_t *valid_digest(const classes *c)
{
    return !c->valid ? json_null()
        : digest(mix_bytes(0, c->valid, c->valid_count * sizeof(*c->valid)),
                 c->valid_count);
}

/* ---- options ------------------------------------------------------------- */

static int is_option(const char *name)
{
    const args_option *option = options_table;

    while (option->name && strcmp(option->name, name) != 0)
        option++;
    return option->name != NULL;
}

/* "prop_attn" of a report is "--prop-attn" of the command line. */
static void set_members(json_t *out, json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value) {
        char option[64] = "--";
        snprintf(option + 2, sizeof(option) - 2, "%s", key);
        for (char *c = option; *c != '\0'; c++)
            *c = *c == '_' ? '-' : *c;
        json_object_set(out, is_option(option + 2) ? option : key, value);
    }
    json_decref(from);
}

/* Whether runs differ by more than r. */
static int several(const merging_args *args)
{
    return args->method_count > 1 || args->budget_count > 0;
}

/* The method of a run, with its options. */
static json_t *way_of(json_t *run)
{
    const char *given =
        json_string_value(json_object_get(run, "method_options"));

    return json_sprintf("%s[%s]",
        json_string_value(json_object_get(run, "method")),
        given ? given : "");
}

/* What all runs have in common, and the r of each. */
static void set_merging(json_t *out, const session *s)
{
    static const char *const names[] = {
        [MERGING_UNSET] = "--r", [MERGING_R] = "--r",
        [MERGING_SCHEDULE] = "--schedule", [MERGING_RATIO] = "--merge-ratio"
    };
    static const char *const own[] = {
        "schedule", "r", "merge_ratio", "tokens", "tokens_left", "gmacs"
    };
    json_t *labels = json_array(), *lists = json_array(), *last = NULL;
    json_t *ways = json_array();

    for (size_t i = 0; i < s->run_count; i++) {
        json_decref(last);
        last = json_object();
        session_run_json(s, &s->runs[i], last);
        json_array_append(labels, json_object_get(last, "schedule"));
        json_array_append(lists, json_object_get(last, "r"));
        json_array_append_new(ways, way_of(last));
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        json_object_del(last, own[i]);
    json_object_set_new(out, names[s->options->merging.kind], labels);
    /* A long list's label is shortened. */
    json_object_set_new(out, "r of the layers", json_pack("{s:o}", "r", lists));
    if (several(&s->options->merging)) {
        json_object_del(last, "series");
        json_object_del(last, "budget");
        json_object_set(out, "methods of the runs", ways);
    }
    json_decref(ways);
    set_members(out, last);
    json_object_set_new(out, "--seed", json_integer(
        (json_int_t)s->options->merging.seed));
}

static void set_preprocessing(json_t *out, const session *s)
{
    static const char *const derived[] = {"resize", "crop", "source", "chain"};
    json_t *members = session_preprocessing_json(s);

    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
        json_object_del(members, derived[i]);
    set_members(out, members);
}

/* What an option of a plain kind says; of one with a parser, as it was given.
 * NULL after a message. */
static json_t *plain_value(const options *o, size_t row)
{
    const args_option *option = &options_table[row];
    const void *field = (const char *)o + option->offset;

    switch (option->kind) {
    case ARGS_FLAG:
        return json_boolean(*(const int *)field);
    case ARGS_SIZE:
        return json_integer((json_int_t)*(const size_t *)field);
    case ARGS_REAL:                     /* negative: not given */
        return *(const double *)field < 0 ? json_null()
                                          : report_real(*(const double *)field);
    case ARGS_TEXT:
        if (option->effect & ARGS_READS)
            return file_digest(*(const char *const *)field);
        break;
    default:
        break;
    }
    return !o->given[row] ? json_null() : report_string(o->given[row]);
}

/* Every option that results depend on and that is not there yet, so that none
 * can be forgotten. */
static int set_others(json_t *out, const options *o)
{
    const args_command command = {.bit = o->command};

    for (size_t i = 0; options_table[i].name; i++) {
        const args_option *option = &options_table[i];
        char name[64];
        if (!(option->effect & ARGS_RESULT) || !args_applies(option, &command))
            continue;
        snprintf(name, sizeof(name), "--%s", option->name);
        if (json_object_get(out, name))
            continue;
        json_t *value = plain_value(o, i);
        if (!value)
            return -1;
        json_object_set_new(out, name, value);
    }
    return 0;
}

static json_t *settings_of(const dataset *d, const session *s)
{
    const options *o = s->options;
    json_t *out = json_object(), *compute = json_object();

    json_object_set_new(out, "the version",
                        json_string(tomerge_version_string()));
    json_object_set_new(out, "--model", file_digest(o->model));
    json_object_set_new(out, "configuration beside --model",
                        beside_digest(o->model));
    json_object_set_new(out, "files of --method",
                        methods_digest(&o->merging));
    set_merging(out, s);
    set_preprocessing(out, s);
    session_compute_json(s, compute);
    set_members(out, compute);
    if (s->text_rows)      /* by which tokenizer, and all templates */
        json_object_set_new(out, "embeddings of --classes", digest(
            mix_bytes(0, s->text_rows, s->text_count * s->text_width *
                                           sizeof(*s->text_rows)),
            s->text_count));
    json_object_set_new(out, "--valid-labels", valid_digest(&s->classes));
    if (!json_object_get(out, "--model") ||
        !json_object_get(out, "configuration beside --model") ||
        !json_object_get(out, "files of --method") ||
        set_others(out, o) != 0) {
        json_decref(out);
        return NULL;
    }
    json_object_set_new(out, "images or labels of them", images_digest(d));
    return out;
}

json_t *journal_command(const options *o)
{
    json_t *words = json_array();

    for (size_t i = 0; i < o->word_count; i++)
        json_array_append_new(words, report_string(o->words[i]));
    return words;
}

json_t *journal_settings(const dataset *d, const session *s, size_t count)
{
    json_t *out = settings_of(d, s);

    for (size_t i = 1; i < count && out; i++) {
        json_t *more = settings_of(d, &s[i]), *value;
        const char *key;
        if (!more) {
            json_decref(out);
            return NULL;
        }
        json_object_foreach(more, key, value) {
            char name[128];
            snprintf(name, sizeof(name), "%s of model %zu", key, i + 1);
            if (!json_equal(value, json_object_get(out, key)))
                json_object_set(out, name, value);
        }
        json_decref(more);
    }
    return out;
}

/* SPDX-License-Identifier: MIT */
/* What the numbers of a report depend on, for the first line of a journal. */
#include "config.h"

#include "journal_settings.h"

#include "../base/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- files by their content ------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
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

/* NULL after a message. */
static json_t *model_digest(const char *path)
{
    static unsigned char block[1 << 16];
    FILE *file = fopen(path, "rb");
    uint64_t hash = 0;
    size_t bytes = 0, got;

    if (file == NULL) {
        message_failed("%s: %s", path, strerror(errno));
        return NULL;
    }
    while ((got = fread(block, 1, sizeof(block), file)) > 0) {
        hash = mix_bytes(hash, block, got);
        bytes += got;
    }
    int failed = ferror(file);
    fclose(file);
    if (!failed)
        return digest(hash, bytes);
    message_failed("%s: cannot be read", path);
    return NULL;
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
    return c->valid == NULL ? json_null()
        : digest(mix_bytes(0, c->valid, c->valid_count * sizeof(*c->valid)),
                 c->valid_count);
}

/* ---- options ------------------------------------------------------------------------- */

static void set_text(json_t *out, const char *option, const char *text)
{
    json_object_set_new(out, option, text == NULL ? json_null()
                                                  : report_string(text));
}

static void set_count(json_t *out, const char *option, size_t value)
{
    json_object_set_new(out, option, json_integer((json_int_t)value));
}

static int is_option(const char *name)
{
    const args_option *option = options_table;

    while (option->name != NULL && strcmp(option->name, name) != 0)
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

    for (size_t i = 0; i < s->run_count; i++) {
        json_decref(last);
        last = json_object();
        session_run_json(s, &s->runs[i], last);
        json_array_append(labels, json_object_get(last, "schedule"));
        json_array_append(lists, json_object_get(last, "r"));
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        json_object_del(last, own[i]);
    json_object_set_new(out, names[s->options->merging.kind], labels);
    /* A long list's label is shortened. */
    json_object_set_new(out, "r of the layers", json_pack("{s:o}", "r", lists));
    set_members(out, last);
    set_count(out, "--stride", s->options->merging.stride);
    set_count(out, "--seed", (size_t)s->options->merging.seed);
}

static void set_preprocessing(json_t *out, const session *s)
{
    static const char *const derived[] = {"resize", "source", "chain"};
    json_t *members = session_preprocessing_json(s);

    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
        json_object_del(members, derived[i]);
    set_members(out, members);
    json_object_set_new(out, "--lenient", json_boolean(s->options->lenient));
    json_object_set_new(out, "--strict", json_boolean(s->options->strict));
}

static json_t *settings_of(const dataset *d, const session *s)
{
    const options *o = s->options;
    json_t *out = json_object(), *model = model_digest(o->model);
    json_t *compute = json_object();

    if (model == NULL) {
        json_decref(out);
        json_decref(compute);
        return NULL;
    }
    set_text(out, "the version", tomerge_version_string());
    json_object_set_new(out, "--model", model);
    set_merging(out, s);
    set_preprocessing(out, s);
    session_compute_json(s, compute);
    set_members(out, compute);
    set_count(out, "--limit", o->limit);
    json_object_set_new(out, "--valid-labels", valid_digest(&s->classes));
    set_text(out, "--labels", o->labels);
    set_text(out, "--class-map", o->class_map);
    json_object_set_new(out, "images or labels of them", images_digest(d));
    return out;
}

json_t *journal_settings(const dataset *d, const session *s, size_t count)
{
    json_t *out = settings_of(d, s);

    for (size_t i = 1; i < count && out != NULL; i++) {
        json_t *more = settings_of(d, &s[i]), *value;
        const char *key;
        if (more == NULL) {
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

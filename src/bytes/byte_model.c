/* SPDX-License-Identifier: MIT */
/* A model of bytes, opened. */
#include "config.h"

#include "byte_model.h"

#include "../base/cpus.h"
#include "../base/memory.h"
#include "../base/memory_limit.h"
#include "../base/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* FNV-1a, 64 bits. */
TM_WRAPS static uint64_t mix(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

static const uint64_t basis = UINT64_C(14695981039346656037);

static int digest(const char *path, uint64_t *hash)
{
    static unsigned char block[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t got;

    *hash = basis;
    while (file && (got = fread(block, 1, sizeof(block), file)) > 0)
        *hash = mix(*hash, block, got);
    int failed = !file || ferror(file);
    if (failed)
        message_failed("%s: %s", path, strerror(errno));
    if (file)
        fclose(file);
    return failed ? -1 : 0;
}

int byte_model_again(const byte_model *m, byte_model_how how,
                     tomevit_bytes **model, tomevit_bytes_context **context)
{
    const options *o = m->s.options;
    tomevit_bytes_options with;
    tomevit_message why = {""};

    tomevit_bytes_options_init(&with);
    with.dtype = how.dtype;
    with.portable = how.portable;
    with.window = how.window;
    with.group = how.group;
    int error = tomevit_bytes_open(o->model, &with, model, &why);
    if (error) {
        message_failed("%s%s", why.text[0] ? why.text : tomevit_strerror(error),
                       memory_limited_by(error == TOMEVIT_ENOMEM));
        return -1;
    }
    error = tomevit_bytes_context_create(*model, o->batch, m->s.threads,
                                         context);
    if (error)
        message_failed("memory for batches of %zu on %d threads: %s%s",
                       o->batch, m->s.threads, tomevit_strerror(error),
                       memory_limited_by(error == TOMEVIT_ENOMEM));
    return error ? -1 : 0;
}

int byte_model_open(byte_model *m, const options *o, byte_model_how how)
{
    memset(m, 0, sizeof(*m));
    m->s.options = o;
    m->how = how;
    m->s.threads = session_threads(o);
    tomerge_set_cpu_mask(o->cpu_mask);
#ifdef _OPENMP
    omp_set_num_threads(m->s.threads);
#endif
    if (byte_model_again(m, how, &m->model, &m->context) != 0)
        return -1;
    m->d = tomevit_bytes_describe(m->model);
    if (digest(o->model, &m->digest) != 0 ||
        output_open(&m->s.json, o->json) != 0)
        return -1;
    return output_open(&m->s.csv, o->csv);
}

void byte_model_close(byte_model *m)
{
    output_abandon(&m->s.json);
    output_abandon(&m->s.csv);
    tomevit_bytes_context_free(m->context);
    tomevit_bytes_close(m->model);
    memset(m, 0, sizeof(*m));
}

/* Bytes that no picture is likely to have, and runs as pictures have them. */
TM_WRAPS static void fill_probe(uint8_t *bytes, size_t count)
{
    uint32_t state = 1;

    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = i / 97 % 2 ? (uint8_t)(128 + (state >> 29))
                              : (uint8_t)(state >> 24);
    }
}

int byte_model_arithmetic(byte_model *m, tomevit_bytes_context *context,
                          uint64_t *hash)
{
    size_t length = m->d->length;
    uint8_t *bytes = memory_zero(length, 1);
    float *bits = memory_zero(length, sizeof(*bits));
    tomevit_bytes_output out = {.bits = bits};

    fill_probe(bytes, length);
    int error = tomevit_bytes_forward(context, 1, bytes, &out);
    *hash = mix(basis, bits, length * sizeof(*bits));
    if (error)
        message_failed("%s: %s", m->s.options->model, tomevit_strerror(error));
    free(bits);
    free(bytes);
    return error ? -1 : 0;
}

/* ---- reports ------------------------------------------------------------- */

static void set_count(json_t *out, const char *key, size_t value)
{
    json_object_set_new(out, key, json_integer((json_int_t)value));
}

json_t *byte_model_json(const byte_model *m)
{
    json_t *out = json_object();

    json_object_set_new(out, "file", report_string(m->s.options->model));
    set_count(out, "width", m->d->width);
    set_count(out, "height", m->d->height);
    set_count(out, "bytes", m->d->length);
    set_count(out, "patch", m->d->patch);
    set_count(out, "patches", m->d->patches);
    set_count(out, "parameters", (size_t)m->d->parameters);
    return out;
}

void byte_model_compute_json(const byte_model *m, json_t *out)
{
    json_object_set_new(out, "dtype",
                        json_string(tomevit_dtype_name(m->how.dtype)));
    json_object_set_new(out, "cpu",
                        json_string(tomevit_bytes_cpu(m->model)));
    set_count(out, "threads", (size_t)m->s.threads);
    set_count(out, "batch", m->s.options->batch);
    if (m->how.group) {
        set_count(out, "window", m->how.window);
        set_count(out, "group", m->how.group);
    }
    json_object_set_new(out, "gmacs",
                        report_real(tomevit_bytes_macs(m->model) / 1e9));
}

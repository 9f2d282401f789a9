/* SPDX-License-Identifier: MIT */
/* tomerge bench: the forward pass alone, one row a way to merge. */
#include "config.h"

#include "commands.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "base/signals.h"
#include "images/crop.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_PASSES = 5, MOST_PASSES = 100000 };

static const report_column list[] = {
    {"model.name", "model", NULL},
    {"method", "merging", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"weight_bytes", "packed weights, bytes", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"passes", "passes", NULL}
};

static const report_column columns[] = {
    {"schedule", "r", NULL},
    {"tokens_left", "tokens left", NULL},
    {"gmacs", "GMACs", "%.2f"},
    {"images_per_second.median", "images/s", "%.1f"},
    {"images_per_second.best", "best", "%.1f"},
    {"gflops", "GFLOP/s", "%.1f"},
    {"speedup", "speed-up", "%.2f"},
    {"method", NULL, NULL},
    {"r", NULL, NULL},
    {"merge_ratio", NULL, NULL},
    {"gmacs_computed", NULL, NULL},
    {"tokens", NULL, NULL},
    {"dtype", NULL, NULL},
    {"cpu", NULL, NULL},
    {"threads", NULL, NULL},
    {"batch", NULL, NULL},
    {"partial", NULL, NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct bench {
    session *s;
    uint8_t *pixels;       /* [batch, height, width, 3] */
    tomevit_image *images; /* [batch] */
    float *logits;
    double *seconds;       /* [passes, runs] */
    size_t passes, capacity;
} bench;

/* Noise, the same on every machine, so that tokens differ from each other. */
TM_WRAPS static void fill_noise(uint8_t *pixels, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
}

static void bench_begin(bench *b, session *s)
{
    size_t batch = s->options->batch;
    size_t bytes = crop_bytes(&s->pre);

    memset(b, 0, sizeof(*b));
    b->s = s;
    b->pixels = memory_zero(batch, bytes);
    fill_noise(b->pixels, batch * bytes);
    b->images = memory_zero(batch, sizeof(*b->images));
    for (size_t i = 0; i < batch; i++) {
        b->images[i].data = b->pixels + i * bytes;
        b->images[i].format = TOMEVIT_RGB8_HWC;
    }
    b->logits = memory_zero(batch * s->description->classes + 1,
                            sizeof(float));
}

static void bench_end(bench *b)
{
    free(b->pixels);
    free(b->images);
    free(b->logits);
    free(b->seconds);
}

/* One forward pass under each run: seconds[runs]. */
static int pass(bench *b, double *seconds)
{
    tomevit_output out;

    memset(&out, 0, sizeof(out));
    out.logits = b->logits;
    for (size_t i = 0; i < b->s->run_count; i++) {
        double began = clock_seconds();
        int error = tomevit_forward(b->s->context, &b->s->runs[i].merging,
                                    b->s->options->batch, b->images, &out);
        seconds[i] = clock_seconds() - began;
        if (error != 0) {
            message_failed("the forward pass failed: %s",
                           tomevit_strerror(error));
            return -1;
        }
    }
    return 0;
}

/* Passes of all runs in turn, so that a change of the machine's speed meets
 * all alike; the first one warms up and does not count. */
static int measure(bench *b)
{
    size_t runs = b->s->run_count;
    double *warm_up = memory_zero(runs, sizeof(double));
    int result = pass(b, warm_up);
    double began = clock_seconds();

    free(warm_up);
    while (result == 0 && !signals_stop() && b->passes < MOST_PASSES &&
           (b->passes < LEAST_PASSES ||
            clock_seconds() - began < b->s->options->seconds)) {
        b->seconds = memory_grow(b->seconds, b->passes, &b->capacity,
                                 runs * sizeof(double));
        result = pass(b, b->seconds + b->passes * runs);
        b->passes += result == 0;
    }
    return result;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median and the shortest of one run's seconds. */
static void statistics(const bench *b, size_t run, double *median,
                       double *best)
{
    size_t n = b->passes;
    double *sorted = memory_zero(n, sizeof(double));

    for (size_t i = 0; i < n; i++)
        sorted[i] = b->seconds[i * b->s->run_count + run];
    qsort(sorted, n, sizeof(double), compare);
    *median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    *best = sorted[0];
    free(sorted);
}

static json_t *run_json(const bench *b, size_t run, double first)
{
    const session *s = b->s;
    json_t *out = json_object();
    double median, best, batch = (double)s->options->batch;

    statistics(b, run, &median, &best);
    session_run_json(s, &s->runs[run], out);
    session_compute_json(s, out);
    json_object_set_new(out, "images_per_second", json_pack("{s:o,s:o}",
        "median", report_real(batch / median),
        "best", report_real(batch / best)));
    json_object_set_new(out, "gmacs_computed",
        report_real(s->runs[run].gmacs_computed));
    json_object_set_new(out, "gflops",
        report_real(2 * s->runs[run].gmacs_computed * batch / median));
    json_object_set_new(out, "speedup", report_real(first / median));
    json_object_set_new(out, "partial", json_boolean(signals_stop()));
    return out;
}

static void report_bench(const bench *b)
{
    json_t *object = json_object(), *runs = json_array();
    double first, best;

    statistics(b, 0, &first, &best);
    for (size_t i = 0; i < b->s->run_count; i++)
        json_array_append_new(runs, run_json(b, i, first));
    json_object_set_new(object, "model", session_model_json(b->s));
    json_object_set(object, "method",
                    json_object_get(json_array_get(runs, 0), "method"));
    session_compute_json(b->s, object);
    json_object_set_new(object, "weight_bytes",
        json_integer((json_int_t)tomevit_model_bytes(b->s->model)));
    json_object_set_new(object, "activation_bytes",
        json_integer((json_int_t)tomevit_context_bytes(b->s->context)));
    json_object_set_new(object, "passes",
                        json_integer((json_int_t)b->passes));
    json_object_set_new(object, "partial", json_boolean(signals_stop()));
    json_object_set_new(object, "runs", runs);

    session_report report = {object, runs, list, columns, COUNT(list),
                             COUNT(columns), 1, NULL, 0, NULL};
    session_write(b->s, &report);
    json_decref(object);
}

void command_bench(const options *o)
{
    session s;
    bench b;

    if (session_open(&s, o) == 0 && session_context(&s) == 0) {
        bench_begin(&b, &s);
        if (measure(&b) == 0) {
            if (b.passes > 0)
                report_bench(&b);
            if (signals_stop())
                message_refused("stopped after %zu passes", b.passes);
        }
        bench_end(&b);
    }
    session_close(&s);
}

/* SPDX-License-Identifier: MIT */
/*
 * Eight threads at once, with inputs of their own and with shared ones, while
 * another changes the CPU mask: the results are those of one thread, and no
 * call allocates. Speaks TAP without Criterion, so that tsan.sh can build it,
 * and the library with it, under ThreadSanitizer.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define _GNU_SOURCE 1
#endif

#include "draws.h"
#include "tomerge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- allocations --------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Inside a call of the library. Compilers know that malloc() reads no variable
 * of a program, so only a volatile one is sure to be written before. */
static _Thread_local volatile int inside;

#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTED 1
static atomic_int allocations; /* made there, by any thread */

/* These take the place of the C library's own for the whole process. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void *memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
    allocations += inside;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations += inside;
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    allocations += inside;
    return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    allocations += inside;
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    *memory = memalign(alignment, bytes);
    return *memory ? 0 : 12; /* ENOMEM */
}
#endif

/* ---- every call that merges ---------------------------------------------- */

enum {
    T = 60, HEADS = 3, C = 24, S = 4, R = 11, COMBINATIONS = 6, SPACE = 1 << 18,
    THREADS = 8, ROUNDS = 12
};

typedef struct inputs {
    float x[T * C], table[T * T], size[T];
    uint16_t halves[T * C];
    uint8_t role[T];
    size_t offsets[S + 1], r[S];
} inputs;

typedef struct results {
    int32_t map[T], origin[T], trace[T], batch_map[T], batch_origin[T];
    int32_t rounds_map[T], rounds_origin[T];
    size_t rows, rounds_rows, offsets[S + 1], schedule[12];
    float metric[T * C / HEADS], y[COMBINATIONS][T * C], sums[T], bias[T];
    float back[T * C], grad_x[COMBINATIONS][T * C], grad_size[T];
    float grad_y[T * C], table[T * T], parts[T * C], batch_y[T * C];
    float batch_back[T * C];
} results;

typedef struct worker {
    const inputs *in;
    inputs own;
    results *out;
    char *workspace;
    const results *expected;
    int failed;
} worker;

static tomerge_const_view cview(const void *data, ptrdiff_t stride, int dtype)
{
    return (tomerge_const_view){data, stride, dtype};
}

static tomerge_view view(float *data, ptrdiff_t stride)
{
    return (tomerge_view){data, stride, TOMERGE_F32};
}

static int call_plan(const inputs *in, results *out, char *w)
{
    tomerge_plan plan = {T, 0, out->map, out->origin};
    tomerge_plan rounds = {T, 0, out->rounds_map, out->rounds_origin};
    tomerge_options o;
    int error;

    tomerge_options_init(&o);
    o.protect = 1;
    o.role = in->role;
    error = tomerge_mean_heads(T, HEADS, C / HEADS,
                               cview(in->x, C, TOMERGE_F32), C / HEADS,
                               view(out->metric, C / HEADS));
    error |= tomerge_match(&o, C / HEADS,
                           cview(out->metric, C / HEADS, TOMERGE_F32), R,
                           &plan, w, SPACE);
    o.similarity = TOMERGE_EUCLIDEAN;
    error |= tomerge_match_rounds(&o, C, cview(in->halves, C, TOMERGE_BF16),
                                  in->size, T - 9, &rounds, w, SPACE);
    out->rows = plan.rows;
    out->rounds_rows = rounds.rows;
    return error;
}

static int call_merges(const inputs *in, results *out, char *w)
{
    tomerge_plan plan = {T, out->rows, out->map, out->origin};
    tomerge_const_view x = cview(in->x, C, TOMERGE_F32);
    tomerge_tensor parts = {TOMERGE_WEIGHTED, C / HEADS, HEADS, x, C / HEADS,
                            view(out->parts, C), C / HEADS};
    int error = 0;

    for (int combine = 0; combine < COMBINATIONS; combine++) {
        tomerge_view y = view(out->y[combine], C);

        error |= tomerge_merge(combine, &plan, C, x, in->size, y, out->sums, w,
                               SPACE);
        error |= tomerge_merge_backward(
            combine, &plan, C, x, in->size,
            cview(out->y[combine], C, TOMERGE_F32), out->sums,
            view(out->grad_x[combine], C), out->grad_size, w, SPACE);
    }
    error |= tomerge_merge_tensors(&plan, 1, &parts, in->size, NULL, w, SPACE);
    error |= tomerge_merge_table(TOMERGE_MEAN, &plan, 1,
                                 cview(in->table, T, TOMERGE_F32), 0, NULL,
                                 view(out->table, T), 0, w, SPACE);
    error |= tomerge_unmerge(&plan, C, cview(out->y[0], C, TOMERGE_F32),
                             view(out->back, C));
    error |= tomerge_unmerge_backward(&plan, C, x, view(out->grad_y, C), w,
                                      SPACE);
    error |= tomerge_size_bias(plan.rows, out->sums, out->bias);
    for (int32_t i = 0; i < T; i++)
        out->trace[i] = i;
    return error | tomerge_compose(&plan, T, out->trace);
}

static int call_batches(const inputs *in, results *out, char *w)
{
    tomerge_const_view x = cview(in->x, C, TOMERGE_F32);
    tomerge_options o;
    int error;

    tomerge_options_init(&o);
    o.method = TOMERGE_SEQUENTIAL;
    error = tomerge_match_batch(&o, S, in->offsets, C, x, in->r,
                                out->batch_map, out->batch_origin,
                                out->offsets, 1, w, SPACE);
    error |= tomerge_merge_batch(TOMERGE_WEIGHTED, S, in->offsets,
                                 out->offsets, out->batch_map,
                                 out->batch_origin, C, x, in->size,
                                 view(out->batch_y, C), NULL, 1, w, SPACE);
    error |= tomerge_unmerge_batch(S, in->offsets, out->offsets,
                                   out->batch_map, C,
                                   cview(out->batch_y, C, TOMERGE_F32),
                                   view(out->batch_back, C), 1);
    return error | tomerge_schedule_ratio(TOMERGE_ALTERNATING, 12, 197, 1, 0.3,
                                          out->schedule);
}

static int call_all(const inputs *in, results *out, char *workspace)
{
    int error;

    inside = 1;
    error = call_plan(in, out, workspace);
    error |= call_merges(in, out, workspace);
    error |= call_batches(in, out, workspace);
    inside = 0;
    return error;
}

/* ---- threads ------------------------------------------------------------- */

static void fill(inputs *in)
{
    uint32_t state = 1;

    for (size_t i = 0; i < T * T; i++)
        in->table[i] = (float)(int32_t)draw_32(&state) * 0x1p-31f;
    for (size_t i = 0; i < T * C; i++) {
        in->x[i] = in->table[i] + in->table[(i * 7) % (T * T)];
        in->halves[i] = (uint16_t)(0x3f80 + i % 256);
    }
    for (size_t i = 0; i < T; i++) {
        in->size[i] = (float)(1 + i % 3);
        in->role[i] = i % 17 == 16 ? TOMERGE_PROTECTED : TOMERGE_MERGEABLE;
    }
    in->role[T - 1] = TOMERGE_PADDING;
    for (size_t s = 0; s <= S; s++)
        in->offsets[s] = s * T / S;
    for (size_t s = 0; s < S; s++)
        in->r[s] = 3 + s;
}

static void *work(void *argument)
{
    worker *w = argument;

    for (int round = 0; round < ROUNDS; round++) {
        memset(w->out, 0, sizeof(*w->out));
        if (call_all(w->in, w->out, w->workspace) ||
            memcmp(w->out, w->expected, sizeof(*w->out)))
            w->failed = 1;
    }
    return NULL;
}

static atomic_int done;

/* Any tier gives the same bits, so nobody may notice this. */
static void *change_mask(void *argument)
{
    (void)argument;
    while (!done) {
        tomerge_set_cpu_mask(0);
        tomerge_set_cpu_mask(TOMERGE_CPU_AVX2);
        tomerge_set_cpu_mask(UINT32_MAX);
    }
    return NULL;
}

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory) {
        printf("Bail out! no memory\n");
        exit(1);
    }
    return memory;
}

static int run(const inputs *shared, const results *expected, int own)
{
    worker *workers = allocate(THREADS * sizeof(*workers));
    pthread_t thread[THREADS], changer;
    int failed = 0;

    done = 0;
    failed |= pthread_create(&changer, NULL, change_mask, NULL);
    for (int i = 0; i < THREADS; i++) {
        workers[i].own = *shared;
        workers[i].in = own ? &workers[i].own : shared;
        workers[i].out = allocate(sizeof(results));
        workers[i].workspace = allocate(SPACE);
        workers[i].expected = expected;
        failed |= pthread_create(&thread[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < THREADS && !failed; i++)
        failed |= pthread_join(thread[i], NULL);
    done = 1;
    failed |= pthread_join(changer, NULL);
    for (int i = 0; i < THREADS; i++) {
        failed |= workers[i].failed;
        free(workers[i].out);
        free(workers[i].workspace);
    }
    free(workers);
    return failed;
}

static int tests, failures;

static void report(int failed, const char *what)
{
    failures += failed != 0;
    printf("%sok %d - %s\n", failed ? "not " : "", ++tests, what);
}

/* The counter counts, and has counted nothing inside the library. */
static void report_allocations(void)
{
#ifdef COUNTED
    int before = allocations;
    void *volatile memory;

    inside = 1;
    memory = malloc(1);
    inside = 0;
    free(memory);
    report(before != 0 || allocations != 1, "no call allocates");
#else
    printf("ok %d - no call allocates # SKIP malloc is not ours here\n",
           ++tests);
#endif
}

int main(void)
{
    inputs *in = allocate(sizeof(*in));
    results *expected = allocate(sizeof(*expected));
    char *workspace = allocate(SPACE);
    int error;

    printf("1..4\n");
    fill(in);
    error = call_all(in, expected, workspace);
    report(error || expected->rows >= T || expected->rounds_rows > 13,
           "every call merges");
    report(run(in, expected, 1), "threads with inputs of their own");
    report(run(in, expected, 0), "threads with shared inputs");
    report_allocations();
    free(in);
    free(expected);
    free(workspace);
    return failures != 0;
}

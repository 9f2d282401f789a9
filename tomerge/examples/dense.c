/* SPDX-License-Identifier: MIT */
/*
 * Dense prediction: a label for every patch of an image, though only a few
 * rows go through the layers. Each layer merges; the plans are joined into
 * one, and tomerge_unmerge brings a row back to every token at the end.
 *
 *     cc dense.c $(pkg-config --cflags --libs libtomerge) -lm
 */
#include <tomerge.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, N = SIDE * SIDE, D = 8, LABELS = 4, LAYERS = 6, R = 36 };

typedef struct tokens {
    size_t count;
    float x[N][D], size[N];
} tokens;

/* ---- a picture and a network --------------------------------------------- */

/* Which of four regions a patch lies in: a disc, a square, sky and ground. */
static int region(int column, int row)
{
    if ((column - 4) * (column - 4) + (row - 5) * (row - 5) < 12)
        return 0;
    if (column > 9 && column < 14 && row > 5 && row < 12)
        return 1;
    return row < 8 ? 2 : 3;
}

/* Features of a patch: those of its region, and noise. */
static void look(tokens *t)
{
    unsigned state = 3;

    t->count = N;
    for (int i = 0; i < N; i++) {
        t->size[i] = 1;
        for (int c = 0; c < D; c++) {
            state = state * 1664525 + 1013904223;
            t->x[i][c] = cosf((float)((region(i % SIDE, i / SIDE) + 1) *
                                      (c + 1))) +
                         ((float)(state >> 8) / (1 << 23) - 1) * 0.4f;
        }
    }
}

/* Stands for a block: attention by similarity, with the size bias. */
static int block(tokens *t)
{
    static float y[N][D], bias[N];
    int error = tomerge_size_bias(t->count, t->size, bias);

    for (size_t i = 0; i < t->count; i++) {
        float sum = 0, p;

        memset(y[i], 0, sizeof(y[i]));
        for (size_t j = 0; j < t->count; j++) {
            float distance = 0;

            for (int c = 0; c < D; c++)
                distance += powf(t->x[i][c] - t->x[j][c], 2);
            sum += p = expf(bias[j] - distance);
            for (int c = 0; c < D; c++)
                y[i][c] += p * t->x[j][c];
        }
        for (int c = 0; c < D; c++)
            y[i][c] /= sum;
    }
    memcpy(t->x, y, t->count * sizeof(y[0]));
    return error;
}

/* The head: the region whose features are nearest. */
static int label(const float x[D])
{
    int best = 0;
    float nearest = INFINITY;

    for (int l = 0; l < LABELS; l++) {
        float distance = 0;

        for (int c = 0; c < D; c++)
            distance += powf(x[c] - cosf((float)((l + 1) * (c + 1))), 2);
        if (distance < nearest) {
            nearest = distance;
            best = l;
        }
    }
    return best;
}

/* ---- merging inside, all tokens at the end ------------------------------- */

/* One layer's merging. `all` is the plan from the first layer to this one. */
static int merge(tokens *t, tomerge_plan *all, void *work, size_t bytes)
{
    static tokens merged;
    static int32_t map[N];
    tomerge_plan plan = {t->count, 0, map, NULL};
    tomerge_const_view in = {t->x, D, TOMERGE_F32};
    tomerge_view out = {merged.x, D, TOMERGE_F32};
    tomerge_options options;
    int error;

    tomerge_options_init(&options);
    error = tomerge_match(&options, D, in, R, &plan, work, bytes);
    if (!error)
        error = tomerge_merge(TOMERGE_WEIGHTED, &plan, D, in, t->size, out,
                              merged.size, work, bytes);
    if (!error)
        error = tomerge_join(all, &plan);
    merged.count = plan.rows;
    if (!error)
        *t = merged;
    return error;
}

/* Labels of all N patches; *rows is how many went through the last layer. */
static int segment(int merging, int labels[N], size_t *rows)
{
    static tokens t;
    static float restored[N][D];
    static int32_t map[N];
    static char work[1 << 17];
    tomerge_plan all = {N, N, map, NULL};
    tomerge_const_view last = {t.x, D, TOMERGE_F32};
    tomerge_view back = {restored, D, TOMERGE_F32};
    int error = 0;

    look(&t);
    for (int i = 0; i < N; i++)
        map[i] = i;
    for (int layer = 0; layer < LAYERS && !error; layer++) {
        error = block(&t);
        if (!error && merging)
            error = merge(&t, &all, work, sizeof(work));
    }
    if (!error)
        error = tomerge_unmerge(&all, D, last, back);
    for (int i = 0; i < N; i++)
        labels[i] = label(restored[i]);
    *rows = t.count;
    return error;
}

int main(void)
{
    int with[N], without[N], same = 0, right = 0;
    size_t rows, all_rows;
    int error = segment(1, with, &rows);

    if (!error)
        error = segment(0, without, &all_rows);
    if (error) {
        fprintf(stderr, "%s\n", tomerge_strerror(error));
        return EXIT_FAILURE;
    }
    for (int i = 0; i < N; i++) {
        same += with[i] == without[i];
        right += with[i] == region(i % SIDE, i / SIDE);
        printf("%c%s", "o#'."[with[i]], i % SIDE == SIDE - 1 ? "\n" : " ");
    }
    printf("%zu rows instead of %zu, %d of %d labels right, %d as without "
           "merging\n", rows, all_rows, right, N, same);
    return 0;
}

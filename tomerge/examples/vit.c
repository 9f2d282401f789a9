/* SPDX-License-Identifier: MIT */
/*
 * Someone's Vision Transformer, as one might find it: static arrays, loops and
 * random weights. WITH_TOMERGE adds the 14 lines that merging needs; R tokens
 * merge in each layer then.
 *
 *     cc vit.c -lm
 *     cc -DWITH_TOMERGE -DR=16 vit.c -ltomerge -lm
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef WITH_TOMERGE
#include <tomerge.h>
#endif

enum { GRID = 14, N = GRID * GRID + 1, PATCH = 4 * 4 * 3 };
enum { HEADS = 4, HEAD = 12, D = HEADS * HEAD, HIDDEN = 4 * D, LAYERS = 6 };
enum { CLASSES = 10 };

typedef struct layer {
    float wq[D][D], wk[D][D], wv[D][D], wo[D][D], up[HIDDEN][D];
    float down[D][HIDDEN];
} layer;

static layer layers[LAYERS];
static float embed[D][PATCH], positions[N][D], head[CLASSES][D];
static float x[N][D], h[N][D], q[N][D], k[N][D], v[N][D];
#ifdef WITH_TOMERGE
static float size[N], bias[N], work[1 << 16];
#endif

static void randomise(float *w, size_t count, float scale)
{
    static unsigned state = 7;

    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        w[i] = ((float)(state >> 8) / (1 << 23) - 1) * scale;
    }
}

static void randomise_all(void)
{
    for (int l = 0; l < LAYERS; l++) {
        randomise(layers[l].wq[0], D * D, 0.3f);
        randomise(layers[l].wk[0], D * D, 0.3f);
        randomise(layers[l].wv[0], D * D, 0.3f);
        randomise(layers[l].wo[0], D * D, 0.2f);
        randomise(layers[l].up[0], HIDDEN * D, 0.2f);
        randomise(layers[l].down[0], D * HIDDEN, 0.1f);
    }
    randomise(embed[0], D * PATCH, 0.3f);
    randomise(positions[0], N * D, 0.1f);
    randomise(head[0], CLASSES * D, 0.5f);
}

/* y = W x, W [rows, columns] */
static void multiply(const float *w, const float *in, float *y, int rows,
                     int columns)
{
    for (int i = 0; i < rows; i++) {
        y[i] = 0;
        for (int j = 0; j < columns; j++)
            y[i] += w[i * columns + j] * in[j];
    }
}

static void normalise(const float in[D], float y[D])
{
    float mean = 0, variance = 0;

    for (int c = 0; c < D; c++)
        mean += in[c] / D;
    for (int c = 0; c < D; c++)
        variance += (in[c] - mean) * (in[c] - mean) / D;
    for (int c = 0; c < D; c++)
        y[c] = (in[c] - mean) / sqrtf(variance + 1e-6f);
}

/* One head of one token, its channels from `a` on, over all n. */
static void attend(size_t n, size_t t, int a, float *y)
{
    float p[N], sum = 0;

    for (size_t j = 0; j < n; j++) {
        float dot = 0;

        for (int c = a; c < a + HEAD; c++)
            dot += q[t][c] * k[j][c];
        dot /= sqrtf(HEAD);
#ifdef WITH_TOMERGE
        dot += bias[j];
#endif
        sum += p[j] = expf(dot);
    }
    for (int c = a; c < a + HEAD; c++) {
        y[c] = 0;
        for (size_t j = 0; j < n; j++)
            y[c] += p[j] / sum * v[j][c];
    }
}

/* h = x + attention(x) */
static void attention(const layer *w, size_t n)
{
    float y[D], z[D];

    for (size_t t = 0; t < n; t++) {
        normalise(x[t], y);
        multiply(w->wq[0], y, q[t], D, D);
        multiply(w->wk[0], y, k[t], D, D);
        multiply(w->wv[0], y, v[t], D, D);
    }
    for (size_t t = 0; t < n; t++) {
        for (int a = 0; a < D; a += HEAD)
            attend(n, t, a, y);
        multiply(w->wo[0], y, z, D, D);
        for (int c = 0; c < D; c++)
            h[t][c] = x[t][c] + z[c];
    }
}

/* x += mlp(x) */
static void mlp(const layer *w, size_t n)
{
    float y[D], hidden[HIDDEN];

    for (size_t t = 0; t < n; t++) {
        normalise(x[t], y);
        multiply(w->up[0], y, hidden, HIDDEN, D);
        for (int i = 0; i < HIDDEN; i++)
            hidden[i] *= 0.5f * (1 + erff(hidden[i] * 0.70710678f));
        multiply(w->down[0], hidden, y, D, HIDDEN);
        for (int c = 0; c < D; c++)
            x[t][c] += y[c];
    }
}

static int forward(float patches[N - 1][PATCH], float logits[CLASSES])
{
    float y[D];
    size_t n = N;
#ifdef WITH_TOMERGE
    tomerge_options o = {.struct_size = sizeof(o), .protect = 1};
    tomerge_sequence s = {
        .tokens = N, .heads = 1, .head_channels = D, .channels = D,
        .keys = {k, D, TOMERGE_F32}, .x = {h, D, TOMERGE_F32},
        .y = {x, D, TOMERGE_F32}, .size = size, .bias = bias,
    };

    for (size_t t = 0; t < N; t++)
        size[t] = 1;
#endif

    memcpy(x, positions, sizeof(x));
    for (size_t t = 1; t < N; t++) {
        multiply(embed[0], patches[t - 1], y, D, PATCH);
        for (int c = 0; c < D; c++)
            x[t][c] += y[c];
    }
    for (int l = 0; l < LAYERS; l++) {
        attention(&layers[l], n);
#ifdef WITH_TOMERGE
        if (tomerge_layer(&o, R, &s, work, sizeof(work)))
            return -1;
        n = s.tokens;
#else
        memcpy(x, h, sizeof(x));
#endif
        mlp(&layers[l], n);
    }
    printf("%zu tokens\n", n);
    normalise(x[0], y);
    multiply(head[0], y, logits, CLASSES, D);
    return 0;
}

int main(void)
{
    static float patches[N - 1][PATCH];
    float logits[CLASSES];

    randomise_all();
    /* An image of a few flat regions: each patch is one of five, and noise. */
    randomise(patches[0], (N - 1) * PATCH, 0.05f);
    for (size_t t = 0; t < N - 1; t++)
        for (int i = 0; i < PATCH; i++)
            patches[t][i] += sinf((float)(t / GRID / 3 * (i + 1)));
    if (forward(patches, logits))
        return EXIT_FAILURE;
    for (int i = 0; i < CLASSES; i++)
        printf("class %d: %.3f\n", i, (double)logits[i]);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Token merging plugged into a transformer of one's own. The attention and
 * the MLP below stand for whatever is there already: plain loops over plain
 * arrays. What merging adds is merge_tokens() between the two, one line that
 * adds the size bias inside attention, and the state that these need.
 *
 *     cc plug.c $(pkg-config --cflags --libs libtomerge) -lm
 */
#include <tomerge.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 197, HEADS = 3, HEAD = 16, DIM = HEADS * HEAD, LAYERS = 6 };
enum { CLASS_TOKENS = 1, R = 16 };

typedef struct state {
    size_t tokens;                 /* rows in use */
    float x[TOKENS][DIM];
    float qkv[TOKENS][3][HEADS][HEAD];
    /* for merging: */
    tomerge_options options;
    float size[TOKENS], bias[TOKENS];
    int32_t trace[TOKENS];         /* row of each of the first layer's tokens */
    float metric[TOKENS][HEAD], merged[TOKENS][DIM], merged_size[TOKENS];
    int32_t map[TOKENS];
    void *workspace;
    size_t workspace_bytes;
} state;

/* ---- merging: all of it ------------------------------------------------------ */

/* Once: workspace for the most tokens there can be, whichever call is larger. */
static int set_up_merging(state *s)
{
    size_t match_bytes, merge_bytes;

    tomerge_options_init(&s->options);
    s->options.protect = CLASS_TOKENS;
    if (tomerge_match_workspace(&s->options, TOKENS, HEAD, &match_bytes) ||
        tomerge_merge_workspace(TOKENS, &merge_bytes))
        return -1;
    s->workspace_bytes = match_bytes > merge_bytes ? match_bytes : merge_bytes;
    s->workspace = malloc(s->workspace_bytes);
    for (int i = 0; i < TOKENS; i++) {
        s->size[i] = 1;
        s->trace[i] = i;
    }
    return s->workspace ? 0 : -1;
}

/* Between attention and MLP: up to r tokens merge into their most similar
 * ones, by the keys that attention has just used. */
static int merge_tokens(state *s, size_t r)
{
    tomerge_plan plan = {s->tokens, 0, s->map, NULL};
    tomerge_const_view keys = {s->qkv[0][1], 3 * DIM, TOMERGE_F32};
    tomerge_view mean = {s->metric, HEAD, TOMERGE_F32};
    tomerge_const_view metric = {s->metric, HEAD, TOMERGE_F32};
    tomerge_const_view x = {s->x, DIM, TOMERGE_F32};
    tomerge_view y = {s->merged, DIM, TOMERGE_F32};
    int error;

    error = tomerge_mean_heads(s->tokens, HEADS, HEAD, keys, HEAD, mean);
    if (!error)
        error = tomerge_match(&s->options, HEAD, metric, r, &plan,
                              s->workspace, s->workspace_bytes);
    if (!error)
        error = tomerge_merge(TOMERGE_WEIGHTED, &plan, DIM, x, s->size, y,
                              s->merged_size, s->workspace,
                              s->workspace_bytes);
    if (!error)
        error = tomerge_compose(&plan, TOKENS, s->trace);
    if (error)
        return error;
    memcpy(s->x, s->merged, plan.rows * sizeof(s->x[0]));
    memcpy(s->size, s->merged_size, plan.rows * sizeof(s->size[0]));
    s->tokens = plan.rows;
    return 0;
}

/* ---- a transformer of one's own --------------------------------------------------- */

/* Stands for x W: anything deterministic that mixes channels. */
static float project(const float x[DIM], size_t which)
{
    float sum = 0;

    for (size_t c = 0; c < DIM; c++)
        sum += x[c] * sinf((float)(c * 7 + which * 13));
    return sum / DIM;
}

static void attend(state *s, size_t t, size_t h, float out[HEAD])
{
    float p[TOKENS], total = 0;

    for (size_t j = 0; j < s->tokens; j++) {
        float dot = 0;

        for (size_t c = 0; c < HEAD; c++)
            dot += s->qkv[t][0][h][c] * s->qkv[j][1][h][c];
        /* The one change: a row that stands for n tokens counts n times. */
        p[j] = expf(dot / sqrtf(HEAD) + s->bias[j]);
        total += p[j];
    }
    for (size_t c = 0; c < HEAD; c++) {
        out[c] = 0;
        for (size_t j = 0; j < s->tokens; j++)
            out[c] += p[j] / total * s->qkv[j][2][h][c];
    }
}

static int attention(state *s)
{
    int error = tomerge_size_bias(s->tokens, s->size, s->bias);

    for (size_t t = 0; t < s->tokens; t++)
        for (size_t i = 0; i < 3 * DIM; i++)
            s->qkv[t][i / DIM][i % DIM / HEAD][i % HEAD] = project(s->x[t], i);
    for (size_t t = 0; t < s->tokens; t++) {
        for (size_t h = 0; h < HEADS; h++) {
            float out[HEAD];

            attend(s, t, h, out);
            for (size_t c = 0; c < HEAD; c++)
                s->x[t][h * HEAD + c] += out[c];
        }
    }
    return error;
}

static void mlp(state *s)
{
    for (size_t t = 0; t < s->tokens; t++)
        for (size_t c = 0; c < DIM; c++)
            s->x[t][c] += 0.1f * tanhf(s->x[t][c]);
}

static int run(state *s)
{
    int error = 0;

    printf("%zu", s->tokens);
    for (int layer = 0; layer < LAYERS && !error; layer++) {
        error = attention(s);
        if (!error)
            error = merge_tokens(s, R);
        mlp(s);
        printf(" -> %zu", s->tokens);
    }
    return error;
}

int main(void)
{
    state *s = calloc(1, sizeof(*s));
    float sum = 0;
    int error, with_class = 0;

    if (!s || set_up_merging(s))
        return 1;
    s->tokens = TOKENS;
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t c = 0; c < DIM; c++)
            s->x[t][c] = sinf((float)(t / 4) + (float)(c * (t % 4 + 9)));
    error = run(s);
    for (size_t t = 0; t < s->tokens; t++)
        sum += s->size[t];
    for (size_t t = 0; t < TOKENS; t++)
        with_class += s->trace[t] == 0;
    printf(" rows for %g tokens, %d in the class token's row\n", (double)sum,
           with_class);
    if (error)
        fprintf(stderr, "%s\n", tomerge_strerror(error));
    free(s->workspace);
    free(s);
    return error != 0;
}

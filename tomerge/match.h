/* SPDX-License-Identifier: MIT */
/*
 * Inside matching: a job is one sequence to plan, a method splits it into
 * sources and destinations, a similarity scores them, tomerge_pair() does
 * the rest.
 */
#ifndef TOMERGE_MATCH_H
#define TOMERGE_MATCH_H

#include "check.h"
#include "numeric.h"

/* The pieces of a workspace for up to T tokens. */
typedef struct tomerge_match_space {
    int32_t *present;      /* [T] tokens that are there, ascending */
    int32_t *sources;      /* [T] tokens that may merge away, ascending */
    int32_t *destinations; /* [T] those that others may merge into, ascending */
    float *a_scale;        /* [T + 15] 1 / |a|, or 1; see tomerge_pair */
    float *b_scale;        /* [T + 15] likewise */
    float *score;          /* [T + 15] of each source, the higher the sooner it
                            * merges */
    int32_t *best;         /* [T + 15] its best destination */
    uint64_t *key;         /* [T] order of merging */
    int32_t *kept;         /* [T] the sources that do not merge */
    uint8_t *merges;       /* [T] of each source, whether it does */
    float *rest;           /* [T + 15] softmax: see similarity.c */
    int32_t *aside;        /* [T] what stays as it is: see tomerge_pair */
    float *rows;           /* [16 * channels] in f32 */
    float *panels;         /* [(T + 30) * channels] sources, destinations */
    float *distance;       /* [T * T] for methods that need it */
} tomerge_match_space;

/*
 * Tokens that are there are numbered by position, 0 .. present - 1; padding
 * and dropped ones have none, so the others merge as if they were alone.
 */
typedef struct tomerge_job {
    tomerge_options options; /* protect, role: of this sequence */
    size_t tokens, channels, r; /* r lowered to what fits */
    size_t present;        /* tokens that are there */
    size_t mergeable;      /* of these, those that may merge */
    tomerge_const_view metric;
    int32_t *map, *origin;
    size_t rows;           /* result */
    const tomerge_dsp *dsp;
    tomerge_match_space space;
    tomerge_panels a, b;   /* sources, destinations */
    size_t asides;         /* tokens in space.aside */
    int only_above;        /* only sources above this score merge */
    float above;
} tomerge_job;

/* A row of the table of methods. */
typedef struct tomerge_method_entry {
    const char *name;
    uint32_t needs;        /* enum tomerge_need */
    int needs_stride;
    int rounds;            /* what a round leaves can be matched anew */
    size_t (*most)(size_t mergeable); /* of the tokens that may merge, those
                            * that one call can remove */
    void (*plan)(tomerge_job *job);
} tomerge_method_entry;

/* NULL for what is not a method. */
const tomerge_method_entry *tomerge_method_of(int method);

void tomerge_plan_alternating(tomerge_job *job);
void tomerge_plan_sequential(tomerge_job *job);
void tomerge_plan_random(tomerge_job *job);
void tomerge_plan_strided(tomerge_job *job);
void tomerge_plan_topk(tomerge_job *job);
void tomerge_plan_evit(tomerge_job *job);
void tomerge_plan_given(tomerge_job *job);
void tomerge_plan_threshold(tomerge_job *job);
void tomerge_plan_pitome(tomerge_job *job);
void tomerge_plan_pitome_order(tomerge_job *job);
void tomerge_plan_ppt(tomerge_job *job);
void tomerge_plan_diffrate(tomerge_job *job);
void tomerge_plan_clusters(tomerge_job *job);
void tomerge_plan_upward(tomerge_job *job);
void tomerge_plan_mctf(tomerge_job *job);
void tomerge_plan_mutual(tomerge_job *job);

/* All tokens that may merge, in the order of their positions. */
size_t tomerge_mergeable(const tomerge_job *job, int32_t *list);

/* The tokens at every other position, from `first` on, that may merge. */
size_t tomerge_every_other(const tomerge_job *job, size_t first, int32_t *list);

/* Every other one of the tokens that may merge, wherever they are: neither side
 * has fewer than half of them, rounded down. */
void tomerge_split_mergeable(tomerge_job *job, size_t *sources,
                             size_t *destinations);

/* Numbers at random: uniform below n, from a state that any seed may begin. */
uint64_t tomerge_random_below(uint64_t *state, uint64_t n);

/* A row of the table of similarities. */
typedef struct tomerge_similarity_entry {
    const char *name;
    int needs_norm;        /* rows of zero norm have no similarity */
    /* Fills space.best and space.score for every source. */
    void (*score)(tomerge_job *job);
} tomerge_similarity_entry;

const tomerge_similarity_entry *tomerge_similarity_of(int similarity);

/* Whether the token at a position may merge. */
static inline int tomerge_may_merge(const tomerge_job *job, size_t position)
{
    const uint8_t *role = job->options.role;

    return position >= job->options.protect &&
           !(role && role[job->space.present[position]] == TOMERGE_PROTECTED);
}

/* The next output rows are built on these tokens. */
void tomerge_open_rows(tomerge_job *job, const int32_t *token, size_t count);

/* Opens the rows of the tokens that are there and may not merge. */
void tomerge_open_protected(tomerge_job *job);

/* A number that sorts as the score does, the highest first. */
static inline uint32_t tomerge_descending(float score)
{
    uint32_t bits = tomerge_bits(score + 0.0f); /* -0 becomes +0 */

    return bits & 0x80000000 ? bits : ~bits & 0x7fffffff;
}

/* The tokens that may merge by falling importance, into space.sources.
 * Returns how many there are. */
size_t tomerge_rank(tomerge_job *job);

/* Packs tokens of the metric into `panel`, with their scales: 1 / |row| or 1,
 * a NaN for a row that may not merge. */
tomerge_panels tomerge_pack(const tomerge_job *job, int needs_norm,
                            const int32_t *token, size_t count, float *panel,
                            float *scale);

/* Merges the r sources that are most similar to their best destination, and
 * opens the rows: those of protected tokens, of what is set aside, of the
 * sources that stay, of the destinations. The lists lie in the space; tokens in
 * neither are dropped, unless protected. A row that may not merge has a NaN for
 * its scale, which no comparison prefers. */
void tomerge_pair(tomerge_job *job, size_t sources, size_t destinations,
                  size_t r);

/* Moves the `count` smallest of `n` keys to the front, in any order. */
void tomerge_select(uint64_t *key, size_t n, size_t count);

/* Sorts the keys, the smallest first. */
void tomerge_sort(uint64_t *key, size_t n);

/* Checks all but the sequences' own lengths, roles and workspace. */
int tomerge_check_options(const tomerge_options *options, size_t channels);

/* EINVAL for something else than the options, before these were checked. */
int tomerge_check_refused(const tomerge_options *options, const char *what);

/* The metric and the arrays of the options that the method needs. */
int tomerge_check_needs(const tomerge_options *options, size_t channels,
                        tomerge_const_view metric, size_t tokens);

/* EINVAL unless the roles from `first` to before `end` are known to the method;
 * none are fine. */
int tomerge_check_roles(const tomerge_options *options, size_t first,
                        size_t end);

/* Checks all but the workspace, of which tomerge_match needs *bytes. */
int tomerge_check_match(const tomerge_options *options, size_t channels,
                        tomerge_const_view metric, const tomerge_plan *plan,
                        size_t *bytes);

/* Lays out the space of one job. */
void tomerge_match_carve(tomerge_match_space *space, tomerge_arena *arena,
                         const tomerge_options *options, size_t tokens,
                         size_t channels);

tomerge_job tomerge_new_job(const tomerge_dsp *dsp,
                            const tomerge_options *options, size_t channels,
                            tomerge_const_view metric, size_t r,
                            const tomerge_plan *plan);

/* Plans a job whose arguments have been checked: first the tokens that are
 * there, protected rows leading, then order and padding. */
void tomerge_match_run(tomerge_job *job, void *workspace);
void tomerge_match_present(tomerge_job *job, void *workspace);
void tomerge_match_finish(tomerge_job *job);

#endif

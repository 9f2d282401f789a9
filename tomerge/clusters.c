/* SPDX-License-Identifier: MIT */
/*
 * Agglomerative clustering [Haurum et al.: "Agglomerative Token Clustering",
 * ECCV 2024]: the two nearest clusters become one until r tokens are gone.
 *
 * Clusters that are each other's nearest merge at once, wherever they stand in
 * the order of distances; sorted afterwards these merges are those that going
 * by the smallest distance gives (the nearest-neighbour chain: Murtagh, "A
 * Survey of Recent Advances in Hierarchical Clustering Algorithms", The
 * Computer Journal 26 (4), 1983). So n tokens take O(n^2) steps.
 */
#include "build.h"

#include "match.h"

#include <math.h>
#include <string.h>

typedef struct forest {
    size_t count;          /* tokens that may merge */
    float *distance;       /* [count, count], between the live clusters */
    float *height;         /* [count - 1] of each merge */
    int32_t *first, *second; /* [count - 1] a token of each of its clusters */
    float *size;           /* [count] of the live clusters, 0 of others */
    int32_t *chain;        /* [count] */
} forest;

static float *between(const forest *f, size_t i, size_t j)
{
    return &f->distance[i * f->count + j];
}

/* Of the tokens in one panel to those in another. */
static void measure_panels(const tomerge_job *job, const forest *f,
                           const tomerge_panels *all, size_t i, size_t j)
{
    const float *scale = job->space.a_scale;
    float dots[TOMERGE_PANEL][TOMERGE_PANEL];

    job->dsp->dots(tomerge_packed_row(all, j), tomerge_packed_row(all, i),
                   all->channels, dots);
    for (size_t n = 0; n < TOMERGE_PANEL && i + n < f->count; n++) {
        for (size_t k = 0; k < TOMERGE_PANEL && j + k < f->count; k++) {
            float cosine = dots[n][k] * scale[i + n] * scale[j + k];

            *between(f, i + n, j + k) = cosine == cosine ? 1 - cosine : 4;
        }
    }
}

/* 1 - cosine; rows that cannot be compared are farther than all others. */
static void measure(const tomerge_job *job, const forest *f,
                    const int32_t *token)
{
    tomerge_panels all = tomerge_pack(job, 1, token, f->count,
                                      job->space.panels, job->space.a_scale);

    for (size_t i = 0; i < f->count; i += TOMERGE_PANEL)
        for (size_t j = i; j < f->count; j += TOMERGE_PANEL)
            measure_panels(job, f, &all, i, j);
    for (size_t i = 0; i < f->count; i++) /* the two differ in rounding */
        for (size_t j = 0; j < i; j++)
            *between(f, i, j) = *between(f, j, i);
    for (size_t i = 0; i < f->count; i++)
        *between(f, i, i) = INFINITY;
}

/* Loops over a row of distances go in steps that the compiler makes vectors
 * of, and know of no cluster that is gone: it is infinitely far from all, and
 * so is each from itself. */
enum { STEP = 8 };

static float least_of(size_t n, const float *row)
{
    float least[STEP], all = INFINITY;
    size_t j = 0;

    for (int k = 0; k < STEP; k++)
        least[k] = INFINITY;
    for (; n - j >= STEP; j += STEP)
        for (int k = 0; k < STEP; k++)
            least[k] = row[j + (size_t)k] < least[k] ? row[j + (size_t)k]
                                                     : least[k];
    for (int k = 0; k < STEP; k++)
        all = least[k] < all ? least[k] : all;
    for (; j < n; j++)
        all = row[j] < all ? row[j] : all;
    return all;
}

/* The live cluster nearest to i, `before` among equals, or else the first. */
static size_t nearest(const forest *f, size_t i, size_t before)
{
    const float *row = between(f, i, 0);
    float least = least_of(f->count, row);
    size_t j = 0;

    if (before < f->count && row[before] == least)
        return before;
    while (row[j] != least)
        j++;
    return j;
}

/* How far others are from what two clusters become, from how far they are from
 * these: into b. */
static void join_step(int linkage, size_t n, const float *restrict a,
                      float *restrict b, float a_size, float b_size)
{
    float total = a_size + b_size;

    if (linkage == TOMERGE_AVERAGE)
        for (size_t k = 0; k < n; k++)
            b[k] = (a[k] * a_size + b[k] * b_size) / total;
    else if (linkage == TOMERGE_COMPLETE)
        for (size_t k = 0; k < n; k++)
            b[k] = a[k] > b[k] ? a[k] : b[k];
    else
        for (size_t k = 0; k < n; k++)
            b[k] = a[k] < b[k] ? a[k] : b[k];
}

/* Cluster i becomes part of j. */
static void join(forest *f, int linkage, size_t i, size_t j)
{
    float *from = between(f, i, 0), *to = between(f, j, 0);
    size_t k = 0;

    for (; f->count - k >= STEP; k += STEP)
        join_step(linkage, STEP, from + k, to + k, f->size[i], f->size[j]);
    join_step(linkage, f->count - k, from + k, to + k, f->size[i],
              f->size[j]);
    to[i] = to[j] = INFINITY;
    for (k = 0; k < f->count; k++) {
        from[k] = *between(f, k, i) = INFINITY;
        *between(f, k, j) = to[k];
    }
    f->size[j] += f->size[i];
    f->size[i] = 0;
}

/* All merges there are, in any order. */
static void grow(forest *f, int linkage)
{
    size_t length = 0, start = 0;

    for (size_t merges = 0; merges + 1 < f->count;) {
        size_t last, next, before = f->count;

        if (length == 0) {
            while (f->size[start] == 0)
                start++;
            f->chain[length++] = (int32_t)start;
        }
        last = (size_t)f->chain[length - 1];
        if (length > 1)
            before = (size_t)f->chain[length - 2];
        next = nearest(f, last, before);
        if (next != before) {
            f->chain[length++] = (int32_t)next;
            continue;
        }
        f->height[merges] = *between(f, last, before);
        f->first[merges] = (int32_t)last;
        f->second[merges++] = (int32_t)before;
        join(f, linkage, last, before);
        length -= 2;
    }
}

static int32_t root(int32_t *parent, int32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* Carries out the r lowest merges: each token's parent leads to the first of
 * its cluster. */
static void cut(const tomerge_job *job, const forest *f, int32_t *parent)
{
    uint64_t *key = job->space.key;
    size_t merges = f->count - 1;

    for (size_t i = 0; i < f->count; i++)
        parent[i] = (int32_t)i;
    for (size_t m = 0; m < merges; m++)
        key[m] = (uint64_t)~tomerge_descending(f->height[m]) << 32 | m;
    tomerge_sort(key, merges);
    for (size_t m = 0; m < job->r; m++) {
        size_t at = (size_t)(key[m] & UINT32_MAX);
        int32_t a = root(parent, f->first[at]);
        int32_t b = root(parent, f->second[at]);

        if (a < b)
            parent[b] = a;
        else
            parent[a] = b;
    }
}

void tomerge_plan_clusters(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;
    int32_t *token = s->aside, *parent = s->destinations;
    forest f = {0, s->distance, s->score, s->sources, s->best, s->b_scale,
                s->kept};

    f.count = tomerge_mergeable(job, token);
    measure(job, &f, token);
    for (size_t i = 0; i < f.count; i++)
        f.size[i] = 1;
    grow(&f, job->options.linkage);
    cut(job, &f, parent);
    tomerge_open_protected(job);
    for (size_t i = 0; i < f.count; i++) {
        int32_t first = root(parent, (int32_t)i);

        if (first == (int32_t)i)
            tomerge_open_rows(job, &token[i], 1);
        else
            job->map[token[i]] = job->map[token[first]];
    }
}

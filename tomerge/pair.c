/* SPDX-License-Identifier: MIT */
/*
 * The heart of matching: given sources and destinations, each source finds
 * its most similar destination, the r best such pairs merge, and the map and
 * the origin are written.
 */
#include "build.h"

#include "match.h"
#include "numeric.h"

#include <math.h>
#include <string.h>

/* Multiplies a row by a power of two, which does not change its direction,
 * so that its largest element is near 1. */
static void rescale(float *row, size_t n, uint32_t peak)
{
    int exponent;

    frexpf(tomerge_float(peak), &exponent);
    for (size_t c = 0; c < n; c++)
        row[c] = ldexpf(row[c], -exponent);
}

/* Loads a token's metric. Returns 0 if the token may not merge: an infinity
 * or a NaN, or no direction where one is needed; else 1, and 1 / |row|. */
static int load_row(const tomerge_job *job, int needs_norm, int32_t token,
                    float *row, float *scale)
{
    const void *from = tomerge_at(job->metric, (size_t)token, 0);
    const float *x = tomerge_load(job->dsp, job->metric.dtype, from,
                                  job->channels, row);
    float squares;
    uint32_t peak;

    if (x != row)
        memcpy(row, x, job->channels * sizeof(*row));
    job->dsp->norm(row, job->channels, &squares, &peak);
    if (peak >= TOMERGE_F32_INF)
        return 0;
    *scale = 1;
    if (!needs_norm)
        return 1;
    if (peak == 0)
        return 0;
    if (peak < tomerge_bits(0x1p-40f) || peak > tomerge_bits(0x1p40f)) {
        rescale(row, job->channels, peak);
        job->dsp->norm(row, job->channels, &squares, &peak);
    }
    *scale = 1 / sqrtf(squares);
    return 1;
}

static void pack_destinations(tomerge_job *job, int needs_norm, size_t count)
{
    tomerge_match_space *s = &job->space;
    float *panel = s->rows;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        int32_t token = s->destinations[i];
        size_t j = used % TOMERGE_PANEL;

        if (!load_row(job, needs_norm, token, s->row, &s->scale[used]))
            continue;
        s->bias[used] = 0;
        s->b_token[used++] = token;
        for (size_t c = 0; c < job->channels; c++)
            panel[c * TOMERGE_PANEL + j] = s->row[c];
        if (j == TOMERGE_PANEL - 1)
            panel += job->channels * TOMERGE_PANEL;
    }
    job->b_count = used;
    for (; used % TOMERGE_PANEL; used++) {
        s->scale[used] = 0;
        s->bias[used] = -INFINITY;
        for (size_t c = 0; c < job->channels; c++)
            panel[c * TOMERGE_PANEL + used % TOMERGE_PANEL] = 0;
    }
    job->b.data = s->rows;
    job->b.scale = s->scale;
    job->b.bias = s->bias;
    job->b.columns = used;
    job->b.channels = job->channels;
}

static void pack_sources(tomerge_job *job, int needs_norm, size_t count)
{
    tomerge_match_space *s = &job->space;
    float *a = s->rows + job->b.columns * job->channels;

    job->a = a;
    job->a_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!load_row(job, needs_norm, s->sources[i], a,
                      &s->a_scale[job->a_count]))
            continue;
        s->a_token[job->a_count++] = s->sources[i];
        a += job->channels;
    }
}

/* A number that sorts as the score does, the highest first. */
static uint32_t descending(float score)
{
    uint32_t bits = tomerge_bits(score + 0.0f); /* -0 becomes +0 */

    return bits & 0x80000000 ? bits : ~bits & 0x7fffffff;
}

/* Sets the target of the r sources that merge. */
static void choose(tomerge_job *job, size_t r)
{
    tomerge_match_space *s = &job->space;
    size_t candidates = 0;

    for (size_t i = 0; i < job->a_count; i++)
        if (s->best[i] >= 0 && s->score[i] == s->score[i])
            s->key[candidates++] = (uint64_t)descending(s->score[i]) << 32 | i;
    r = r < candidates ? r : candidates;
    tomerge_select(s->key, candidates, r);
    for (size_t i = 0; i < r; i++) {
        size_t a = (size_t)(s->key[i] & UINT32_MAX);

        s->target[s->a_token[a]] = s->b_token[s->best[a]];
    }
}

static void write_map(tomerge_job *job, size_t sources, size_t destinations)
{
    const tomerge_match_space *s = &job->space;

    for (size_t p = 0; p < job->present; p++)
        if (!tomerge_may_merge(job, p))
            tomerge_open_row(job, s->present[p]);
    for (size_t i = 0; i < sources; i++)
        if (s->target[s->sources[i]] < 0)
            tomerge_open_row(job, s->sources[i]);
    for (size_t i = 0; i < destinations; i++)
        tomerge_open_row(job, s->destinations[i]);
    for (size_t i = 0; i < sources; i++) {
        int32_t token = s->sources[i];

        if (s->target[token] >= 0)
            job->map[token] = job->map[s->target[token]];
    }
}

void tomerge_pair(tomerge_job *job, size_t sources, size_t destinations,
                  size_t r)
{
    const tomerge_similarity_entry *similarity =
        tomerge_similarity_of(job->options.similarity);

    for (size_t i = 0; i < job->tokens; i++)
        job->space.target[i] = -1;
    pack_destinations(job, similarity->needs_norm, destinations);
    pack_sources(job, similarity->needs_norm, sources);
    similarity->score(job);
    choose(job, r);
    write_map(job, sources, destinations);
}

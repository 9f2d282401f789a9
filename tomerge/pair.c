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

/* The largest magnitude in a packed row, as bits: at least TOMERGE_F32_INF if
 * there is an infinity or a NaN. */
static uint32_t peak_of(const float *row, size_t channels)
{
    uint32_t peak = 0;

    for (size_t c = 0; c < channels; c++) {
        uint32_t bits = tomerge_bits(row[c * TOMERGE_PANEL]) & 0x7fffffff;

        peak = bits > peak ? bits : peak;
    }
    return peak;
}

/* Multiplies a packed row by a power of two, which does not change its
 * direction, so that its largest element is near 1. Returns the new sum of
 * squares. */
static float rescale(float *row, size_t channels, uint32_t peak)
{
    float squares = 0;
    int exponent;

    frexpf(tomerge_float(peak), &exponent);
    for (size_t c = 0; c < channels; c++) {
        float *x = &row[c * TOMERGE_PANEL];

        *x = ldexpf(*x, -exponent);
        squares = tomerge_fma(*x, *x, squares);
    }
    return squares;
}

/* The scale of a packed row whose sum of squares is out of the ordinary: a NaN
 * if it may not merge, for an infinity or a NaN in it, or for no direction
 * where one is needed. */
static float unusual_scale(float *row, size_t channels, int needs_norm)
{
    uint32_t peak = peak_of(row, channels);

    if (peak >= TOMERGE_F32_INF || (needs_norm && peak == 0))
        return NAN;
    return needs_norm ? 1 / sqrtf(rescale(row, channels, peak)) : 1;
}

/* Packs up to 16 tokens, with their scales: 1 / |row|, or 1. Products of two
 * rows whose squares lie within these bounds cannot leave the range of f32. */
static void pack_panel(const tomerge_job *job, int needs_norm,
                       const int32_t *token, size_t count, float *panel,
                       float *scale)
{
    static const float least = 0x1p-80f, most = 0x1p80f;
    const float *rows[TOMERGE_PANEL];
    float squares[TOMERGE_PANEL];

    for (size_t j = 0; j < count; j++)
        rows[j] = tomerge_load(job->dsp, job->metric.dtype,
                               tomerge_at(job->metric, (size_t)token[j], 0),
                               job->channels,
                               job->space.rows + j * job->channels);
    job->dsp->pack(panel, squares, rows, count, job->channels);
    for (size_t j = 0; j < TOMERGE_PANEL; j++)
        scale[j] = 1 / sqrtf(squares[j]);
    for (size_t j = 0; !needs_norm && j < TOMERGE_PANEL; j++)
        scale[j] = 1;
    for (size_t j = 0; j < count; j++)
        if (!(squares[j] >= least && squares[j] <= most))
            scale[j] = unusual_scale(panel + j, job->channels, needs_norm);
}

tomerge_panels tomerge_pack(const tomerge_job *job, int needs_norm,
                            const int32_t *token, size_t count, float *panel,
                            float *scale)
{
    tomerge_panels packed = {panel, count, job->channels};

    for (size_t i = 0; i < count; i += TOMERGE_PANEL) {
        size_t left = count - i;

        pack_panel(job, needs_norm, token + i,
                   left < TOMERGE_PANEL ? left : TOMERGE_PANEL,
                   panel + i * job->channels, scale + i);
    }
    return packed;
}

/* Chooses the r sources that merge: the first of the keys, whose lower halves
 * number them. Returns r, lowered to those that can. */
static size_t choose(const tomerge_job *job, size_t r)
{
    const tomerge_match_space *s = &job->space;
    const float *score = s->score, *scale = s->a_scale;
    const int32_t *best = s->best;
    uint64_t *key = s->key;
    size_t candidates = 0;

    for (size_t i = 0; i < job->a.rows; i++) {
        float scaled = score[i] * scale[i];

        key[candidates] = (uint64_t)tomerge_descending(scaled) << 32 | i;
        candidates += (best[i] >= 0) & (scaled == scaled) &
                      (!job->only_above | (scaled > job->above));
    }
    r = r < candidates ? r : candidates;
    tomerge_select(key, candidates, r);
    return r;
}

/* The first destination that nothing merges into of itself, else the first. */
static int32_t last_resort(const tomerge_job *job)
{
    const float *scale = job->space.b_scale;

    for (size_t j = 0; j < job->b.rows; j++)
        if (scale[j] != scale[j])
            return (int32_t)j;
    return 0;
}

/* Adds sources that cannot be compared until there are r: the first first. */
static size_t force(const tomerge_job *job, size_t chosen, size_t r)
{
    const tomerge_match_space *s = &job->space;
    int32_t where = last_resort(job);

    for (size_t i = 0; i < job->a.rows && chosen < r; i++) {
        float scaled = s->score[i] * s->a_scale[i];

        if (s->best[i] >= 0 && scaled == scaled)
            continue;
        s->best[i] = where;
        s->key[chosen++] = i;
    }
    return chosen;
}

/* Opens the rows and sends the first r of the keys where they merge. */
static void write_map(tomerge_job *job, size_t destinations, size_t r)
{
    const tomerge_match_space *s = &job->space;
    const int32_t *source = s->sources, *best = s->best;
    const uint8_t *merges = s->merges;
    int32_t *map = job->map, *kept = s->kept;
    size_t count = 0;

    tomerge_open_protected(job);
    tomerge_open_rows(job, s->aside, job->asides);
    memset(s->merges, 0, job->a.rows);
    for (size_t i = 0; i < r; i++)
        s->merges[s->key[i] & UINT32_MAX] = 1;
    for (size_t i = 0; i < job->a.rows; i++) {
        kept[count] = source[i];
        count += !merges[i];
    }
    tomerge_open_rows(job, kept, count);
    tomerge_open_rows(job, s->destinations, destinations);
    for (size_t i = 0; i < r; i++) {
        size_t a = (size_t)(s->key[i] & UINT32_MAX);

        map[source[a]] = map[s->destinations[best[a]]];
    }
}

void tomerge_pair(tomerge_job *job, size_t sources, size_t destinations,
                  size_t r)
{
    const tomerge_similarity_entry *similarity =
        tomerge_similarity_of(job->options.similarity);
    tomerge_match_space *s = &job->space;
    size_t whole = tomerge_panels_of(sources) * TOMERGE_PANEL, chosen;

    job->a = tomerge_pack(job, similarity->needs_norm, s->sources, sources,
                          s->panels, s->a_scale);
    job->b = tomerge_pack(job, similarity->needs_norm, s->destinations,
                          destinations, s->panels + whole * job->channels,
                          s->b_scale);
    similarity->score(job);
    chosen = choose(job, r);
    if (job->options.exact && destinations)
        chosen = force(job, chosen, r < sources ? r : sources);
    write_map(job, destinations, chosen);
}

/* SPDX-License-Identifier: MIT */
/*
 * Multi-criteria token fusion [Lee, Choi, Kim, CVPR 2024: MCTF]: two tokens are
 * the better matched the more alike, the less important and the smaller both
 * are,
 *
 *     w = ((cosine + 1) / 2)^(1 / tau[0]) * (g g')^(1 / tau[1])
 *         * (z z')^(1 / tau[2]),
 *
 * g being 1 / importance and z 1 / size, over the largest of all tokens'. Half
 * of the tokens that go do so from the even positions to the odd ones, the
 * others from the odd ones to what is left of the even.
 *
 * What does not depend on the pair is one factor a token.
 */
#include "build.h"

#include "match.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- weights of pairs ---------------------------------------------------- */

static float value_at(const float *values, size_t i)
{
    return values[i] > FLT_MIN ? values[i] : FLT_MIN;
}

/* Multiplies the factors of the tokens that are there by (least / value)^(1 /
 * tau), which is 1 of the token of least value. A NaN is above all values. */
static void weigh(const tomerge_job *job, const float *values, float tau,
                  float *factor)
{
    const int32_t *present = job->space.present;
    float least = INFINITY;

    if (!(tau > 0) || !values)
        return;
    for (size_t p = 0; p < job->present; p++)
        least = fminf(least, value_at(values, (size_t)present[p]));
    for (size_t p = 0; p < job->present; p++) {
        size_t i = (size_t)present[p];

        factor[i] *= values[i] != values[i] ? 0
                         : powf(least / value_at(values, i), 1 / tau);
    }
}

static float of_cosine(float cosine, float tau)
{
    float half = (cosine + 1) / 2;

    if (!(tau > 0))
        return 1;
    half = half > 0 ? half : 0;
    return tau == 1 ? half : powf(half, 1 / tau);
}

/* Of the sources in one panel with the destinations in another, whose factors
 * are job->space.score. */
static void measure_panels(tomerge_job *job, const tomerge_panels *a,
                           const tomerge_panels *b, const float *factor,
                           size_t i, size_t j)
{
    const tomerge_match_space *s = &job->space;
    size_t left = b->rows - j;
    size_t columns = left < TOMERGE_PANEL ? left : TOMERGE_PANEL;
    float dots[TOMERGE_PANEL][TOMERGE_PANEL], tau = job->options.tau[0];

    job->dsp->dots(tomerge_packed_row(b, j), tomerge_packed_row(a, i),
                   job->channels, dots);
    for (size_t n = 0; n < TOMERGE_PANEL && i + n < a->rows; n++) {
        float *row = s->distance + (i + n) * b->rows + j;
        float own = factor[s->sources[i + n]], scale = s->a_scale[i + n];

        for (size_t k = 0; k < columns; k++) {
            float cosine = dots[n][k] * scale * s->b_scale[j + k];

            if (cosine == cosine)
                row[k] = of_cosine(cosine, tau) * own * s->score[j + k];
        }
    }
}

/* w [sources, destinations]: -1 where a pair cannot be compared, or 0 where one
 * has to go all the same. */
static void measure(tomerge_job *job, const float *factor, size_t sources,
                    size_t destinations)
{
    tomerge_match_space *s = &job->space;
    size_t whole = tomerge_panels_of(sources) * TOMERGE_PANEL;
    tomerge_panels a = tomerge_pack(job, 1, s->sources, sources, s->panels,
                                    s->a_scale);
    tomerge_panels b = tomerge_pack(job, 1, s->destinations, destinations,
                                    s->panels + whole * job->channels,
                                    s->b_scale);
    float none = job->options.exact ? 0 : -1;

    for (size_t i = 0; i < sources * destinations; i++)
        s->distance[i] = none;
    for (size_t j = 0; j < destinations; j++)
        s->score[j] = factor[s->destinations[j]];
    for (size_t i = 0; i < sources; i += TOMERGE_PANEL)
        for (size_t j = 0; j < destinations; j += TOMERGE_PANEL)
            measure_panels(job, &a, &b, factor, i, j);
}

/* ---- matching ------------------------------------------------------------ */

/* Of `count` tokens each with its best weight, as keys, the r best: marks those
 * in `goes`. */
static void choose(const tomerge_job *job, size_t count, size_t r,
                   uint8_t *goes)
{
    const tomerge_match_space *s = &job->space;
    size_t candidates = 0;

    memset(goes, 0, count);
    for (size_t i = 0; i < count; i++) {
        s->key[candidates] = (uint64_t)tomerge_descending(s->score[i]) << 32 |
                             i;
        candidates += s->score[i] >= 0;
    }
    r = r < candidates ? r : candidates;
    tomerge_select(s->key, candidates, r);
    for (size_t k = 0; k < r; k++)
        goes[s->key[k] & UINT32_MAX] = 1;
}

/* The best destination of every source, the first of equals. */
static void look_right(const tomerge_match_space *s, size_t sources,
                       size_t destinations, int32_t *into)
{
    for (size_t i = 0; i < sources; i++) {
        const float *row = s->distance + i * destinations;
        float score = -1;
        int32_t best = -1;

        for (size_t j = 0; j < destinations; j++) {
            best = row[j] > score ? (int32_t)j : best;
            score = row[j] > score ? row[j] : score;
        }
        s->score[i] = score;
        into[i] = best;
    }
}

/* And of every destination among the sources that are not gone. */
static void look_left(const tomerge_match_space *s, size_t sources,
                      size_t destinations, const uint8_t *gone)
{
    for (size_t j = 0; j < destinations; j++) {
        s->score[j] = -1;
        s->best[j] = -1;
    }
    for (size_t i = 0; i < sources; i++) {
        const float *row = s->distance + i * destinations;

        for (size_t j = 0; !gone[i] && j < destinations; j++) {
            s->best[j] = row[j] > s->score[j] ? (int32_t)i : s->best[j];
            s->score[j] = row[j] > s->score[j] ? row[j] : s->score[j];
        }
    }
}

/* The destinations that stay, by falling weight, those that cannot be compared
 * last; job->space.key is theirs. */
static void open_destinations(tomerge_job *job, size_t count,
                              const uint8_t *goes)
{
    const tomerge_match_space *s = &job->space;
    size_t left = 0;

    for (size_t j = 0; j < count; j++) {
        s->key[left] = (uint64_t)tomerge_descending(s->score[j]) << 32 | j;
        left += !goes[j];
    }
    tomerge_sort(s->key, left);
    for (size_t k = 0; k < left; k++)
        tomerge_open_rows(job, &s->destinations[s->key[k] & UINT32_MAX], 1);
}

/* Both ways there have to be enough tokens on each side. */
static void split(tomerge_job *job, size_t *sources, size_t *destinations,
                  size_t first, size_t second)
{
    *sources = tomerge_every_other(job, 0, job->space.sources);
    *destinations = tomerge_every_other(job, 1, job->space.destinations);
    if (job->options.exact &&
        (*sources < first + (second > 0) || *destinations < second ||
         *destinations == 0))
        tomerge_split_mergeable(job, sources, destinations);
}

void tomerge_plan_mctf(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;
    int one_way = job->options.one_way;
    size_t first = one_way ? job->r : job->r / 2, second = job->r - first;
    size_t sources, destinations;
    uint8_t *gone = s->merges, *goes = (uint8_t *)s->kept;
    int32_t *into = s->aside; /* of each source */

    split(job, &sources, &destinations, first, second);
    for (size_t i = 0; i < job->tokens; i++)
        s->rest[i] = 1;
    weigh(job, job->options.importance, job->options.tau[1], s->rest);
    weigh(job, job->options.size, job->options.tau[2], s->rest);
    measure(job, s->rest, sources, destinations);

    look_right(s, sources, destinations, into);
    choose(job, sources, first, gone);
    tomerge_open_protected(job);
    for (size_t i = 0; i < sources; i++)
        tomerge_open_rows(job, &s->sources[i], !gone[i]);

    look_left(s, sources, destinations, gone);
    choose(job, destinations, second, goes);
    if (one_way)
        for (size_t j = 0; j < destinations; j++)
            s->score[j] = 0; /* they stay in order */
    open_destinations(job, destinations, goes);
    for (size_t j = 0; j < destinations; j++)
        if (goes[j])
            job->map[s->destinations[j]] =
                job->map[s->sources[s->best[j]]];
    for (size_t i = 0; i < sources; i++)
        if (gone[i])
            job->map[s->sources[i]] = job->map[s->destinations[into[i]]];
}

/* SPDX-License-Identifier: MIT */
/*
 * Merging upward: of each token what would be lost if it became part of a more
 * important one is its importance times 1 - cosine with the most similar of
 * these. The tokens that lose least go, each into the most similar of those
 * that stay.
 *
 * Importance alone would have a unique token of little weight go before one of
 * many that are alike; similarity alone does not know which tokens the answer
 * hangs on. The product is the first order of what attention loses: the weight
 * of a row times how far it moves. As a bound on it, `threshold`, says the same
 * of every image, images that are easily told go through with few tokens, which
 * leaves more to the others.
 */
#include "build.h"

#include "match.h"

#include <math.h>
#include <string.h>

/* Of the tokens in one panel of `all`, the best among those before them in it;
 * the best in the panels before is known. */
static void look_within(const tomerge_job *job, const tomerge_panels *all,
                        size_t first, size_t count)
{
    const tomerge_match_space *s = &job->space;
    const float *panel = tomerge_packed_row(all, first);
    float dots[TOMERGE_PANEL][TOMERGE_PANEL];

    job->dsp->dots(panel, panel, all->channels, dots);
    for (size_t j = 0; j + 1 < count; j++) {
        for (size_t i = j + 1; i < count; i++) {
            float score = dots[j][i] * s->b_scale[first + j];

            if (score > s->score[first + i])
                s->score[first + i] = score;
        }
    }
}

/* The highest similarity of every ranked token with one ranked before it, but
 * for the scale of its own; -infinity if there is none. */
static void look_upward(tomerge_job *job, size_t ranked)
{
    const tomerge_match_space *s = &job->space;
    tomerge_panels all = tomerge_pack(job, 1, s->sources, ranked, s->panels,
                                      s->a_scale);

    memcpy(s->b_scale, s->a_scale,
           tomerge_panels_of(ranked) * TOMERGE_PANEL * sizeof(*s->b_scale));
    for (size_t first = 0; first < ranked; first += TOMERGE_PANEL) {
        size_t left = ranked - first;
        size_t count = left < TOMERGE_PANEL ? left : TOMERGE_PANEL;
        tomerge_panels own = {tomerge_packed_row(&all, first), count,
                              job->channels};
        tomerge_panels before = {all.data, first, job->channels};

        for (size_t i = 0; i < count; i++)
            s->score[first + i] = -INFINITY;
        if (first > 0)
            job->dsp->best_dot(&own, &before, s->b_scale, s->score + first,
                               s->best + first);
        look_within(job, &all, first, count);
    }
}

/* What is lost with a ranked token: infinite where that is not known. */
static float loss_of(const tomerge_job *job, size_t i)
{
    const tomerge_match_space *s = &job->space;
    float cosine = s->score[i] * s->a_scale[i];
    float apart = 1 - cosine > 0 ? 1 - cosine : 0;
    float loss = job->options.importance[s->sources[i]] * apart;

    return s->score[i] > -INFINITY && cosine == cosine && loss == loss
               ? loss : INFINITY;
}

/* Marks which tokens go: returns how many. The first of the rank never does;
 * among equal losses the first by position goes. */
static size_t choose(tomerge_job *job, size_t ranked)
{
    const tomerge_match_space *s = &job->space;
    int exact = job->options.exact;
    float bound = job->options.threshold > 0 && !exact ? job->options.threshold
                                                       : INFINITY;
    size_t candidates = 0, r;

    memset(s->merges, 0, job->tokens);
    for (size_t i = 1; i < ranked; i++) {
        float loss = loss_of(job, i);

        s->key[candidates] = (uint64_t)~tomerge_descending(loss) << 32 |
                             (uint32_t)s->sources[i];
        candidates += loss < bound || exact;
    }
    r = job->r < candidates ? job->r : candidates;
    tomerge_select(s->key, candidates, r);
    for (size_t k = 0; k < r; k++)
        s->merges[s->key[k] & UINT32_MAX] = 1;
    return r;
}

void tomerge_plan_upward(tomerge_job *job)
{
    const tomerge_match_space *s = &job->space;
    size_t ranked = tomerge_rank(job), sources = 0, destinations = 0, r;

    look_upward(job, ranked);
    r = choose(job, ranked);
    for (size_t i = 0; i < ranked; i++) {
        int32_t token = s->sources[i];

        if (s->merges[token])
            s->sources[sources++] = token;
        else
            s->destinations[destinations++] = token;
    }
    tomerge_pair(job, sources, destinations, r);
}

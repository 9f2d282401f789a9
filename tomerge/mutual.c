/* SPDX-License-Identifier: MIT */
/* Mutual nearest neighbours [MPM, arXiv 2604.05718]: two tokens that are each
 * the other's most similar become one, the first of them. */
#include "build.h"

#include "match.h"

#include <math.h>

/* The tokens of one panel with those of another. */
static void compare(const tomerge_job *job, const tomerge_panels *all,
                    size_t first, size_t others)
{
    const tomerge_match_space *s = &job->space;
    float dots[TOMERGE_PANEL][TOMERGE_PANEL];

    job->dsp->dots(tomerge_packed_row(all, others),
                   tomerge_packed_row(all, first), all->channels, dots);
    for (size_t n = 0; n < TOMERGE_PANEL && first + n < all->rows; n++) {
        size_t i = first + n;

        if (s->a_scale[i] != s->a_scale[i])
            continue;
        for (size_t k = 0; k < TOMERGE_PANEL && others + k < all->rows; k++) {
            /* Without the scale of i, which may be none. */
            float score = dots[n][k] * s->a_scale[others + k];

            if (others + k == i || !(score > s->score[i]))
                continue;
            s->score[i] = score;
            s->best[i] = (int32_t)(others + k);
        }
    }
}

/* Of every token the most similar other one, the first of equals; -1 if there
 * is none that it can be compared with. */
static void find(tomerge_job *job, const tomerge_panels *all)
{
    const tomerge_match_space *s = &job->space;

    for (size_t i = 0; i < all->rows; i++) {
        s->best[i] = -1;
        s->score[i] = -INFINITY;
    }
    for (size_t first = 0; first < all->rows; first += TOMERGE_PANEL)
        for (size_t j = 0; j < all->rows; j += TOMERGE_PANEL)
            compare(job, all, first, j);
}

void tomerge_plan_mutual(tomerge_job *job)
{
    const tomerge_match_space *s = &job->space;
    int32_t *token = s->aside;
    tomerge_panels all;
    size_t count = tomerge_mergeable(job, token);

    all = tomerge_pack(job, 1, token, count, s->panels, s->a_scale);
    find(job, &all);
    tomerge_open_protected(job);
    for (size_t i = 0; i < count; i++) {
        int32_t other = s->best[i];

        if (other >= 0 && (size_t)other < i &&
            s->best[other] == (int32_t)i)
            job->map[token[i]] = job->map[token[other]];
        else
            tomerge_open_rows(job, &token[i], 1);
    }
}

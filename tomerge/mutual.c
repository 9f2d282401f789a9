/* SPDX-License-Identifier: MIT */
/* Mutual nearest neighbours [MPM, arXiv 2604.05718]: two tokens that are each
 * the other's most similar become one, the first of them. */
#include "build.h"

#include "match.h"

#include <math.h>

/* Of every token the most similar other one, the first of equals; -1 if there
 * is none that it can be compared with. */
static void find(tomerge_job *job, const tomerge_panels *all)
{
    const tomerge_match_space *s = &job->space;

    for (size_t i = 0; i < all->rows; i++) {
        float best = -INFINITY, dots[TOMERGE_PANEL];

        s->best[i] = -1;
        for (size_t j = 0; j < all->rows; j++) {
            float score;

            if (j % TOMERGE_PANEL == 0)
                job->dsp->dots(tomerge_packed_row(all, j), all, i, dots);
            /* Without the scale of i, which may be none. */
            score = dots[j % TOMERGE_PANEL] * s->a_scale[j];
            if (j == i || s->a_scale[i] != s->a_scale[i] || !(score > best))
                continue;
            best = score;
            s->best[i] = (int32_t)j;
        }
    }
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

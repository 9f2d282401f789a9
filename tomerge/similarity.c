/* SPDX-License-Identifier: MIT */
/* What "similar" means: one row of the table each. */
#include "build.h"

#include "match.h"

#include <math.h>
#include <string.h>

/* The metric is not normalised: a dot product is scaled by 1 / |b|, which
 * decides among the destinations of one source, and the best of each source
 * by 1 / |a|, which decides among sources, later. So the rounding of a
 * normalised copy plays no part in the choice. Also plain products, whose
 * scales are 1. */
static void score_product(tomerge_job *job)
{
    job->dsp->best_dot(&job->a, &job->b, job->space.b_scale, job->space.score,
                       job->space.best);
}

/* The differences are squared one by one: |a|^2 - 2 ab + |b|^2 would lose
 * what little tells similar tokens apart. */
static void score_euclidean(tomerge_job *job)
{
    job->dsp->best_distance(&job->a, &job->b, job->space.b_scale,
                            job->space.score, job->space.best);
}

/* Adds what destinations are to the rest of the sources in a panel from `first`
 * on; see below. */
static void add_shares(tomerge_job *job, size_t first, float unit)
{
    tomerge_match_space *s = &job->space;
    size_t left = job->a.rows - first;
    size_t rows = left < TOMERGE_PANEL ? left : TOMERGE_PANEL;
    float dots[TOMERGE_PANEL][TOMERGE_PANEL];

    for (size_t j = 0; j < job->b.rows; j++) {
        if (j % TOMERGE_PANEL == 0)
            job->dsp->dots(tomerge_packed_row(&job->a, first),
                           tomerge_packed_row(&job->b, j), job->channels,
                           dots);
        if (s->b_scale[j] != 1)
            continue; /* it may not merge */
        for (size_t i = 0; i < rows; i++)
            if ((int32_t)j != s->best[first + i])
                s->rest[first + i] +=
                    expf((dots[j % TOMERGE_PANEL][i] - s->score[first + i]) *
                         unit);
    }
}

/* The best share of a softmax is 1 / (1 + rest), rest being the sum of
 * exp(l_j - l_best) over the other destinations. Ranked by -rest: the share
 * itself rounds to 1 long before rest reaches 0. */
static void score_softmax(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;
    float unit = 1.0f / sqrtf((float)job->channels);

    score_product(job);
    for (size_t i = 0; i < job->a.rows; i++)
        s->rest[i] = 0;
    for (size_t i = 0; i < job->a.rows; i += TOMERGE_PANEL)
        add_shares(job, i, unit);
    for (size_t i = 0; i < job->a.rows; i++)
        s->score[i] = -s->rest[i];
}

static const tomerge_similarity_entry similarities[] = {
    [TOMERGE_COSINE] = {"cosine", 1, score_product},
    [TOMERGE_DOT] = {"dot", 0, score_product},
    [TOMERGE_EUCLIDEAN] = {"euclidean", 0, score_euclidean},
    [TOMERGE_SOFTMAX] = {"softmax", 0, score_softmax},
};
enum { SIMILARITIES = sizeof(similarities) / sizeof(similarities[0]) };

const tomerge_similarity_entry *tomerge_similarity_of(int similarity)
{
    if (similarity < 0 || similarity >= SIMILARITIES)
        return NULL;
    return &similarities[similarity];
}

const char *tomerge_similarity_name(int similarity)
{
    const tomerge_similarity_entry *entry = tomerge_similarity_of(similarity);

    return entry ? entry->name : NULL;
}

int tomerge_similarity_from_name(const char *name, int *similarity)
{
    if (!name || !similarity)
        return TOMERGE_EINVAL;
    for (int i = 0; i < SIMILARITIES; i++) {
        if (!strcmp(name, similarities[i].name)) {
            *similarity = i;
            return 0;
        }
    }
    return TOMERGE_EINVAL;
}

/* SPDX-License-Identifier: MIT */
/* What "similar" means: one row of the table each. */
#include "build.h"

#include "match.h"

#include <math.h>
#include <string.h>

/* The metric is not normalised: a dot product is scaled by 1 / |b|, which
 * decides among the destinations of one source, and the best of each source
 * by 1 / |a|, which decides among sources. So the rounding of a normalised
 * copy plays no part in the choice. */
static void score_cosine(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;

    job->dsp->best_dot(&job->b, job->a, job->a_count, s->score, s->best);
    for (size_t i = 0; i < job->a_count; i++)
        s->score[i] *= s->a_scale[i];
}

static void score_dot(tomerge_job *job)
{
    job->dsp->best_dot(&job->b, job->a, job->a_count, job->space.score,
                       job->space.best);
}

/* The differences are squared one by one: |a|^2 - 2 ab + |b|^2 would lose
 * what little tells similar tokens apart. */
static void score_euclidean(tomerge_job *job)
{
    job->dsp->best_distance(&job->b, job->a, job->a_count, job->space.score,
                            job->space.best);
}

/* The best share of a softmax is 1 / (1 + rest), rest being the sum of
 * exp(l_j - l_best) over the other destinations. Ranked by -rest: the share
 * itself rounds to 1 long before rest reaches 0. */
static void score_softmax(tomerge_job *job)
{
    tomerge_match_space *s = &job->space;
    float unit = 1.0f / sqrtf((float)job->channels);

    job->dsp->best_dot(&job->b, job->a, job->a_count, s->score, s->best);
    for (size_t i = 0; i < job->a_count; i++) {
        float highest = s->score[i], rest = 0;

        job->dsp->dots(&job->b, job->a + i * job->channels, s->dots);
        for (size_t j = 0; j < job->b_count; j++)
            if ((int32_t)j != s->best[i])
                rest += expf((s->dots[j] - highest) * unit);
        s->score[i] = -rest;
    }
}

static const tomerge_similarity_entry similarities[] = {
    [TOMERGE_COSINE] = {"cosine", 1, score_cosine},
    [TOMERGE_DOT] = {"dot", 0, score_dot},
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

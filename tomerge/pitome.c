/* SPDX-License-Identifier: MIT */
/*
 * PiToMe [Tran et al.: "Accelerating Transformers with Spectrum-Preserving
 * Token Merging", NeurIPS 2024]: tokens of high energy, those that many others
 * resemble, merge; the others stay.
 */
#include "build.h"

#include "match.h"

/* Of each token the mean over all, itself too, of ELU(cosine - margin). */
static void find_energy(const tomerge_job *job, const tomerge_panels *all,
                        const float *scale, float *energy)
{
    size_t size = all->channels * TOMERGE_PANEL;

    for (size_t first = 0; first < all->rows; first += TOMERGE_PANEL) {
        const float *own = all->data + first / TOMERGE_PANEL * size;
        double sum[TOMERGE_PANEL] = {0};
        float dots[TOMERGE_PANEL][TOMERGE_PANEL];

        for (size_t j = 0; j < all->rows; j++) {
            if (j % TOMERGE_PANEL == 0)
                job->dsp->dots(own, all->data + j / TOMERGE_PANEL * size,
                               all->channels, dots);
            if (scale[j] == scale[j])
                job->dsp->elu(sum, dots[j % TOMERGE_PANEL], scale[j],
                              scale + first, job->options.threshold);
        }
        for (size_t k = 0; k < TOMERGE_PANEL && first + k < all->rows; k++)
            energy[first + k] = (float)(sum[k] / (double)all->rows);
    }
}

/* The tokens that may merge by falling energy, into `order`; those that cannot
 * be compared last. */
static size_t rank(tomerge_job *job, int32_t *order)
{
    tomerge_match_space *s = &job->space;
    tomerge_panels all;
    size_t count = tomerge_mergeable(job, order);

    all = tomerge_pack(job, 1, order, count, s->panels, s->a_scale);
    find_energy(job, &all, s->a_scale, s->rest);
    for (size_t i = 0; i < count; i++) {
        int compares = s->a_scale[i] == s->a_scale[i];
        uint32_t key = compares ? tomerge_descending(s->rest[i]) : UINT32_MAX;

        s->key[i] = (uint64_t)key << 32 | (uint32_t)order[i];
    }
    tomerge_sort(s->key, count);
    for (size_t i = 0; i < count; i++)
        order[i] = (int32_t)(s->key[i] & UINT32_MAX);
    return count;
}

/* The first `count` of the order: even places are sources, odd destinations. */
static void split(tomerge_job *job, const int32_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i % 2)
            job->space.destinations[i / 2] = order[i];
        else
            job->space.sources[i / 2] = order[i];
    }
}

void tomerge_plan_pitome(tomerge_job *job)
{
    int32_t *order = job->space.aside;
    size_t count = rank(job, order), r = job->r;

    split(job, order, 2 * r);
    job->asides = count - 2 * r;
    for (size_t i = 0; i < job->asides; i++)
        order[i] = order[i + 2 * r];
    tomerge_pair(job, r, r, r);
}

void tomerge_plan_pitome_order(tomerge_job *job)
{
    size_t count = rank(job, job->space.aside);

    split(job, job->space.aside, count);
    tomerge_pair(job, (count + 1) / 2, count / 2, job->r);
}

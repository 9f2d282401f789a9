/* SPDX-License-Identifier: MIT */
/* How far embeddings move when tokens merge. */
#include "drift.h"

#include "../base/memory.h"
#include "../base/statistics.h"
#include "nearest.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

size_t drift_width(const tomevit_description *d)
{
    return d->embedding ? d->embedding : d->features;
}

void drift_ask(const tomevit_description *d, float *embeddings,
               tomevit_output *out)
{
    if (d->embedding)
        out->embedding = embeddings;
    else
        out->features = embeddings;
}

/* One of every stretch of files, of as many stretches. */
int drift_keeps(size_t file, size_t count)
{
    return count <= DRIFT_IMAGES || file == 0 ||
           (uint64_t)file * DRIFT_IMAGES / count !=
               (uint64_t)(file - 1) * DRIFT_IMAGES / count;
}

/* ---- neighbours ---------------------------------------------------------- */

static size_t in_both(const size_t *a, const size_t *b, size_t count)
{
    size_t both = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            both += a[i] == b[k];
    return both;
}

/* The share of nearest neighbours by the reference that are so by the run. */
static double neighbours_kept(const outcomes *o, size_t run, size_t reference,
                              size_t width)
{
    size_t stride = o->run_count * o->width, both = 0, found = 0;
    nearest_rows now, before;

    nearest_begin(&now, o->kept + run * o->width, o->kept_count, stride, width);
    nearest_begin(&before, o->kept + reference * o->width, o->kept_count,
                  stride, width);
#pragma omp parallel for reduction(+ : both, found) schedule(dynamic, 16)
    for (size_t i = 0; i < o->kept_count; i++) {
        size_t is[DRIFT_NEIGHBOURS], was[DRIFT_NEIGHBOURS], count;
        double cosines[DRIFT_NEIGHBOURS];
        count = nearest_find(&now, now.x + i * stride, i, DRIFT_NEIGHBOURS, is,
                             cosines);
        nearest_find(&before, before.x + i * stride, i, DRIFT_NEIGHBOURS, was,
                     cosines);
        both += in_both(is, was, count);
        found += count;
    }
    nearest_end(&now);
    nearest_end(&before);
    return (double)both / (double)found;
}

drift drift_of(const outcomes *o, size_t run, size_t reference, size_t width)
{
    drift d = {(double)NAN, (double)NAN, (double)NAN, o->kept_count};
    double *cosines = memory_zero(o->images + 1, sizeof(*cosines)), error;

    for (size_t i = 0; i < o->images; i++)
        cosines[i] = (double)outcomes_at(o, i, run)->cosine;
    if (o->images > 0) {
        d.mean = statistics_mean(cosines, o->images, &error);
        d.p1 = statistics_percentile(cosines, o->images, 1);
    }
    if (o->kept_count > 1)
        d.kept = run == reference ? 1
            : neighbours_kept(o, run, reference, width);
    free(cosines);
    return d;
}

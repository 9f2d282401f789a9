/* SPDX-License-Identifier: MIT */
/* The rows nearest to one, by the cosine. */
#include "nearest.h"

#include "../base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double nearest_product(const float *a, const float *b, size_t n)
{
    enum { LANES = 8 };
    double sum[LANES] = {0}, rest = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sum[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++)
        rest += (double)a[i] * (double)b[i];
    return (((sum[0] + sum[4]) + (sum[2] + sum[6])) +
            ((sum[1] + sum[5]) + (sum[3] + sum[7]))) + rest;
}

double nearest_length(const float *a, size_t n)
{
    return sqrt(nearest_product(a, a, n));
}

static double cosine_of(double product, double a, double b)
{
    double cosine = a > 0 && b > 0 ? product / (a * b) : 0;

    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

double nearest_cosine(const float *a, const float *b, size_t n)
{
    if (memcmp(a, b, n * sizeof(*a)) == 0 && nearest_length(a, n) > 0)
        return 1;
    return cosine_of(nearest_product(a, b, n), nearest_length(a, n),
                     nearest_length(b, n));
}

void nearest_begin(nearest_rows *r, const float *x, size_t count,
                   size_t stride, size_t width)
{
    *r = (nearest_rows){x, count, stride, width,
                        memory_zero(count, sizeof(*r->length))};
    for (size_t i = 0; i < count; i++)
        r->length[i] = nearest_length(x + i * stride, width);
}

void nearest_end(nearest_rows *r)
{
    free(r->length);
    memset(r, 0, sizeof(*r));
}

size_t nearest_find(const nearest_rows *r, const float *x, size_t without,
                    size_t count, size_t *index, double *cosine)
{
    double length = nearest_length(x, r->width);
    size_t found = 0;

    for (size_t i = 0; i < r->count; i++) {
        const float *row = r->x + i * r->stride;
        double near = cosine_of(nearest_product(x, row, r->width), length,
                                r->length[i]);
        if (i == without || (found == count && (count == 0 ||
                                                near <= cosine[count - 1])))
            continue;
        size_t place = found < count ? found++ : count - 1;
        for (; place > 0 && near > cosine[place - 1]; place--) {
            cosine[place] = cosine[place - 1];
            index[place] = index[place - 1];
        }
        cosine[place] = near;
        index[place] = i;
    }
    return found;
}

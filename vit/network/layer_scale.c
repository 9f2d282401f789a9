/* SPDX-License-Identifier: MIT */
/* Layer scale, folded into the tensors whose results it multiplies. */
#include "config.h"

#include "weights.h"

#include <stdlib.h>

int tomevit_scaled(const tomevit_description *d, enum vit_tensor t)
{
    if (t == VIT_FC2_WEIGHT || t == VIT_FC2_BIAS)
        return d->layer_scale == 1;
    return d->layer_scale && (t == VIT_PROJ_WEIGHT || t == VIT_PROJ_BIAS ||
                              t == VIT_JOINT_WEIGHT || t == VIT_JOINT_BIAS);
}

int tomevit_scale_rows(const tomevit_description *d, vit_source source,
                       enum vit_tensor t, size_t layer, float *rows)
{
    int first = t != VIT_FC2_WEIGHT && t != VIT_FC2_BIAS;
    size_t length = tomevit_tensor_shape(d, t, NULL, NULL) / d->dim;
    float *factors;
    int error;

    if (!tomevit_scaled(d, t))
        return 0;
    factors = malloc(d->dim * sizeof(*factors));
    if (!factors)
        return TOMEVIT_ENOMEM;
    error = source.read(source.self, first ? VIT_SCALE1 : VIT_SCALE2, layer,
                        factors);
    for (size_t i = 0; !error && i < d->dim; i++)
        for (size_t j = 0; j < length; j++)
            rows[i * length + j] *= factors[i];
    free(factors);
    return error;
}

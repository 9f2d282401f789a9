/* SPDX-License-Identifier: MIT */
/* Laplace's attention function. [arXiv 2209.10655, section 3.2, equation 16] */
#ifndef TOMEVIT_LAPLACE_H
#define TOMEVIT_LAPLACE_H

#include <math.h>

/* The normal distribution's function at x, of mean sqrt(1/2) and variance
 * 1/(4 pi), both rounded as the authors have them. */
static inline float tomevit_laplace(float x)
{
    return 0.5f * (1.0f + erff((x - 0.707107f) / (0.282095f * 1.41421356f)));
}

#endif

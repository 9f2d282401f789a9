/* SPDX-License-Identifier: MIT */
/* IEEE 754's binary16. */
#ifndef TOMERGE_HALF_H
#define TOMERGE_HALF_H

#include <stdint.h>

/* Rounded to the nearest, ties to even; infinite from 65520 on. */
uint16_t half_of(float value);

float half_value(uint16_t half);

#endif

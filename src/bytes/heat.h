/* SPDX-License-Identifier: MIT */
/* What the patches of a picture are worth, drawn. */
#ifndef TOMERGE_HEAT_H
#define TOMERGE_HEAT_H

#include "byte_model.h"

/* Draws bits[length] of a picture in the model's order: of every patch the
 * mean, from dark (the least) to light (the most). 0, or -1 after a message. */
int heat_write(const char *path, const byte_model *m, const float *bits);

#endif

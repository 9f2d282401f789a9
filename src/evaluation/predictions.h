/* SPDX-License-Identifier: MIT */
/* --predictions: what the model said about every image, as CSV. */
#ifndef TOMERGE_PREDICTIONS_H
#define TOMERGE_PREDICTIONS_H

#include "top.h"

#include <stdio.h>

enum { PREDICTIONS_TOP = 5 };

/* file,label,class1,prob1,...,class5,prob5 */
void predictions_header(FILE *out);

/* One line; classes past the model's last are empty fields. */
void predictions_line(FILE *out, const char *file, int32_t label,
                      const top_class top[PREDICTIONS_TOP]);

#endif

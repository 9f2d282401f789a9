/* SPDX-License-Identifier: MIT */
/* The report of a sweep as a page: one file, no script, nothing outside. */
#ifndef TOMERGE_SWEEP_HTML_H
#define TOMERGE_SWEEP_HTML_H

#include "../evaluation/dataset.h"
#include "sweep_models.h"

/* `sweep` is the report's object. The sessions still have their contexts: some
 * images are run again, for pictures of what was merged. */
void sweep_html(FILE *out, const sweep_models *m, const dataset *d,
                const outcomes *o, const json_t *sweep);

/* Its part with how many tokens images keep, where that differs. */
void sweep_histograms(FILE *out, const outcomes *o, const json_t *runs,
                      int kind);

/* Its part with those pictures. */
void sweep_pictures(FILE *out, const sweep_models *m, const dataset *d,
                    const outcomes *o, const json_t *runs);

#endif

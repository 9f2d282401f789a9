/* SPDX-License-Identifier: MIT */
/* The report of a sweep as a page: one file, no script, nothing outside. */
#ifndef TOMERGE_SWEEP_HTML_H
#define TOMERGE_SWEEP_HTML_H

#include "dataset.h"

/* `sweep` is the report's object. The session still has its context: some
 * images are run again, for pictures of what was merged. */
void sweep_html(FILE *out, const session *s, const dataset *d,
                const evaluation *e, const json_t *sweep);

/* Its part with those pictures. */
void sweep_pictures(FILE *out, const session *s, const dataset *d,
                    const evaluation *e, const json_t *runs);

#endif

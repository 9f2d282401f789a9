/* SPDX-License-Identifier: MIT */
/* The plots of a sweep: accuracy against speed and against arithmetic. */
#ifndef TOMERGE_SWEEP_PLOTS_H
#define TOMERGE_SWEEP_PLOTS_H

#include "../session/merging_args.h"

#include <jansson.h>
#include <stdio.h>

enum sweep_plot { SWEEP_SPEED, SWEEP_ARITHMETIC, SWEEP_PLOTS };

/* What a schedule is called: "r=13:-1", "ratio 0.2", "1,2,3". */
void sweep_label(const json_t *run, int kind, char *out, size_t size);

/* What a run of the report belongs to: of its text. */
const char *sweep_series(const json_t *run);

/* How many series the runs are of; those of a series follow one another. */
size_t sweep_series_count(const json_t *runs);

/* One plot as an <svg> element. `runs` are those of the sweep's report, `kind`
 * says how their schedules were given (enum merging_kind). */
void sweep_plot(FILE *out, const json_t *runs, int kind, enum sweep_plot which);

/* The names of the models of a sweep's report, as text of a page. */
void sweep_title(FILE *out, const json_t *sweep);

/* All plots as a file. */
void sweep_svg(FILE *out, const json_t *sweep, int kind);

#endif

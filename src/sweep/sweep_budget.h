/* SPDX-License-Identifier: MIT */
/* Thresholds for a budget: of methods of which only images show what they come
 * to. */
#ifndef TOMERGE_SWEEP_BUDGET_H
#define TOMERGE_SWEEP_BUDGET_H

#include "../evaluation/dataset.h"
#include "sweep_models.h"

/* Turns the knobs of all such runs until the mean over --calibrate images of
 * the folder is as near to their budgets as it comes. Labels are not looked at.
 * 0, or -1 after a message. */
int sweep_budget_meet(sweep_models *m, const dataset *d);

#endif

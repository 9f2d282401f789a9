/* SPDX-License-Identifier: MIT */
/* Seconds on a clock that never steps back. */
#ifndef TOMERGE_CLOCK_H
#define TOMERGE_CLOCK_H

double clock_seconds(void);

#endif

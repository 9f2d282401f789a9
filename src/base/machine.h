/* SPDX-License-Identifier: MIT */
/* What this machine is called. */
#ifndef TOMERGE_MACHINE_H
#define TOMERGE_MACHINE_H

#include <stddef.h>

/* The processor's name where the system tells it, and the system's. */
void machine_name(char *out, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* What each architecture tells of the machine at hand. */
#ifndef TOMERGE_CPU_H
#define TOMERGE_CPU_H

#include <stdint.h>

/* The bits of enum tomerge_cpu of which the CPU has the instructions and the
 * operating system lets the registers be used; those of the tiers that each
 * builds on may be missing. x86/cpu.c and arm/cpu.c; no other architecture has
 * tiers. */
uint32_t tomerge_cpu_detect(void);

#endif

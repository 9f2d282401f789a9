/* SPDX-License-Identifier: MIT */
/* The peak of AMX in bf16. */
#define TDP _tile_dpbf16ps
#define DEPTH 32
#define TIER "amx-bf16"
#define DTYPE "bf16"
#define PEAK peak_amxbf16

#include "peak_amx.h"

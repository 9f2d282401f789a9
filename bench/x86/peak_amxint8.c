/* SPDX-License-Identifier: MIT */
/* The peak of AMX in int8. */
#define TDP _tile_dpbssd
#define DEPTH 64
#define TIER "amx-int8"
#define DTYPE "int8"
#define PEAK peak_amxint8

#include "peak_amx.h"

/* SPDX-License-Identifier: MIT */
/* vit/kernels/x86/int8_amxint8.c on emulated instructions. */
#include "config.h"

#include "emulated.h"

#define TABLE emulated_int8_amxint8

#include "../vit/kernels/x86/int8_amxint8.c"

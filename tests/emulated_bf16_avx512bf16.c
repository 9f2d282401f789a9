/* SPDX-License-Identifier: MIT */
/* vit/kernels/x86/bf16_avx512bf16.c on emulated instructions. */
#include "config.h"

#include "emulated.h"

#define TABLE emulated_bf16_avx512bf16

#include "../vit/kernels/x86/bf16_avx512bf16.c"

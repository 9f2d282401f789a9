/* SPDX-License-Identifier: MIT */
/*
 * What the build decides; comes first in every file. configure writes it into
 * config.h. Where the folder is compiled as a part of something else there is
 * one thing to decide: TOMERGE_TIERS, if the files of x86/ or
 * arm/ are compiled too.
 */
#ifndef TOMERGE_BUILD_H
#define TOMERGE_BUILD_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1      /* x86/cpu.c: syscall() */
#endif
#ifdef TOMERGE_TIERS
#ifdef __aarch64__
#define HAVE_NEON 1
#else
#define HAVE_AVX2 1
#define HAVE_AVX512 1
#endif
#endif
#endif

/* Before a function whose unsigned arithmetic is meant modulo 2^n. */
#ifndef TM_WRAPS
#define TM_WRAPS
#endif

/* With the tiers' files there is the one that asks for them. */
#if defined(__x86_64__) && defined(__GNUC__) && \
    (defined(HAVE_CONFIG_H) || defined(TOMERGE_TIERS))
#define TM_X86 1
#endif
#if defined(__aarch64__) && defined(__AARCH64EL__) && defined(__GNUC__) && \
    (defined(HAVE_CONFIG_H) || defined(TOMERGE_TIERS))
#define TM_ARM64 1
#endif

#endif

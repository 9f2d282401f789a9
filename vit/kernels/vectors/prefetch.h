/* SPDX-License-Identifier: MIT */
/* Asking for memory ahead of its use: into the first cache, or the second. */
#ifndef TOMEVIT_PREFETCH_H
#define TOMEVIT_PREFETCH_H

#define PREFETCH_FIRST(address) __builtin_prefetch((address), 0, 3)
#define PREFETCH_SECOND(address) __builtin_prefetch((address), 0, 2)

#endif

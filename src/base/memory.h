/* SPDX-License-Identifier: MIT */
/* Memory that is there: on exhaustion the command says so and exits 1. */
#ifndef TOMERGE_MEMORY_H
#define TOMERGE_MEMORY_H

#include <stddef.h>

/* `count` elements, all bytes zero; count * size is checked. Free with free. */
void *memory_zero(size_t count, size_t size);

/* So many bytes, for who asks as malloc is asked. */
void *memory_bytes(size_t size);

/* Says that there is none, and ends the process; of several threads at once one
 * does. */
_Noreturn void memory_exhausted(void);

/* The same, for the sake of a file: `why` is what there was no memory for. */
_Noreturn void memory_exhausted_by(const char *path, const char *why);

/* Makes room for one element more than `count` in an array that grows by
 * doubling; `*capacity` is kept by the caller, starting at 0 with NULL. */
void *memory_grow(void *array, size_t count, size_t *capacity, size_t size);

char *memory_text(const char *text);

/* "folder/name", or "name" where folder is empty. */
char *memory_path(const char *folder, const char *name);

#endif

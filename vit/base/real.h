/* SPDX-License-Identifier: MIT */
/* Numbers as text, with a point whatever the program's locale has. */
#ifndef TOMEVIT_REAL_H
#define TOMEVIT_REAL_H

#include <stddef.h>

/* The finite number that makes up all of `text`: 0, or EINVAL. */
int tomevit_real_read(const char *text, double *value);

/* The whole number that makes up all of `text`, digits alone: 0, or EINVAL. */
int tomevit_count_read(const char *text, size_t *value);

/* With so many significant digits, as printf's %g has it, in text[size]. */
void tomevit_real_write(double value, int digits, char *text, size_t size);

#endif

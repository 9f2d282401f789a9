/* SPDX-License-Identifier: MIT */
/* The one line that explains why a file was refused. */
#ifndef TOMEVIT_MESSAGE_H
#define TOMEVIT_MESSAGE_H

#include "tomevit.h"

/* Where the line goes (`why` may be NULL) and which file it speaks of. */
typedef struct vit_report {
    const char *path;
    tomevit_message *why;
} vit_report;

/* Writes "path: text" and returns `code`. Whatever the file put into the
 * text, the result is one line of printable UTF-8; a long path loses its
 * beginning, so that the text always fits. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int tomevit_fail(const vit_report *report, int code, const char *format, ...);

/* The same of what is no file's: the text alone. `why` may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int tomevit_refuse(tomevit_message *why, int code, const char *format, ...);

/* "[1, 197, 192]", cut to fit. */
typedef struct vit_shape_text {
    char text[96];
} vit_shape_text;

vit_shape_text tomevit_shape_text(const size_t *shape, size_t dims);

#endif

/* SPDX-License-Identifier: MIT */
/* Reading on in a GGUF file. Functions return 0, or what they reported. */
#ifndef TOMEVIT_GGUF_H
#define TOMEVIT_GGUF_H

#include <stdint.h>

#include "../base/message.h"

struct json_t;

typedef struct vit_gguf {
    const unsigned char *bytes;
    size_t count, at;
    size_t alignment;                       /* of the tensors; a power of 2 */
    const vit_report *report;
} vit_gguf;

/* The next little-endian number of 1, 2, 4 or 8 bytes. */
int tomevit_gguf_number(vit_gguf *g, size_t width, uint64_t *number);

/* The next string, without a NUL behind. */
int tomevit_gguf_text(vit_gguf *g, const char **text, size_t *length);

/* Reads `entries` keys and values into a new object of strings. */
int tomevit_gguf_metadata(vit_gguf *g, uint64_t entries,
                          struct json_t **metadata);

#endif

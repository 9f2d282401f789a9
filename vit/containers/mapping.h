/* SPDX-License-Identifier: MIT */
/* A whole file's bytes, mapped for reading. */
#ifndef TOMEVIT_MAPPING_H
#define TOMEVIT_MAPPING_H

#include "../base/message.h"

typedef struct vit_mapping {
    const unsigned char *bytes;
    size_t count;
    void *map;                              /* NULL if the bytes are not ours */
    int file;                               /* the descriptor, with a map */
} vit_mapping;

/* Maps a regular file with at least one byte. EIO, EFORMAT. */
int tomevit_map(vit_mapping *mapping, const vit_report *report);
void tomevit_unmap(vit_mapping *mapping);

/* Bytes that are gone from the file are a SIGBUS for whoever reads them: to be
 * asked before. EIO if the file has become shorter than it was when it was
 * mapped. */
int tomevit_mapping_check(const vit_mapping *mapping, const vit_report *report);

/* These bytes have been read and will hardly be again: they need not count as
 * memory of the process any longer. From any number of threads. */
void tomevit_mapping_read(const vit_mapping *mapping, size_t begin, size_t end);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The entries of a mapped zip archive. [PKWARE, APPNOTE.TXT 6.3.10, sections
 * 4.3 and 4.5.3 (zip64)]
 *
 * Weights are stored, not compressed, in most archives: such entries are used
 * where they lie in the mapping. Compressed ones (deflate) are inflated by
 * zlib or libdeflate, into memory that the caller frees. All entries may be
 * read from any number of threads at once.
 */
#ifndef TOMEVIT_ZIP_H
#define TOMEVIT_ZIP_H

#include <stdatomic.h>

#include "mapping.h"
#include "region.h"

typedef struct vit_zip_entry {
    const char *name;
    const unsigned char *bytes;             /* as they are in the file */
    size_t packed, size;                    /* bytes there; once inflated */
    uint32_t crc;
    int deflated;
} vit_zip_entry;

typedef struct vit_zip {
    vit_zip_entry *entries;                 /* [count], by name */
    const vit_zip_entry **places;           /* the same by their places */
    atomic_uchar *checked;                  /* [count]: the sum was right */
    size_t count;
    vit_region region;
} vit_zip;

/* Lists all entries. Every one lies inside the file and none overlaps
 * another. EFORMAT, ENOMEM; to be closed even then. */
int tomevit_zip_open(vit_zip *zip, const vit_mapping *mapping,
                     const vit_report *report);
void tomevit_zip_close(vit_zip *zip);

/* NULL if there is none of that name. */
const vit_zip_entry *tomevit_zip_find(const vit_zip *zip, const char *name);

/* Inflates the first `size` bytes of a deflated entry, at most all, into
 * `out`; the sum over all of them is checked. EFORMAT, ENOMEM. */
int tomevit_zip_inflate(const vit_zip_entry *entry, size_t size, void *out,
                        const vit_report *report);

/* The sum over the bytes of a stored entry, worked out once. EFORMAT. From any
 * number of threads at once. */
int tomevit_zip_check(const vit_zip *zip, const vit_zip_entry *entry,
                      const vit_report *report);

/* The same of the entry that this byte of the file belongs to, if there is
 * one. */
int tomevit_zip_check_at(const vit_zip *zip, const unsigned char *byte,
                         const vit_report *report);

/* All bytes of an entry: in place or, if deflated, in *inflated, which the
 * caller frees (NULL otherwise). A checksum that is wrong is EFORMAT. */
int tomevit_zip_bytes(const vit_zip_entry *entry, const unsigned char **bytes,
                      void **inflated, const vit_report *report);

#endif

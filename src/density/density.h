/* SPDX-License-Identifier: MIT */
/* What density knows: a model of bytes in one or several ways of merging, and
 * what every picture is worth to each of them. */
#ifndef TOMERGE_DENSITY_H
#define TOMERGE_DENSITY_H

#include "../bytes/byte_journal.h"
#include "../bytes/byte_model.h"
#include "../evaluation/dataset.h"

/* The model with one way of merging in the past of its global model. */
typedef struct density_way {
    tomevit_bytes *model;      /* of the first: the byte_model's */
    tomevit_bytes_context *context;
    size_t window, group;      /* 0: nothing merges */
    double seconds;            /* of its passes, for so many pictures */
    size_t timed;
} density_way;

typedef struct density {
    byte_model m;
    dataset images;            /* of no class */
    folder *files;             /* those of the images */
    density_way ways[OPTIONS_WAYS];
    size_t count;              /* of them */
    size_t width;              /* count + 1 */
    double *worth;             /* [files->count, width]: bits of all bytes in
                                * every way, the first negative where it was
                                * refused, and then as a PNG */
    size_t from, to;           /* the part of the files that is looked at */
    size_t done;               /* of these so far */
    json_t *settings;          /* what the numbers depend on */
    json_t *computed;          /* what they were computed with elsewhere, or
                                * NULL */
    byte_journal journal;
    byte_pictures pictures;
    float *bits;               /* [batch, length] */
    int mapped;                /* the map is written, or none is wanted */
    output html;
} density;

/* A picture, for ranks. */
typedef struct density_ranked {
    double bits, png;          /* a byte */
    size_t file;
    const char *name;
    char *class;               /* "": none; owned */
} density_ranked;

/* density_settings.c: the ways that the options ask for, opened, and what the
 * numbers depend on. 0, or -1 after a message. */
int density_open_ways(density *p);
void density_close_ways(density *p);
int density_set_settings(density *p);

/* density_measure.c: files first .. first + count - 1, a batch at most, in
 * every way; pictures.why has why one of them is refused. 0, or -1 after a
 * message. */
int density_measure(density *p, size_t first, size_t count);

/* density_ranks.c: as one of several ranks, once all have come to `result`, 0
 * or -1. 0: this is rank 0, and has what all have found; 1: another, with
 * nothing more to do; -1 after a message. */
int density_ranks(density *p, int result);

/* density_join.c: what journals of all parts have. 0, or -1 after a message
 * that names those which leave a gap, overlap, are not finished or are about
 * something else. */
int density_join(density *p, char **paths, size_t count);

/* density_report.c: writes the report where the options say. */
void density_report(density *p);

/* density_html.c: the same as a page: one file, no script, nothing outside.
 * `ranked` are in the order of their bits. */
void density_html(FILE *out, density *p, const json_t *report,
                  const density_ranked *ranked, size_t count);

#endif

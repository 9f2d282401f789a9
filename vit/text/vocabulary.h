/* SPDX-License-Identifier: MIT */
/* Which number a piece of text has, and what two pieces make together. */
#ifndef TOMEVIT_VOCABULARY_H
#define TOMEVIT_VOCABULARY_H

#include "../containers/region.h"

#include <stdint.h>

typedef struct vit_word {
    const char *text;      /* not ended; NULL: an empty place */
    size_t length;
    int32_t id;
} vit_word;

/* Pieces by their text. All zero is an empty one. */
typedef struct vit_vocabulary {
    vit_word *words;       /* [places], a power of two */
    size_t places, count, longest;
    vit_region region;
} vit_vocabulary;

/* Of a piece given twice the later number counts. -1 without memory. */
int tomevit_vocabulary_add(vit_vocabulary *v, const char *text, size_t length,
                           int32_t id);

/* -1 if there is none. */
int32_t tomevit_vocabulary_find(const vit_vocabulary *v, const char *text,
                                size_t length);

void tomevit_vocabulary_free(vit_vocabulary *v);

/* Two pieces that follow one another become one, the lowest rank first. */
typedef struct vit_merge {
    int32_t left, right, made;             /* left -1: an empty place */
    uint32_t rank;
} vit_merge;

typedef struct vit_merges {
    vit_merge *list;       /* [places], a power of two */
    size_t places, count;
} vit_merges;

/* Of one pair given twice the later rank counts. -1 without memory. */
int tomevit_merges_add(vit_merges *m, int32_t left, int32_t right,
                       int32_t made, uint32_t rank);
const vit_merge *tomevit_merges_find(const vit_merges *m, int32_t left,
                                     int32_t right);
void tomevit_merges_free(vit_merges *m);

/* Numbers that a text becomes. All zero is none; once memory was refused
 * `failed` stays 1. */
typedef struct vit_ids {
    int32_t *list;
    size_t count, room;
    int failed;
} vit_ids;

void tomevit_ids_add(vit_ids *ids, int32_t id);
void tomevit_ids_free(vit_ids *ids);

/* Merges what is in the list from `first` on until nothing merges any more.
 * -1 without memory. */
int tomevit_merge_ids(const vit_merges *m, vit_ids *ids, size_t first);

#endif

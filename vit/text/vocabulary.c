/* SPDX-License-Identifier: MIT */
/* Pieces of text by their numbers: byte-pair encoding's two tables. */
#include "config.h"

#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PLACES = 256 };

/* ---- pieces -------------------------------------------------------------- */

/* FNV-1a [Fowler, Noll, Vo]. */
TM_WRAPS static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h ^ h >> 32;
}

/* Where the piece is, or would be. */
static vit_word *place_of(vit_word *words, size_t places, const char *text,
                          size_t length)
{
    size_t i = (size_t)hash_of(text, length) & (places - 1);

    while (words[i].text && (words[i].length != length ||
                             memcmp(words[i].text, text, length) != 0))
        i = (i + 1) & (places - 1);
    return &words[i];
}

static int grow_words(vit_vocabulary *v)
{
    size_t places = v->places ? 2 * v->places : FIRST_PLACES;
    vit_word *words = calloc(places, sizeof(*words));

    if (!words)
        return -1;
    for (size_t i = 0; i < v->places; i++)
        if (v->words[i].text)
            *place_of(words, places, v->words[i].text, v->words[i].length) =
                v->words[i];
    free(v->words);
    v->words = words;
    v->places = places;
    return 0;
}

int tomevit_vocabulary_add(vit_vocabulary *v, const char *text, size_t length,
                           int32_t id)
{
    vit_word *word;
    char *copy;

    if (2 * v->count >= v->places && grow_words(v) != 0)
        return -1;
    word = place_of(v->words, v->places, text, length);
    word->id = id;
    if (word->text)
        return 0;
    copy = tomevit_region_text(&v->region, text, length);
    if (!copy)
        return -1;
    *word = (vit_word){copy, length, id};
    v->count++;
    if (length > v->longest)
        v->longest = length;
    return 0;
}

int32_t tomevit_vocabulary_find(const vit_vocabulary *v, const char *text,
                                size_t length)
{
    const vit_word *word;

    if (v->count == 0)
        return -1;
    word = place_of(v->words, v->places, text, length);
    return word->text ? word->id : -1;
}

void tomevit_vocabulary_free(vit_vocabulary *v)
{
    free(v->words);
    tomevit_region_free(&v->region);
    memset(v, 0, sizeof(*v));
}

/* ---- merges -------------------------------------------------------------- */

TM_WRAPS static size_t hash_of_pair(int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    return (size_t)(key * 0x9e3779b97f4a7c15u >> 32);
}

static vit_merge *merge_place(vit_merge *list, size_t places, int32_t left,
                              int32_t right)
{
    size_t i = hash_of_pair(left, right) & (places - 1);

    while (list[i].left >= 0 &&
           (list[i].left != left || list[i].right != right))
        i = (i + 1) & (places - 1);
    return &list[i];
}

static int grow_merges(vit_merges *m)
{
    size_t places = m->places ? 2 * m->places : FIRST_PLACES;
    vit_merge *list = malloc(places * sizeof(*list));

    if (!list)
        return -1;
    for (size_t i = 0; i < places; i++)
        list[i].left = -1;
    for (size_t i = 0; i < m->places; i++)
        if (m->list[i].left >= 0)
            *merge_place(list, places, m->list[i].left, m->list[i].right) =
                m->list[i];
    free(m->list);
    m->list = list;
    m->places = places;
    return 0;
}

int tomevit_merges_add(vit_merges *m, int32_t left, int32_t right,
                       int32_t made, uint32_t rank)
{
    vit_merge *place;

    if (2 * m->count >= m->places && grow_merges(m) != 0)
        return -1;
    place = merge_place(m->list, m->places, left, right);
    m->count += place->left < 0;
    *place = (vit_merge){left, right, made, rank};
    return 0;
}

const vit_merge *tomevit_merges_find(const vit_merges *m, int32_t left,
                                     int32_t right)
{
    const vit_merge *place;

    if (m->count == 0 || left < 0)
        return NULL;
    place = merge_place(m->list, m->places, left, right);
    return place->left >= 0 ? place : NULL;
}

void tomevit_merges_free(vit_merges *m)
{
    free(m->list);
    memset(m, 0, sizeof(*m));
}

/* ---- numbers ------------------------------------------------------------- */

void tomevit_ids_add(vit_ids *ids, int32_t id)
{
    if (!ids->failed && ids->count == ids->room) {
        size_t room = 2 * ids->room + 32;
        int32_t *more = realloc(ids->list, room * sizeof(*more));

        if (more) {
            ids->list = more;
            ids->room = room;
        }
        ids->failed = !more;
    }
    if (!ids->failed)
        ids->list[ids->count++] = id;
}

void tomevit_ids_free(vit_ids *ids)
{
    free(ids->list);
    memset(ids, 0, sizeof(*ids));
}

/* [Sennrich et al., arXiv 1508.07909]: of all pairs that follow one another
 * the one of the lowest rank is next, the leftmost of several. */
int tomevit_merge_ids(const vit_merges *m, vit_ids *ids, size_t first)
{
    size_t count = ids->failed ? 0 : ids->count - first;
    const vit_merge **pairs;
    int32_t *x;

    if (count < 2)
        return ids->failed ? -1 : 0;
    x = ids->list + first;
    pairs = malloc(count * sizeof(*pairs));
    if (!pairs)
        return -1;
    for (size_t i = 0; i + 1 < count; i++)
        pairs[i] = tomevit_merges_find(m, x[i], x[i + 1]);
    while (count > 1) {
        size_t best = count;

        for (size_t i = 0; i + 1 < count; i++)
            if (pairs[i] && (best == count ||
                             pairs[i]->rank < pairs[best]->rank))
                best = i;
        if (best == count)
            break;
        x[best] = pairs[best]->made;
        memmove(x + best + 1, x + best + 2, (count - best - 2) * sizeof(*x));
        memmove(pairs + best, pairs + best + 1,
                (count - best - 1) * sizeof(*pairs));
        count--;
        if (best > 0)
            pairs[best - 1] = tomevit_merges_find(m, x[best - 1], x[best]);
        if (best + 1 < count)
            pairs[best] = tomevit_merges_find(m, x[best], x[best + 1]);
    }
    free(pairs);
    ids->count = first + count;
    return 0;
}

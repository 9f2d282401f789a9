/* SPDX-License-Identifier: MIT */
/* Many short texts that are kept together and go together. */
#include "config.h"

#include "texts.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST_PIECE = 1 << 10, LARGEST_PIECE = 1 << 18 };

/* Pieces double, so that a few texts take little and many few pieces. */
static void add_piece(texts *t, size_t needed)
{
    size_t room = t->room < SMALLEST_PIECE / 2 ? SMALLEST_PIECE : t->room * 2;

    if (room > LARGEST_PIECE)
        room = LARGEST_PIECE;
    if (room < needed)
        room = needed;
    t->pieces = memory_grow(t->pieces, t->count, &t->capacity,
                            sizeof(*t->pieces));
    t->pieces[t->count++] = memory_bytes(room);
    t->used = 0;
    t->room = room;
}

char *texts_keep(texts *t, const char *text, size_t length)
{
    if (t->room - t->used < length + 1)
        add_piece(t, length + 1);
    char *kept = t->pieces[t->count - 1] + t->used;
    memcpy(kept, text, length);
    kept[length] = '\0';
    t->used += length + 1;
    return kept;
}

void texts_take(texts *t, texts *from)
{
    for (size_t i = 0; i < from->count; i++) {
        t->pieces = memory_grow(t->pieces, t->count, &t->capacity,
                                sizeof(*t->pieces));
        t->pieces[t->count++] = from->pieces[i];
    }
    t->used = from->count > 0 ? from->used : t->used;
    t->room = from->count > 0 ? from->room : t->room;
    free(from->pieces);
    memset(from, 0, sizeof(*from));
}

void texts_free(texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->pieces[i]);
    free(t->pieces);
    memset(t, 0, sizeof(*t));
}

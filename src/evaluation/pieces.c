/* SPDX-License-Identifier: MIT */
/* The files that are still to be evaluated, and how they are dealt out. */
#include "pieces.h"

#include "../base/memory.h"

#include <stdlib.h>
#include <string.h>

void pieces_begin(pieces *p, size_t from, size_t to, size_t batch,
                  size_t workers)
{
    memset(p, 0, sizeof(*p));
    p->batch = batch;
    p->workers = workers;
    p->files = to - from;
    if (to == from)
        return;
    p->left = memory_grow(NULL, 0, &p->capacity, sizeof(*p->left));
    p->left[p->count++] = (piece){from, to};
}

void pieces_end(pieces *p)
{
    free(p->left);
    memset(p, 0, sizeof(*p));
}

static void cut_out(pieces *p, size_t at)
{
    memmove(p->left + at, p->left + at + 1,
            (p->count - at - 1) * sizeof(*p->left));
    p->count--;
}

/* The first that ends behind file `from`; pieces are in order. */
static size_t find(const pieces *p, size_t from)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->left[middle].to <= from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int pieces_done(pieces *p, size_t from, size_t to)
{
    size_t at = find(p, from);

    if (at == p->count || p->left[at].from > from || p->left[at].to < to ||
        from >= to)
        return -1;
    piece before = {p->left[at].from, from}, after = {to, p->left[at].to};
    p->files -= to - from;
    if (before.from < before.to && after.from < after.to) {
        p->left = memory_grow(p->left, p->count, &p->capacity,
                              sizeof(*p->left));
        memmove(p->left + at + 1, p->left + at,
                (p->count - at) * sizeof(*p->left));
        p->count++;
        p->left[at] = before;
        p->left[at + 1] = after;
    } else if (before.from < before.to) {
        p->left[at] = before;
    } else if (after.from < after.to) {
        p->left[at] = after;
    } else {
        cut_out(p, at);
    }
    return 0;
}

int pieces_next(pieces *p, piece *out)
{
    size_t share = p->files / (2 * p->workers), most;

    if (p->count == 0)
        return 0;
    if (share > PIECES_MOST)
        share = PIECES_MOST;
    share = share < p->batch ? p->batch : share / p->batch * p->batch;
    most = p->left[0].to - p->left[0].from;
    out->from = p->left[0].from;
    out->to = out->from + (share < most ? share : most);
    return pieces_done(p, out->from, out->to) == 0;
}

/* SPDX-License-Identifier: MIT */
/* Which classes are taken for which others the most. */
#include "confusions.h"

#include "../base/memory.h"

#include <stdlib.h>

static int by_pair(const void *a, const void *b)
{
    const confusion *x = a, *y = b;

    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return (x->answer > y->answer) - (x->answer < y->answer);
}

static int by_total(const void *a, const void *b)
{
    const confusion *x = a, *y = b;

    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return by_pair(a, b);
}

/* Every wrong answer is a pair of its own; equal ones then become one. */
confusion *confusions_find(const outcomes *o, const folder *files, size_t most,
                           size_t *count)
{
    confusion *all = NULL;
    size_t found = 0, capacity = 0, kept = 0;

    for (size_t i = 0; i < o->images * o->run_count; i++) {
        confusion pair = {
            files->files[o->file[i / o->run_count]].label,
            o->items[i].index[0], 1
        };
        if (pair.label == pair.answer)
            continue;
        all = memory_grow(all, found, &capacity, sizeof(*all));
        all[found++] = pair;
    }
    if (found > 0)
        qsort(all, found, sizeof(*all), by_pair);
    for (size_t i = 0; i < found; i++) {
        if (kept > 0 && by_pair(&all[kept - 1], &all[i]) == 0)
            all[kept - 1].total++;
        else
            all[kept++] = all[i];
    }
    if (kept > 0)
        qsort(all, kept, sizeof(*all), by_total);
    *count = kept < most ? kept : most;
    return all;
}

size_t confusions_count(const outcomes *o, const folder *files, size_t run,
                        const confusion *pair)
{
    size_t count = 0;

    for (size_t i = 0; i < o->images; i++)
        count += files->files[o->file[i]].label == pair->label &&
                 outcomes_at(o, i, run)->index[0] == pair->answer;
    return count;
}

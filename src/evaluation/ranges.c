/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ranges.h"

#include "../base/message.h"

#include <stdlib.h>

int range_order(const void *a, const void *b)
{
    const range *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

int ranges_check(range *ranges, size_t count, size_t files)
{
    size_t at = 0;

    qsort(ranges, count, sizeof(*ranges), range_order);
    for (size_t i = 0; i <= count; i++) {
        const range *r = ranges + i;
        size_t from = i < count ? r->from : files;
        int unfinished = i < count && r->done < r->to - from;

        if (i < count && r->to == from)
            continue;                   /* a part without an image */
        if (from > at)
            message_failed("join: images %zu to %zu of %zu are in no journal",
                           at + 1, from, files);
        else if (from < at)
            message_failed("join: %s and %s are both of image %zu",
                           r[-1].path, r->path, from + 1);
        else if (unfinished)
            message_failed("%s: it is not finished, %zu of %zu images are "
                           "done: the command it was begun by goes on from "
                           "there", r->path, r->done, r->to - from);
        if (from != at || unfinished)
            return -1;
        at = i < count ? r->to : at;
    }
    return 0;
}

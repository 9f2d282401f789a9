/* SPDX-License-Identifier: MIT */
/* The table of methods: what each looks at and how much it can remove. */
#include "build.h"

#include "match.h"

#include <string.h>

/* Each source needs a destination of its own, at the worst. */
static size_t half(size_t mergeable)
{
    return mergeable / 2;
}

static size_t all(size_t mergeable)
{
    return mergeable;
}

static size_t all_but_one(size_t mergeable)
{
    return mergeable ? mergeable - 1 : 0;
}

enum {
    METRIC = TOMERGE_NEEDS_METRIC, R = TOMERGE_NEEDS_R,
    IMPORTANCE = TOMERGE_NEEDS_IMPORTANCE,
    DESTINATIONS = TOMERGE_NEEDS_DESTINATIONS,
    THRESHOLD = TOMERGE_NEEDS_THRESHOLD,
    PAIRS = TOMERGE_NEEDS_PAIRS,
};

static const tomerge_method_entry methods[] = {
    [TOMERGE_ALTERNATING] = {"alternating", METRIC | R, 0, 1, half,
                             tomerge_plan_alternating},
    [TOMERGE_SEQUENTIAL] = {"sequential", METRIC | R, 0, 1, half,
                            tomerge_plan_sequential},
    [TOMERGE_RANDOM] = {"random", METRIC | R, 0, 1, half,
                        tomerge_plan_random},
    [TOMERGE_STRIDED] = {"strided", METRIC, 1, 0, all, tomerge_plan_strided},
    [TOMERGE_TOPK] = {"topk", IMPORTANCE | R, 0, 0, all, tomerge_plan_topk},
    [TOMERGE_EVIT] = {"evit", IMPORTANCE | R, 0, 0, all_but_one,
                      tomerge_plan_evit},
    [TOMERGE_GIVEN] = {"given", METRIC | R | DESTINATIONS, 0, 0, all_but_one,
                       tomerge_plan_given},
    [TOMERGE_THRESHOLD] = {"threshold", METRIC | THRESHOLD, 0, 0, half,
                           tomerge_plan_threshold},
    [TOMERGE_PITOME] = {"pitome", METRIC | R | THRESHOLD, 0, 0, half,
                        tomerge_plan_pitome},
    [TOMERGE_PITOME_ORDER] = {"pitome-order", METRIC | R | THRESHOLD, 0, 0,
                              half, tomerge_plan_pitome_order},
    [TOMERGE_PPT] = {"ppt", METRIC | R | IMPORTANCE | THRESHOLD, 0, 0, half,
                     tomerge_plan_ppt},
    [TOMERGE_DIFFRATE] = {"diffrate", METRIC | R | IMPORTANCE, 0, 0,
                          all_but_one, tomerge_plan_diffrate},
    [TOMERGE_CLUSTERS] = {"clusters", METRIC | R | PAIRS, 0, 0, all_but_one,
                          tomerge_plan_clusters},
    [TOMERGE_UPWARD] = {"upward", METRIC | R | IMPORTANCE | THRESHOLD, 0, 0,
                        all_but_one, tomerge_plan_upward},
    [TOMERGE_MCTF] = {"mctf", METRIC | R | IMPORTANCE | PAIRS, 0, 0, half,
                      tomerge_plan_mctf},
    [TOMERGE_MUTUAL] = {"mutual", METRIC, 0, 0, half, tomerge_plan_mutual},
};
enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

const tomerge_method_entry *tomerge_method_of(int method)
{
    return method < 0 || method >= METHODS ? NULL : &methods[method];
}

const char *tomerge_method_name(int method)
{
    const tomerge_method_entry *entry = tomerge_method_of(method);

    return entry ? entry->name : NULL;
}

int tomerge_method_from_name(const char *name, int *method)
{
    if (!name || !method)
        return TOMERGE_EINVAL;
    for (int i = 0; i < METHODS; i++) {
        if (!strcmp(name, methods[i].name)) {
            *method = i;
            return 0;
        }
    }
    return TOMERGE_EINVAL;
}

uint32_t tomerge_method_needs(int method)
{
    const tomerge_method_entry *entry = tomerge_method_of(method);

    return entry ? entry->needs : 0;
}

size_t tomerge_max_r(int method, size_t tokens, size_t protect)
{
    const tomerge_method_entry *entry = tomerge_method_of(method);

    return entry && protect < tokens ? entry->most(tokens - protect) : 0;
}

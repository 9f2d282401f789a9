/* SPDX-License-Identifier: MIT */
/*
 * Which row of b is the most similar to each row of a, panel by panel, written
 * once for every vector width. A tier's file defines INLINE and enum scoring
 * {DOT, DISTANCE}, then includes this:
 *
 *   best_rows(mode, panel, b, scale, best, index)   of the rows of one panel
 *
 * or, with AT_ONCE 2, for which a row of b is loaded once for two panels,
 *
 *   best_rows(mode, panels, panel, b, ...)          of 1 or 2 of them
 */

#ifdef AT_ONCE
#define BEST_ROWS(mode, panels, ...) best_rows(mode, panels, __VA_ARGS__)
#else
#define AT_ONCE 1
#define BEST_ROWS(mode, panels, ...) best_rows(mode, __VA_ARGS__)
#endif

INLINE void best_of(enum scoring mode, const tomerge_panels *a,
                    const tomerge_panels *b, const float *scale, float *best,
                    int32_t *index)
{
    size_t panels = tomerge_panels_of(a->rows);
    size_t size = a->channels * TOMERGE_PANEL, p = 0;

    for (; panels - p >= AT_ONCE; p += AT_ONCE)
        BEST_ROWS(mode, AT_ONCE, a->data + p * size, b, scale,
                  best + p * TOMERGE_PANEL, index + p * TOMERGE_PANEL);
    if (p < panels)
        BEST_ROWS(mode, 1, a->data + p * size, b, scale,
                  best + p * TOMERGE_PANEL, index + p * TOMERGE_PANEL);
}

static void best_dot(const tomerge_panels *a, const tomerge_panels *b,
                     const float *scale, float *best, int32_t *index)
{
    best_of(DOT, a, b, scale, best, index);
}

static void best_distance(const tomerge_panels *a, const tomerge_panels *b,
                          const float *scale, float *best, int32_t *index)
{
    best_of(DISTANCE, a, b, scale, best, index);
}

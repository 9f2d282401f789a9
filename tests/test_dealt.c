/* SPDX-License-Identifier: MIT */
/* How the files of an evaluation are dealt out: each once, whatever is known
 * already, in shares that become smaller. */
#include "config.h"

#include "draws.h"
#include "../src/base/memory.h"
#include "../src/evaluation/pieces.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

/* Takes all pieces and counts every file. Returns how many there were. */
static size_t take_all(pieces *p, size_t *times, size_t files)
{
    size_t count = 0;
    piece next;

    for (; pieces_next(p, &next); count++) {
        cr_assert(next.from < next.to && next.to <= files);
        for (size_t i = next.from; i < next.to; i++)
            times[i]++;
    }
    cr_expect_eq(p->files, 0);
    cr_expect_eq(p->count, 0);
    return count;
}

Test(dealt, every_file_once)
{
    for (size_t files = 0; files < 200; files += 13)
        for (size_t batch = 1; batch < 40; batch += 6)
            for (size_t workers = 1; workers < 9; workers++) {
                size_t *times = memory_zero(files + 5, sizeof(*times));
                pieces p;
                pieces_begin(&p, 5, files + 5, batch, workers);
                take_all(&p, times, files + 5);
                for (size_t i = 0; i < files + 5; i++)
                    cr_expect_eq(times[i], i >= 5);
                pieces_end(&p);
                free(times);
            }
}

/* Half of a worker's share of what is left, in whole batches. */
Test(dealt, become_smaller)
{
    static const size_t wanted[][2] = {
        {0, 96}, {96, 184}, {184, 256}, {256, 320}
    };
    size_t before = SIZE_MAX, last = 0;
    pieces p;
    piece next;

    pieces_begin(&p, 0, 800, 8, 4);
    for (size_t i = 0; pieces_next(&p, &next); i++) {
        cr_expect_eq(next.from, last);
        cr_expect(next.to - next.from <= before);
        if (i < 4) {
            cr_expect_eq(next.from, wanted[i][0]);
            cr_expect_eq(next.to, wanted[i][1]);
        }
        before = next.to - next.from;
        last = next.to;
    }
    cr_expect_eq(before, 8);
    cr_expect_eq(last, 800);
    pieces_end(&p);
}

Test(dealt, are_never_large)
{
    pieces p;
    piece next;

    pieces_begin(&p, 0, 1000000000, 32, 3);
    cr_expect(pieces_next(&p, &next));
    cr_expect_eq(next.to - next.from, PIECES_MOST);
    pieces_end(&p);
    pieces_begin(&p, 0, 1000000000, 10000, 3);
    cr_expect(pieces_next(&p, &next));
    cr_expect_eq(next.to - next.from, 10000);
    pieces_end(&p);
}

/* Files known in any order, and some again: those are refused as a whole. */
Test(dealt, what_is_known)
{
    enum { FILES = 997 };
    size_t known[FILES] = {0}, times[FILES] = {0}, count = 0;
    uint32_t seed = 1;
    pieces p;

    pieces_begin(&p, 0, FILES, 4, 3);
    for (size_t i = 0; i < 300; i++) {
        size_t from = (draw_32(&seed) >> 16) % FILES, any = 0;
        size_t to = from + 1 + (seed >> 8) % 7;
        for (size_t k = from; k < to; k++)
            any |= k >= FILES || known[k];
        cr_expect_eq(pieces_done(&p, from, to), any ? -1 : 0);
        for (size_t k = from; k < to && !any; k++, count++)
            known[k] = 1;
        cr_assert_eq(p.files, FILES - count);
    }
    cr_expect_eq(pieces_done(&p, 3, 3), -1);
    cr_expect_eq(pieces_done(&p, FILES, FILES + 1), -1);
    take_all(&p, times, FILES);
    for (size_t i = 0; i < FILES; i++)
        cr_expect_eq(times[i] + known[i], 1);
    cr_expect_eq(pieces_done(&p, 0, 1), -1);
    pieces_end(&p);
}

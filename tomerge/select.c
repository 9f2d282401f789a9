/* SPDX-License-Identifier: MIT */
/* The smallest keys of an array, and all of them in order, in place: qsort()
 * may allocate. */
#include "build.h"

#include "match.h"

/* Lets key[at] sink to its place in a heap whose root is the largest. */
static void sink(uint64_t *key, size_t n, size_t at)
{
    uint64_t value = key[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= n)
            break;
        if (child + 1 < n && key[child + 1] > key[child])
            child++;
        if (key[child] <= value)
            break;
        key[at] = key[child];
        at = child;
    }
    key[at] = value;
}

void tomerge_select(uint64_t *key, size_t n, size_t count)
{
    if (count == 0 || count >= n)
        return;
    for (size_t i = count / 2; i > 0; i--)
        sink(key, count, i - 1);
    for (size_t i = count; i < n; i++) {
        if (key[i] < key[0]) {
            uint64_t smaller = key[i];

            key[i] = key[0];
            key[0] = smaller;
            sink(key, count, 0);
        }
    }
}

/* Lets `value`, which comes from the end and seldom stays high up, take the
 * root's place: first the larger children move up, down to a leaf, then it does
 * from there. No comparison on the way down is a branch. */
static void replace_root(uint64_t *key, size_t n, uint64_t value)
{
    size_t at = 0, child;

    while ((child = 2 * at + 1) + 1 < n) {
        child += key[child + 1] > key[child];
        key[at] = key[child];
        at = child;
    }
    if (child < n) {
        key[at] = key[child];
        at = child;
    }
    for (; at > 0 && key[(at - 1) / 2] < value; at = (at - 1) / 2)
        key[at] = key[(at - 1) / 2];
    key[at] = value;
}

void tomerge_sort(uint64_t *key, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sink(key, n, i - 1);
    for (size_t left = n; left > 1; left--) {
        uint64_t largest = key[0];

        replace_root(key, left - 1, key[left - 1]);
        key[left - 1] = largest;
    }
}

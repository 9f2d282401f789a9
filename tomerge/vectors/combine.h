/* SPDX-License-Identifier: MIT */
/*
 * How rows are combined, written once for every vector width. A tier's file
 * defines, then includes this:
 *
 *   V, LANES         vector of LANES floats
 *   get(x, left), put(x, left, v)   the first LANES or `left` floats of x
 *   SET1 ADD MUL DIV, FMA(a, b, c), FNMA(a, b, c)   c + a * b, c - a * b
 *   all_within(x, low, span)        1 if the bits of every |x| are low .. low +
 *                                   span
 *   larger(old, v)   v where it is greater than old, or NaN
 */

static void scale(float *acc, const float *x, float weight, size_t n)
{
    V w = SET1(weight);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i, MUL(get(x + i, n - i), w));
}

static void accumulate(float *acc, const float *x, float weight, size_t n)
{
    V w = SET1(weight);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i,
            ADD(get(acc + i, n - i), MUL(get(x + i, n - i), w)));
}

/* By what is divided, and its reciprocal. */
typedef struct divisor {
    V value, reciprocal;
    uint32_t span;         /* how many magnitudes quotient() may take, less 1 */
} divisor;

enum { LOW = 0x21800000, HIGH = 0x5d800000 }; /* the bits of 2^-60 and 2^60 */

INLINE divisor divisor_of(float value)
{
    divisor d = {SET1(value), SET1(1 / value), 0};

    d.span = value >= 0x1p-30f && value <= 0x1p30f ? HIGH - LOW : 0;
    return d;
}

/* x / d, rounded correctly: the quotient by the reciprocal, corrected by its
 * remainder, where nothing on the way leaves the normal range; a fifth of a
 * division's time. The correction could only err on quotients within 3 / 2^25
 * of a last place beside the middle of two numbers (Markstein: "Computation of
 * elementary functions on the IBM RISC System/6000 processor", IBM J. Res. Dev.
 * 34 (1), 1990, has the argument), and trying all of those found none. */
INLINE V quotient(V x, const divisor *d)
{
    V q = MUL(x, d->reciprocal);

    if (!all_within(x, LOW, d->span))
        return DIV(x, d->value);
    return FMA(FNMA(q, d->value, x), d->reciprocal, q);
}

static void divide(float *acc, float value, size_t n)
{
    divisor d = divisor_of(value);

    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i, quotient(get(acc + i, n - i), &d));
}

static void weigh(float *out, const float *x, ptrdiff_t stride,
                  const int32_t *member, size_t count, const float *size,
                  float total, size_t n)
{
    divisor d = divisor_of(total);

    for (size_t i = 0; i < n; i += LANES) {
        V sum = SET1(0.0f);

        for (size_t m = 0; m < count; m++) {
            V v = get(x + member[m] * stride + (ptrdiff_t)i, n - i);

            if (size)
                v = MUL(v, SET1(size[member[m]]));
            sum = m ? ADD(sum, v) : v;
        }
        put(out + i, n - i, quotient(sum, &d));
    }
}

static void maximum(float *acc, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        put(acc + i, n - i, larger(get(acc + i, n - i), get(x + i, n - i)));
}

/* Rows that lie far apart are fetched some ahead of their turn. */
enum { AHEAD = 4 };

INLINE void fetch(const float *x)
{
    __builtin_prefetch(x, 0, 3);
}

static void mean_heads(float *out, ptrdiff_t out_stride, const float *k,
                       ptrdiff_t stride, size_t rows, size_t heads,
                       ptrdiff_t head_stride, size_t n)
{
    divisor count = divisor_of((float)heads);

    for (size_t r = 0; r < rows; r++, out += out_stride, k += stride) {
        ptrdiff_t ahead = rows - r > AHEAD ? AHEAD * stride : 0;

        for (size_t i = 0; i < n; i += LANES) {
            const float *from = k + i;
            V sum = get(from, n - i);

            fetch(from + ahead);
            for (size_t h = 1; h < heads; h++) {
                from += head_stride;
                fetch(from + ahead);
                sum = ADD(sum, get(from, n - i));
            }
            put(out + i, n - i, quotient(sum, &count));
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Narrowing rows to int8, written once for every vector width. A tier's file
 * defines, then includes this:
 *
 *   F, WIDTH         vector of WIDTH floats
 *   LOADF SETF ADDF MINF MAXF  as usual
 *   FMAF(a, b, c)    a * b + c
 *   LEAST(v), MOST(v), TOTAL(v)  across one vector
 *   CHUNK            elements in a chunk of a row
 *   store_chunk(x, zero, inverse, out)   (x[CHUNK] - zero) * inverse to
 *                    the nearest whole numbers, ties to even
 */

/* Of x[k], k >= WIDTH: a last vector in part is one that ends the row. Four
 * vectors take turns, as each waits for the one before it. */
static inline vit_quant quant(size_t k, const float *x, float *inverse)
{
    enum { TURNS = 4 };
    F low[TURNS], high[TURNS], zeros[TURNS];
    size_t p = 0;

    for (size_t t = 0; t < TURNS; t++) {
        low[t] = high[t] = LOADF(x);
        zeros[t] = SETF(0.0f);
    }
    /* Zeros times elements are zeros, or NaN if one is not finite. */
    for (; p + TURNS * WIDTH <= k; p += TURNS * WIDTH) {
#pragma GCC unroll 4
        for (size_t t = 0; t < TURNS; t++) {
            F v = LOADF(x + p + t * WIDTH);

            low[t] = MINF(low[t], v);
            high[t] = MAXF(high[t], v);
            zeros[t] = FMAF(v, SETF(0.0f), zeros[t]);
        }
    }
    for (; p < k; p += WIDTH) {
        F v = LOADF(x + (p + WIDTH <= k ? p : k - WIDTH));

        low[0] = MINF(low[0], v);
        high[0] = MAXF(high[0], v);
        zeros[0] = FMAF(v, SETF(0.0f), zeros[0]);
    }
    for (size_t t = 1; t < TURNS; t++) {
        low[0] = MINF(low[0], low[t]);
        high[0] = MAXF(high[0], high[t]);
        zeros[0] = ADDF(zeros[0], zeros[t]);
    }
    return tomevit_int8_quant(LEAST(low[0]), MOST(high[0]) + TOTAL(zeros[0]),
                              inverse);
}

static vit_quant narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    size_t whole = k / CHUNK * CHUNK;
    float inverse, rest[CHUNK];
    vit_quant row;
    F zero, by;

    /* What is missing of the last chunk does not change the two, and then
     * becomes zeros. */
    for (size_t i = 0; i < CHUNK && whole < k; i++)
        rest[i] = x[whole + i < k ? whole + i : 0];
    row = whole ? quant(k, x, &inverse) : quant(CHUNK, rest, &inverse);
    for (size_t i = k - whole; i < CHUNK && whole < k; i++)
        rest[i] = row.zero_point;
    zero = SETF(row.zero_point);
    by = SETF(inverse);
    for (size_t p = 0; p < whole; p += CHUNK, out += step)
        store_chunk(x + p, zero, by, out);
    if (whole < k)
        store_chunk(rest, zero, by, out);
    return row;
}

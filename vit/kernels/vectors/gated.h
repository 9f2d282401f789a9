/* SPDX-License-Identifier: MIT */
/*
 * Kernels of blocks with gates and moving averages, written once for every
 * vector width as kernels.h is, which includes this.
 */

/* ---- moving averages ----------------------------------------------------- */

/* One step of a group of real states. Products and sums are rounded apart, as
 * portable C rounds them: every tier has the same bits. */
INLINE V pass_real(const float *c, int back, V x, V *h)
{
    enum { LANES = VIT_EMA_LANES, n = VIT_EMA_REAL };
    V sum = ZERO();

#pragma GCC unroll 8
    for (size_t s = 0; s < n; s++, c += 2 * LANES) {
        V next = ADD(MUL(LOAD(c), h[s]), x);
        V term = MUL(LOAD(c + LANES), back ? h[s] : next);

        sum = s ? ADD(sum, term) : term;
        h[s] = next;
    }
    return sum;
}

/* One step of a group of complex states. */
INLINE V pass_turning(const float *c, int back, V x, V *h)
{
    enum { LANES = VIT_EMA_LANES, n = VIT_EMA_TURNING };
    V sum = ZERO();

#pragma GCC unroll 8
    for (size_t s = 0; s < n; s++, c += 4 * LANES) {
        V re = h[s], im = h[n + s], a = LOAD(c), b = LOAD(c + LANES), term;

        h[s] = ADD(SUB(MUL(a, re), MUL(b, im)), x);
        h[n + s] = ADD(MUL(a, im), MUL(b, re));
        if (!back) {
            re = h[s];
            im = h[n + s];
        }
        term = SUB(MUL(LOAD(c + 2 * LANES), re), MUL(LOAD(c + 3 * LANES), im));
        sum = s ? ADD(sum, term) : term;
    }
    return sum;
}

/* One vector of channels through all steps; the states stay in registers. */
INLINE void scan_vector(const float *c, int turning, int back,
                        const vit_ema_order *o, const float *x, size_t ldx,
                        float *y, size_t ldy)
{
    V h[8] = {ZERO(), ZERO(), ZERO(), ZERO(), ZERO(), ZERO(), ZERO(), ZERO()};

    for (size_t step = 0; step < o->steps; step++) {
        ptrdiff_t row = o->row[back ? o->steps - 1 - step : step];
        V in = ZERO(), sum;

        if (row >= 0)
            in = LOAD(x + (size_t)row * ldx);
        if (row >= 0 && o->weight)
            in = MUL(in, SET1(o->weight[row]));
        sum = turning ? pass_turning(c, back, in, h)
                      : pass_real(c, back, in, h);
        if (row >= 0) {
            float *to = y + (size_t)row * ldy;

            STORE(to, ADD(LOAD(to), sum));
        }
    }
}

static void ema(const float *c, int turning, int back, const vit_ema_order *o,
                const float *x, size_t ldx, float *y, size_t ldy)
{
    for (size_t i = 0; i < VIT_EMA_LANES; i += W) {
        if (turning && back)
            scan_vector(c + i, 1, 1, o, x + i, ldx, y + i, ldy);
        else if (turning)
            scan_vector(c + i, 1, 0, o, x + i, ldx, y + i, ldy);
        else if (back)
            scan_vector(c + i, 0, 1, o, x + i, ldx, y + i, ldy);
        else
            scan_vector(c + i, 0, 0, o, x + i, ldx, y + i, ldy);
    }
}

/* ---- gates --------------------------------------------------------------- */

/* Laplace's function of n vectors; see laplace.h. */
INLINE void laplace_vectors(size_t n, V *x)
{
    V z[GROUP];

    EACH(i) z[i] = MUL(SUB(x[i], SET1(0.707107f)),
                       SET1(1.0f / (0.282095f * 1.41421356f)));
    erf_vectors(n, z);
    EACH(i) x[i] = FMA(SET1(0.5f), z[i], SET1(0.5f));
}

INLINE void laplace_group(size_t n, V scale, const float *bias,
                          const float *weight, float *s)
{
    V v[GROUP];

    EACH(i) v[i] = ADD(MUL(LOAD(s + i * W), scale), LOAD(bias + i * W));
    laplace_vectors(n, v);
    if (weight)
        EACH(i) v[i] = MUL(v[i], LOAD(weight + i * W));
    EACH(i) STORE(s + i * W, v[i]);
}

static void laplace(size_t n, float scale, const float *bias,
                    const float *weight, float *s)
{
    size_t whole = n / W * W, rest = n - whole, i = 0;
    V scales = SET1(scale);

    for (; i + GROUP * W <= whole; i += GROUP * W)
        laplace_group(GROUP, scales, bias + i, weight ? weight + i : NULL,
                      s + i);
    for (; i < whole; i += W)
        laplace_group(1, scales, bias + i, weight ? weight + i : NULL, s + i);
    if (rest) {
        V v[GROUP] = {ADD(MUL(LOAD_N(s + whole, rest), scales),
                          LOAD_N(bias + whole, rest))};

        laplace_vectors(1, v);
        if (weight)
            v[0] = MUL(v[0], LOAD_N(weight + whole, rest));
        STORE_N(s + whole, v[0], rest);
    }
}

/* x + sigmoid(u) (silu(h) - x) of n vectors, in h. */
INLINE void highway_vectors(size_t n, V *u, V *h, const V *x)
{
    silu(n, h);
    EACH(i) h[i] = SUB(h[i], x[i]);
    gate(n, h, u);
    EACH(i) h[i] = ADD(x[i], h[i]);
}

static void highway(size_t n, const float *u, const float *h, float *x)
{
    size_t whole = n / W * W, rest = n - whole, j = 0;
    V a[GROUP], b[GROUP], c[GROUP];

    for (; j + FEW * W <= whole; j += FEW * W) {
        for (size_t i = 0; i < FEW; i++) {
            a[i] = LOAD(u + j + i * W);
            b[i] = LOAD(h + j + i * W);
            c[i] = LOAD(x + j + i * W);
        }
        highway_vectors(FEW, a, b, c);
        for (size_t i = 0; i < FEW; i++)
            STORE(x + j + i * W, b[i]);
    }
    for (; j < whole; j += W) {
        a[0] = LOAD(u + j);
        b[0] = LOAD(h + j);
        c[0] = LOAD(x + j);
        highway_vectors(1, a, b, c);
        STORE(x + j, b[0]);
    }
    if (rest) {
        a[0] = LOAD_N(u + whole, rest);
        b[0] = LOAD_N(h + whole, rest);
        c[0] = LOAD_N(x + whole, rest);
        highway_vectors(1, a, b, c);
        STORE_N(x + whole, b[0], rest);
    }
}

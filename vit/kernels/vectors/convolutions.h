/* SPDX-License-Identifier: MIT */
/*
 * Kernels of stages of convolutions and of the MLP behind them [ViTamin, arXiv
 * 2404.02132], written once for every vector width as kernels.h is, which
 * includes this.
 */

/* n vectors, the last with `rest` lanes if that is not 0. */
INLINE void geglu_vectors(size_t n, size_t rest, int by_tanh, const float *a,
                          const float *b, float *y)
{
    V v[GROUP];

    EACH(i) v[i] = rest ? LOAD_N(a + i * W, rest) : LOAD(a + i * W);
    if (by_tanh)
        gelu_tanh(n, v);
    else
        gelu(n, v);
    EACH(i) v[i] = MUL(v[i], rest ? LOAD_N(b + i * W, rest) : LOAD(b + i * W));
    for (size_t i = 0; i < n; i++) {
        if (rest)
            STORE_N(y + i * W, v[i], rest);
        else
            STORE(y + i * W, v[i]);
    }
}

INLINE void geglu_by(size_t n, int by_tanh, const float *a, const float *b,
                     float *y)
{
    size_t whole = n / W * W, i = 0;

    for (; i + GROUP * W <= whole; i += GROUP * W)
        geglu_vectors(GROUP, 0, by_tanh, a + i, b + i, y + i);
    for (; i < whole; i += W)
        geglu_vectors(1, 0, by_tanh, a + i, b + i, y + i);
    if (n > whole)
        geglu_vectors(1, n - whole, by_tanh, a + whole, b + whole, y + whole);
}

static void geglu(size_t n, const float *a, const float *b, float *y)
{
    geglu_by(n, 0, a, b, y);
}

static void geglu_tanh(size_t n, const float *a, const float *b, float *y)
{
    geglu_by(n, 1, a, b, y);
}

/* Channels from `start` on, of n in all. */
INLINE void depthwise_vectors(size_t n, size_t rest, size_t all, size_t taps,
                              const float *weight, const float *const *x,
                              size_t start, const float *bias, float *y)
{
    V v[GROUP];

    EACH(i) v[i] = rest ? LOAD_N(bias + start, rest)
                        : LOAD(bias + start + i * W);
    for (size_t t = 0; t < taps; t++) {
        const float *w = weight + t * all + start, *from;

        if (!x[t])
            continue;
        from = x[t] + start;
        if (rest)
            v[0] = FMA(LOAD_N(w, rest), LOAD_N(from, rest), v[0]);
        else
            EACH(i) v[i] = FMA(LOAD(w + i * W), LOAD(from + i * W), v[i]);
    }
    gelu(n, v);
    for (size_t i = 0; i < n; i++) {
        if (rest)
            STORE_N(y + start, v[i], rest);
        else
            STORE(y + start + i * W, v[i]);
    }
}

static void depthwise(size_t n, size_t taps, const float *weight,
                      const float *const *x, const float *bias, float *y)
{
    size_t whole = n / W * W, i = 0;

    for (; i + GROUP * W <= whole; i += GROUP * W)
        depthwise_vectors(GROUP, 0, n, taps, weight, x, i, bias, y);
    for (; i < whole; i += W)
        depthwise_vectors(1, 0, n, taps, weight, x, i, bias, y);
    if (n > whole)
        depthwise_vectors(1, n - whole, n, taps, weight, x, whole, bias, y);
}

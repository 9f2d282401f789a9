/* SPDX-License-Identifier: MIT */
/*
 * The kernel of PiToMe's energy, in plain C that every compiler makes vectors
 * of: each tier's file includes it, and the bits are the same everywhere.
 *
 * e^x - 1 is 0 at 0, and of twice as much it is m^2 + 2 m, m being what it is
 * of x; so the power series is taken of t = x / 16, four doublings before. What
 * it leaves out, t^7 / 7! and less, they make 16 e^(15 t) times as large, which
 * is 1.4e-8 at the most, near x = -7.5. Below x = -16 e^x is less than 2e-7.
 */
static void elu(double *restrict acc, const float *restrict dots, float scale,
                const float *restrict own, float margin)
{
    float x[TOMERGE_PANEL], y[TOMERGE_PANEL];

    /* Loops as short as these become vectors; as one it branches. */
    for (int i = 0; i < TOMERGE_PANEL; i++)
        x[i] = dots[i] * scale * own[i] - margin;
    for (int i = 0; i < TOMERGE_PANEL; i++)
        y[i] = x[i] < 0 ? x[i] : 0;
    for (int i = 0; i < TOMERGE_PANEL; i++)
        y[i] = y[i] > -16 ? y[i] : -16;
    for (int i = 0; i < TOMERGE_PANEL; i++) {
        float t = y[i] * 0.0625f, m = t * (1.0f / 720) + 1.0f / 120;

        m = t * m + 1.0f / 24;
        m = t * m + 1.0f / 6;
        m = t * m + 0.5f;
        m = t * m + 1.0f;
        m = t * m;
        m = m * m + (m + m);
        m = m * m + (m + m);
        m = m * m + (m + m);
        y[i] = m * m + (m + m);
    }
    for (int i = 0; i < TOMERGE_PANEL; i++)
        acc[i] += (double)(x[i] > 0 ? x[i] : y[i]);
}

/* SPDX-License-Identifier: MIT */
/* How many tokens images keep, for the page of a sweep: methods that look at an
 * image leave easy ones fewer. One scale for all runs, so that they compare. */
#include "sweep_html.h"

#include "../plots/markup.h"
#include "../plots/plot.h"
#include "sweep_plots.h"

#include <stdint.h>

enum {
    BINS = 24,             /* at most */
    WIDE = 288,            /* a picture's width, for all bins */
    HIGH = 90              /* the tallest bar */
};

/* Bin i is of first + i * width tokens, and width - 1 more. */
typedef struct bins {
    size_t first, width, count;
} bins;

static int differs(const outcome_work *w)
{
    return w->images > 0 && w->tokens_least < w->tokens_most;
}

/* Those of all runs whose images differ; none, if no run's do. */
static bins choose_bins(const outcomes *o)
{
    size_t least = SIZE_MAX, most = 0;
    bins b = {0, 1, 0};

    for (size_t run = 0; run < o->run_count; run++) {
        const outcome_work *w = &o->work[run];

        if (!differs(w))
            continue;
        least = w->tokens_least < least ? w->tokens_least : least;
        most = w->tokens_most > most ? w->tokens_most : most;
    }
    if (most == 0)
        return b;
    b.first = least;
    b.width = (most - least) / BINS + 1;
    b.count = (most - least) / b.width + 1;
    return b;
}

static void one_bar(FILE *out, const bins *b, size_t bin, size_t images,
                    size_t most)
{
    size_t from = b->first + bin * b->width, to = from + b->width - 1;
    double high = (double)HIGH * (double)images / (double)most;
    double wide = (double)WIDE / (double)b->count;

    if (images == 0)
        return;
    fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
            "height=\"%.2f\"><title>%zu image%s: %zu", (double)bin * wide,
            HIGH - high, wide - 1, high, images, images == 1 ? "" : "s", from);
    if (to > from)
        fprintf(out, " to %zu", to);
    fputs(" tokens</title></rect>", out);
}

static void one_run(FILE *out, const outcomes *o, size_t run, const bins *b)
{
    size_t images[BINS] = {0}, most = 0;
    size_t last = b->first + b->count * b->width - 1;

    for (size_t i = 0; i < o->images; i++) {
        size_t left = outcomes_at(o, i, run)->tokens;
        size_t *bin = &images[(left - b->first) / b->width];

        ++*bin;
        most = *bin > most ? *bin : most;
    }
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d "
            "%d\" role=\"img\" aria-label=\"images by tokens, %zu to %zu\">",
            WIDE, HIGH, b->first, last);
    for (size_t bin = 0; bin < b->count; bin++)
        one_bar(out, b, bin, images[bin], most);
    fputs("</svg>", out);
}

void sweep_histograms(FILE *out, const outcomes *o, const json_t *runs,
                      int kind)
{
    bins b = choose_bins(o);
    int many = sweep_series_count(runs) > 1;

    if (b.count == 0)
        return;
    fprintf(out, "<section><h2>Tokens an image keeps</h2>\n<p>After the last "
            "layer, from %zu on the left to %zu on the right; a bar's height "
            "is its share of the tallest in the same picture.</p>\n"
            "<div class=\"plots counts\">\n",
            b.first, b.first + b.count * b.width - 1);
    for (size_t run = 0; run < o->run_count; run++) {
        const json_t *of = json_array_get(runs, run);
        const outcome_work *w = &o->work[run];
        char label[PLOT_LABEL];

        if (!differs(w))
            continue;
        fputs("<figure>", out);
        one_run(out, o, run, &b);
        fputs("<figcaption>", out);
        if (many) {
            markup_text(out, sweep_series(of));
            fputs(", ", out);
        }
        sweep_label(of, kind, label, sizeof(label));
        markup_text(out, label);
        fprintf(out, ": %zu to %zu tokens</figcaption></figure>\n",
                w->tokens_least, w->tokens_most);
    }
    fputs("</div></section>\n", out);
}

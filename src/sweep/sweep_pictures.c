/* SPDX-License-Identifier: MIT */
/* Pictures of what was merged in a few images, for the page of a sweep. */
#include "sweep_html.h"

#include "../base/memory.h"
#include "../images/crop.h"
#include "../images/draw.h"
#include "../pictures/merged.h"
#include "../plots/markup.h"
#include "sweep_plots.h"

#include <stdlib.h>
#include <string.h>

enum {
    IMAGES = 3,            /* spread over the folder */
    RUNS = 5,              /* most pictures of an image */
    SIDE = 224,            /* pixels of a picture, about */
    LABEL = 40
};

/* The runs that have pictures: those that merge, evenly of many. */
static size_t choose_runs(const session *s, size_t chosen[RUNS])
{
    size_t merging = s->run_count - 1, count = merging < RUNS ? merging : RUNS;

    for (size_t i = 0; i < count; i++) {
        size_t next = count < 2 ? 0 : i * (merging - 1) / (count - 1);
        chosen[i] = next + (next >= s->reference);
    }
    return count;
}

static int is_right(const dataset *d, const outcomes *o, size_t place,
                    size_t run)
{
    return outcomes_at(o, place, run)->index[0] ==
           d->files.files[o->file[place]].label;
}

/* Images spread over the folder, and one that merging the most costs. */
static size_t choose_images(const session *s, const dataset *d,
                            const outcomes *o, size_t chosen[IMAGES + 1])
{
    size_t count = o->images < IMAGES ? o->images : IMAGES, cheapest = 0;

    for (size_t i = 0; i < count; i++)
        chosen[i] = (2 * i + 1) * o->images / (2 * count);
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].gmacs < s->runs[cheapest].gmacs)
            cheapest = i;
    for (size_t i = 0; i < o->images; i++) {
        if (!is_right(d, o, i, s->first + s->reference) ||
            is_right(d, o, i, s->first + cheapest))
            continue;
        chosen[count] = i;
        for (size_t k = 0; k < count; k++)
            if (chosen[k] == i)
                return count;
        return count + 1;
    }
    return count;
}

static void class_name(FILE *out, const session *s, int32_t index)
{
    const char *name = classes_name(&s->classes, (size_t)index);

    if (name)
        markup_text(out, name);
    else
        fprintf(out, "class %d", index);
}

static void caption(FILE *out, const session *s, const dataset *d,
                    const outcomes *o, size_t place, size_t run)
{
    const outcome *said = outcomes_at(o, place, run);

    fputs("<br/>", out);
    class_name(out, s, said->index[0]);
    if (!is_right(d, o, place, run))
        fputs(" <b>wrong</b>", out);
}

/* A picture of `scale` times the crop, painted by `m` if there is one. */
static void figure(FILE *out, const image *crop, const merged *m,
                   const char *label)
{
    size_t width = crop->width, height = crop->height;
    size_t side = width > height ? width : height;
    size_t scale = SIDE / side ? SIDE / side : 1;
    static const uint8_t white[3] = {255, 255, 255};
    image picture;

    draw_begin(&picture, width * scale, height * scale, white);
    if (!m)
        draw_scaled(&picture, 0, 0, crop->rgb, width, height, scale);
    else
        groups_paint(&m->groups, crop->rgb, GROUPS_FILL, scale, &picture, 0, 0);
    fputs("<figure>", out);
    markup_image(out, &picture, label);
    image_free(&picture);
    fputs("<figcaption>", out);
    markup_text(out, label);
}

/* The pictures of one model, a crop and what merges in it. */
static void one_row(FILE *out, const session *s, const dataset *d,
                    const outcomes *o, size_t place, const json_t *runs)
{
    const folder_file *file = &d->files.files[o->file[place]];
    size_t chosen[RUNS], count = choose_runs(s, chosen);
    image crop;

    if (merged_crop(s, file, &crop) != 0)
        return;
    fputs("<div class=\"pictures\">\n", out);
    figure(out, &crop, NULL, "r=0");
    caption(out, s, d, o, place, s->first + s->reference);
    fputs("</figcaption></figure>\n", out);
    for (size_t i = 0; i < count; i++) {
        size_t run = s->first + chosen[i];
        char label[LABEL];
        merged m;
        sweep_label(json_array_get(runs, run), s->options->merging.kind, label,
                    sizeof(label));
        if (merged_make(&m, s, &s->runs[chosen[i]], s->description->depth,
                        &crop, file->path) == 0) {
            figure(out, &crop, &m, label);
            fprintf(out, ", %zu tokens", m.rows);
            if (m.groups.dropped > 0)
                fprintf(out, ", %zu patches pruned", m.groups.dropped);
            caption(out, s, d, o, place, run);
            fputs("</figcaption></figure>\n", out);
        }
        merged_free(&m);
    }
    fputs("</div>\n", out);
    image_free(&crop);
}

static void one_image(FILE *out, const sweep_models *m, const dataset *d,
                      const outcomes *o, size_t place, const json_t *runs)
{
    const folder_file *file = &d->files.files[o->file[place]];

    fputs("<h3>", out);
    class_name(out, &m->s[0], file->label);
    fputs(" <small>", out);
    markup_text(out, file->name);
    fputs("</small></h3>\n", out);
    for (size_t i = 0; i < m->count; i++) {
        if (m->count > 1) {
            fputs("<h4>", out);
            markup_text(out, m->label[i]);
            fputs("</h4>\n", out);
        }
        one_row(out, &m->s[i], d, o, place, runs);
    }
}

void sweep_pictures(FILE *out, const sweep_models *m, const dataset *d,
                    const outcomes *o, const json_t *runs)
{
    size_t chosen[IMAGES + 1];
    size_t count = choose_images(&m->s[0], d, o, chosen);

    if (count == 0 || m->s[0].run_count < 2)
        return;
    fputs("<section><h2>What is merged</h2>\n<p>Patches that end in one token "
          "have its mean colour and an outline of its own; those that were "
          "pruned, and are in no token, are dark. Below each "
          "picture is the answer under that schedule.</p>\n", out);
    for (size_t i = 0; i < count; i++)
        one_image(out, m, d, o, chosen[i], runs);
    fputs("</section>\n", out);
}

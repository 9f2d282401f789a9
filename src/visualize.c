/* SPDX-License-Identifier: MIT */
/* tomerge visualize: a picture of what was merged. */
#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/signals.h"
#include "images/draw.h"
#include "images/png_write.h"
#include "pictures/merged.h"
#include "pictures/sheet.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_LAYERS = 7,       /* of a strip, besides the crop */
    PATCH_PIXELS = 32      /* what --scale aims at if not given */
};

/* One panel of the picture: the crop, or the groups after one layer of one
 * run. */
typedef struct panel {
    const merging_run *run; /* NULL: the crop */
    size_t layer;          /* from 1 */
    merged merged;
} panel;

typedef struct visualize {
    session *s;
    image crop;
    size_t scale;
    panel *panels;
    sheet_caption *captions;
    size_t count;
    sheet sheet;
} visualize;

/* ---- which panels -------------------------------------------------------- */

static void add_panel(visualize *v, const merging_run *run, size_t layer)
{
    panel *p = &v->panels[v->count++];

    p->run = run;
    p->layer = layer;
}

/* What is asked for is not always there to merge. */
static int merges(const merging_run *run, const tomevit_description *d,
                  size_t layer)
{
    return run->tokens[layer] < (layer ? run->tokens[layer - 1] : d->tokens);
}

/* Of the layers that merge every one, every second, ..., the last always. */
static void add_layers(visualize *v, const merging_run *run)
{
    const tomevit_description *d = v->s->description;
    size_t merging = 0, before = 0, step;

    for (size_t i = 0; i < d->depth; i++)
        merging += merges(run, d, i);
    step = (merging + MOST_LAYERS - 1) / MOST_LAYERS;
    for (size_t i = 0; i < d->depth; i++)
        if (merges(run, d, i) && (merging - ++before) % step == 0)
            add_panel(v, run, i + 1);
}

static void list_panels(visualize *v)
{
    const session *s = v->s;
    size_t depth = s->description->depth;
    size_t most = 1 + MOST_LAYERS + s->run_count;

    v->panels = memory_zero(most, sizeof(*v->panels));
    v->captions = memory_zero(most, sizeof(*v->captions));
    if (s->options->layers || s->options->grid)
        add_panel(v, NULL, 0);
    if (s->options->layers)
        add_layers(v, &s->runs[0]);
    for (size_t i = 0; i < s->run_count && !s->options->layers; i++)
        add_panel(v, &s->runs[i], depth);
}

/* ---- what merged --------------------------------------------------------- */

static int run_panel(visualize *v, panel *p)
{
    return merged_make(&p->merged, v->s, p->run, p->layer, &v->crop,
                       v->s->options->operands[0]);
}

static int run_panels(visualize *v)
{
    for (size_t i = 0; i < v->count; i++) {
        if (signals_stop()) {
            message_failed("stopped: there is no picture");
            return -1;
        }
        if (v->panels[i].run && run_panel(v, &v->panels[i]) != 0)
            return -1;
    }
    return 0;
}

/* ---- the picture --------------------------------------------------------- */

static size_t patches_of(const visualize *v)
{
    size_t patch = v->s->description->patch;

    return v->crop.height / patch * (v->crop.width / patch);
}

static void caption_crop(const visualize *v, sheet_caption *caption)
{
    snprintf(caption->title, SHEET_TEXT, "crop");
    snprintf(caption->detail, SHEET_TEXT, "%zu x %zu pixels, %zu patches",
             v->crop.width, v->crop.height, patches_of(v));
}

static void caption_groups(const visualize *v, const panel *p,
                           sheet_caption *caption)
{
    static const char *const names[] = {
        [MERGING_UNSET] = "r", [MERGING_R] = "r",
        [MERGING_SCHEDULE] = "schedule", [MERGING_RATIO] = "merge ratio"
    };
    const options *o = v->s->options;
    char dropped[40] = "", layer[40] = "";

    if (o->layers)
        snprintf(layer, sizeof(layer), ", layer %zu", p->layer);
    if (p->merged.groups.dropped > 0)
        snprintf(dropped, sizeof(dropped), ", %zu dropped",
                 p->merged.groups.dropped);
    snprintf(caption->title, SHEET_TEXT, "%s %.60s%s",
             names[o->merging.kind], p->run->label, layer);
    snprintf(caption->detail, SHEET_TEXT, "%zu of %zu tokens%s", p->merged.rows,
             v->s->description->prefix + patches_of(v), dropped);
}

static int lay_out(visualize *v)
{
    size_t width = v->crop.width, height = v->crop.height;

    v->scale = v->s->options->scale;
    if (v->scale == 0)
        v->scale = (PATCH_PIXELS - 1) / v->s->description->patch + 1;
    for (size_t i = 0; i < v->count; i++) {
        if (!v->panels[i].run)
            caption_crop(v, &v->captions[i]);
        else
            caption_groups(v, &v->panels[i], &v->captions[i]);
    }
    sheet_lay_out(&v->sheet, v->count, width * v->scale, height * v->scale,
                  v->s->options->layers ? v->count : sheet_columns(v->count),
                  v->captions);
    if (sheet_fits(&v->sheet))
        return 0;
    message_usage("a picture of %zu panels of %zu pixels a side is too "
                  "large: lower --scale or show fewer", v->count,
                  (width > height ? width : height) * v->scale);
    return -1;
}

static int draw(const visualize *v)
{
    const options *o = v->s->options;
    char why[PNG_WRITE_WHY];
    image picture;

    sheet_begin(&v->sheet, &picture);
    for (size_t i = 0; i < v->count; i++) {
        size_t left, top;
        sheet_place(&v->sheet, i, &left, &top);
        if (!v->panels[i].run)
            draw_scaled(&picture, left, top, v->crop.rgb, v->crop.width,
                        v->crop.height, v->scale);
        else
            groups_paint(&v->panels[i].merged.groups, v->crop.rgb,
                         o->overlay ? GROUPS_OVERLAY : GROUPS_FILL,
                         v->scale, &picture, left, top);
    }
    int failed = png_write(o->output, &picture, why);
    image_free(&picture);
    if (failed)
        message_failed("%s: %s", output_is_stdout(o->output)
                       ? "standard output" : o->output, why);
    return failed;
}

/* ---- the report ---------------------------------------------------------- */

static const report_column list[] = {
    {"image", "image", NULL},
    {"output", "picture", NULL},
    {"width", "  width", NULL},
    {"height", "  height", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL}
};

static const report_column columns[] = {
    {"schedule", "r", NULL},
    {"layer", "layer", NULL},
    {"tokens_left", "tokens left", NULL},
    {"groups", "groups", NULL},
    {"dropped", "dropped", NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_count(json_t *object, const char *key, size_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *place_json(const visualize *v, size_t index)
{
    size_t left, top;

    sheet_place(&v->sheet, index, &left, &top);
    json_t *place = json_pack("{s:I,s:I}", "left", (json_int_t)left, "top",
                              (json_int_t)top);
    if (v->sheet.panel_width == v->sheet.panel_height) {
        set_count(place, "side", v->sheet.panel_width);
    } else {
        set_count(place, "width", v->sheet.panel_width);
        set_count(place, "height", v->sheet.panel_height);
    }
    return place;
}

static json_t *panel_json(const visualize *v, size_t index)
{
    const panel *p = &v->panels[index];
    json_t *object = json_object(), *group = json_array();

    for (size_t i = 0; i < v->s->description->prefix + patches_of(v); i++)
        json_array_append_new(group, json_integer(p->merged.map[i]));
    session_run_json(v->s, p->run, object);
    set_count(object, "layer", p->layer);
    set_count(object, "tokens_left", p->merged.rows);
    set_count(object, "groups", p->merged.groups.count);
    set_count(object, "dropped", p->merged.groups.dropped);
    json_object_set_new(object, "group", group);
    json_object_set_new(object, "place", place_json(v, index));
    return object;
}

static void report(const visualize *v)
{
    session *s = v->s;
    json_t *object = json_object(), *rows = json_array();
    session_report r = {object, rows, list, columns, COUNT(list),
                        COUNT(columns), 1, NULL, 0, NULL};

    json_object_set_new(object, "image",
                        report_string(s->options->operands[0]));
    json_object_set_new(object, "output", report_string(s->options->output));
    set_count(object, "width", v->sheet.width);
    set_count(object, "height", v->sheet.height);
    set_count(object, "scale", v->scale);
    json_object_set_new(object, "style", json_string(s->options->overlay
                                                     ? "overlay" : "fill"));
    session_compute_json(s, object);
    json_object_set_new(object, "model", session_model_json(s));
    json_object_set_new(object, "preprocessing",
                        session_preprocessing_json(s));
    for (size_t i = 0; i < v->count; i++) {
        if (!v->panels[i].run)
            json_object_set_new(object, "crop", place_json(v, i));
        else
            json_array_append_new(rows, panel_json(v, i));
    }
    json_object_set(object, "panels", rows);
    session_write(s, &r);
    json_decref(rows);
    json_decref(object);
}

static void visualize_free(visualize *v)
{
    for (size_t i = 0; i < v->count; i++) {
        merged_free(&v->panels[i].merged);
    }
    free(v->panels);
    free(v->captions);
    image_free(&v->crop);
}

static int read_crop(visualize *v)
{
    folder one;

    memset(&one, 0, sizeof(one));
    folder_add(&one, v->s->options->operands[0]);
    int result = merged_crop(v->s, &one.files[0], &v->crop);
    folder_free(&one);
    return result;
}

void command_visualize(const options *o)
{
    session s;
    visualize v;

    memset(&v, 0, sizeof(v));
    v.s = &s;
    if (session_open(&s, o) == 0 &&
        read_crop(&v) == 0 &&
        session_context(&s) == 0) {
        list_panels(&v);
        /* The first time for the size: too large shows before the work. */
        if (lay_out(&v) == 0 && run_panels(&v) == 0 && lay_out(&v) == 0 &&
            draw(&v) == 0)
            report(&v);
    }
    visualize_free(&v);
    session_close(&s);
}

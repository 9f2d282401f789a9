/* SPDX-License-Identifier: MIT */
/* What reports have in common: model, preprocessing, merging, computing. */
#include "session.h"

#include "options_files.h"

#include <math.h>
#include <stdlib.h>

/* A float as the shortest decimal that reads back as it. */
static json_t *real_float(float value)
{
    char text[32];

    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if ((float)atof(text) == value)
            break;
    }
    return report_real(atof(text));
}

static json_t *count_array(const size_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

static void set_count(json_t *object, const char *key, size_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, report_string(text));
}

json_t *session_model_json(const session *s)
{
    const tomevit_description *d = s->description;
    const options *o = s->options;
    json_t *model = json_object();

    if (o->model)
        set_text(model, "file", o->model);
    else
        json_object_set_new(model, "file", json_null());
    set_text(model, "name", o->model ? o->model : o->arch);
    set_text(model, "family", d->family);
    set_count(model, "parameters", (size_t)d->parameters);
    set_count(model, "dim", d->dim);
    set_count(model, "depth", d->depth);
    set_count(model, "heads", d->heads);
    set_count(model, "patch", d->patch);
    if (d->preprocessing.max_patches) {
        set_count(model, "max_patches", d->preprocessing.max_patches);
    } else {
        set_count(model, "image_size", d->image_size);
        if (d->image_width)
            set_count(model, "image_width", d->image_width);
    }
    set_count(model, "classes", d->classes);
    set_count(model, "tokens", d->tokens);
    return model;
}

/* What an image is resized to, and what is cut from it. */
static void describe_sides(const tomevit_preprocessing *p, char resize[64],
                           char crop[48])
{
    static const char *const sides[] = {"shorter side", "both sides",
                                        "longer side"};
    static const char *const both[] = {"resized to cover", "resized to",
                                       "resized to fit into"};

    if (!p->width) {
        snprintf(resize, 64, "%s to %zu", sides[p->crop_mode],
                 tomevit_resized_side(p));
        snprintf(crop, 48, "%zu", p->size);
        return;
    }
    snprintf(resize, 64, "%s %zu x %.0f", both[p->crop_mode],
             tomevit_resized_side(p), floor((double)p->width / p->crop_pct));
    snprintf(crop, 48, "%zu x %zu", p->size, p->width);
}

/* What an image becomes, and what is cut from it. */
static void describe_chain(const session *s, const tomevit_preprocessing *p,
                           char chain[256])
{
    const char *filter = preprocessing_interpolation_name(p->interpolation);
    const char *turn = s->options->exif ? "EXIF turn, " : "";
    char resize[64], crop[48];
    int used;

    if (p->max_patches) {
        used = snprintf(chain, 256, "%sto at most %zu patches of %zu x %zu, "
                        "proportions kept (%s)", turn, p->max_patches, p->patch,
                        p->patch, filter);
    } else {
        describe_sides(p, resize, crop);
        used = snprintf(chain, 256, "%s%s (%s), centre crop %s%s", turn,
                        resize, filter, crop,
                        p->crop_mode == TOMEVIT_BORDER ? " with a border" : "");
    }
    snprintf(chain + used, (size_t)(256 - used),
             ", mean %g %g %g, std %g %g %g", (double)p->mean[0],
             (double)p->mean[1], (double)p->mean[2], (double)p->std[0],
             (double)p->std[1], (double)p->std[2]);
}

/* The numbers of a crop, or of images that keep their proportions. */
static void set_sides(json_t *object, const tomevit_preprocessing *p)
{
    if (p->max_patches) {
        set_count(object, "max_patches", p->max_patches);
        return;
    }
    set_count(object, "resize", tomevit_resized_side(p));
    json_object_set_new(object, "crop_pct", report_real(p->crop_pct));
    set_text(object, "crop_mode",
             preprocessing_crop_mode_name(p->crop_mode));
    set_count(object, "crop", p->size);
    if (p->width)
        set_count(object, "crop_width", p->width);
}

json_t *session_preprocessing_json(const session *s)
{
    const tomevit_preprocessing *p = &s->pre;
    const char *filter = preprocessing_interpolation_name(p->interpolation);
    json_t *object = json_object(), *mean = json_array(), *std = json_array();
    char chain[256];

    for (int c = 0; c < 3; c++) {
        json_array_append_new(mean, real_float(p->mean[c]));
        json_array_append_new(std, real_float(p->std[c]));
    }
    describe_chain(s, p, chain);
    set_sides(object, p);
    set_text(object, "interpolation", filter);
    set_text(object, "pixels", preprocessing_pixels_name(p->pixels));
    json_object_set_new(object, "mean", mean);
    json_object_set_new(object, "std", std);
    json_object_set_new(object, "exif", json_boolean(s->options->exif));
    set_text(object, "source", s->pre_source);
    set_text(object, "chain", chain);
    return object;
}

void session_run_json(const session *s, const merging_run *run, json_t *out)
{
    const tomevit_merging *m = &run->merging;
    size_t depth = s->description->depth;

    set_text(out, "schedule", run->label);
    set_text(out, "method", run->method);
    if (run->found || run->options)
        set_text(out, "method_options", run->found ? run->found : run->options);
    if (run->series[0])
        set_text(out, "series", run->series);
    if (run->budget > 0)
        json_object_set_new(out, "budget", report_real(run->budget));
    set_text(out, "similarity",
             tomerge_similarity_name(m->matching.similarity));
    set_text(out, "combine", tomerge_combine_name(m->combine));
    set_text(out, "metric", tomevit_metric_name(m->metric));
    if (s->description->rope.kind)
        set_text(out, "rope_merge", tomevit_rope_merge_name(m->rope_merge));
    if (s->description->block == TOMEVIT_BLOCK_MEGA ||
        s->description->block == TOMEVIT_BLOCK_MEGALODON)
        set_text(out, "ema_merge", tomevit_ema_merge_name(m->ema_merge));
    json_object_set_new(out, "prop_attn", json_boolean(m->prop_attn));
    json_object_set_new(out, "r", count_array(run->r, depth));
    json_object_set_new(out, "merge_ratio", report_real(run->ratio));
    json_object_set_new(out, "tokens", count_array(run->tokens, depth));
    set_count(out, "tokens_left", run->tokens[depth - 1]);
    json_object_set_new(out, "gmacs", report_real(run->gmacs));
}

void session_compute_json(const session *s, json_t *out)
{
    if (s->computed) {
        json_object_update(out, s->computed);
        return;
    }
    set_text(out, "dtype",
             tomevit_dtype_name(tomevit_model_dtype(s->model)));
    set_text(out, "cpu", tomevit_cpu(s->model));
    set_count(out, "threads", (size_t)s->threads);
    set_count(out, "batch", s->options->batch);
}

int session_write(session *s, const session_report *report)
{
    const options *o = s->options;
    int result = 0;

    if (s->json.file) {
        report_json(s->json.file, report->object);
        result |= output_end(&s->json, s->worth);
    }
    if (s->csv.file) {
        report_csv(s->csv.file, report->columns, report->column_count,
                   report->rows);
        result |= output_end(&s->csv, s->worth);
    }
    if (options_use_stdout(o))
        return result;
    if (report->list)
        report_list(stdout, report->list, report->list_count, report->object);
    if (report->list && report->table)
        fputc('\n', stdout);
    if (report->table)
        report_table(stdout, report->columns, report->column_count,
                     report->rows, report->group);
    if (report->more) {
        fputc('\n', stdout);
        report_table(stdout, report->more, report->more_count, report->rows,
                     report->group);
    }
    return result | output_flush_people();
}

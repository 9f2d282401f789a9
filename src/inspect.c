/* SPDX-License-Identifier: MIT */
/* tomerge inspect: what a model is, and what merging does to each layer. */
#include "commands.h"

#include "session.h"

static const report_column list[] = {
    {"name", "model", NULL},
    {"family", "family", NULL},
    {"parameters", "parameters", NULL},
    {"classes", "classes", NULL},
    {"image_size", "image size", NULL},
    {"patch", "patch", NULL},
    {"dim", "dim", NULL},
    {"depth", "depth", NULL},
    {"heads", "heads", NULL},
    {"mlp_dim", "MLP dim", NULL},
    {"pool", "pooling", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"schedule", "r", NULL},
    {"merge_ratio", "merge ratio", "%.3f"},
    {"gmacs", "GMACs", "%.2f"}
};

static const report_column columns[] = {
    {"layer", "layer", NULL},
    {"tokens_in", "tokens", NULL},
    {"r", "r", NULL},
    {"tokens", "left", NULL},
    {"gmacs", "GMACs", "%.3f"}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A row a layer; a layer's MACs are those of the model that ends after it
 * less those of the model that ends before it. */
static json_t *layers_json(const session *s, const merging_run *run)
{
    tomevit_description d = *s->description;
    json_t *rows = json_array();
    size_t tokens = d.tokens, depth = d.depth;
    double before;

    d.depth = 0;
    before = tomevit_macs(&d, run->r);
    for (size_t i = 0; i < depth; i++) {
        d.depth = i + 1;
        double after = tomevit_macs(&d, run->r);
        json_array_append_new(rows, json_pack("{s:I,s:I,s:I,s:I,s:f}",
            "layer", (json_int_t)(i + 1), "tokens_in", (json_int_t)tokens,
            "r", (json_int_t)(tokens - run->tokens[i]),
            "tokens", (json_int_t)run->tokens[i],
            "gmacs", (after - before) * 1e-9));
        tokens = run->tokens[i];
        before = after;
    }
    return rows;
}

void command_inspect(const options *o)
{
    session s;

    if (session_describe(&s, o) == 0) {
        const tomevit_description *d = s.description;
        json_t *object = session_model_json(&s);
        json_t *rows = layers_json(&s, &s.runs[0]);
        session_report report = {object, rows, list, columns, COUNT(list),
                                 COUNT(columns), 1, NULL, 0};

        json_object_set_new(object, "tokens_in",
                            json_integer((json_int_t)d->tokens));
        json_object_set_new(object, "mlp_dim",
                            json_integer((json_int_t)d->mlp_dim));
        json_object_set_new(object, "pool",
            json_string(d->pool == TOMEVIT_POOL_MEAN ? "mean"
                        : d->distilled ? "class and distillation" : "class"));
        session_run_json(&s, &s.runs[0], object);
        json_object_set_new(object, "preprocessing",
                            session_preprocessing_json(&s));
        json_object_set(object, "layers", rows);
        session_write(&s, &report);
        json_decref(rows);
        json_decref(object);
    }
    session_close(&s);
}

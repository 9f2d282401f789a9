/* SPDX-License-Identifier: MIT */
/* tomerge inspect: what a model is, and what merging does to each layer. */
#include "commands.h"

#include "base/memory_limit.h"
#include "base/message.h"
#include "session/session.h"

#include <inttypes.h>
#include <string.h>

static const report_column list[] = {
    {"name", "model", NULL},
    {"container", "container", NULL},
    {"wrapper", "  names after", NULL},
    {"family", "family", NULL},
    {"layout", "names of", NULL},
    {"unused.count", "tensors unused", NULL},
    {"unused.first", "  the first", NULL},
    {"parameters", "parameters", NULL},
    {"classes", "classes", NULL},
    {"image_size", "image size", NULL},
    {"image_width", "  width", NULL},
    {"known.image size.from", "  from", NULL},
    {"max_patches", "most patches", NULL},
    {"known.most patches of an image.from", "  from", NULL},
    {"patch", "patch", NULL},
    {"dim", "dim", NULL},
    {"depth", "depth", NULL},
    {"heads", "heads", NULL},
    {"known.heads.from", "  from", NULL},
    {"mlp_dim", "MLP dim", NULL},
    {"activation", "activation", NULL},
    {"known.activation.from", "  from", NULL},
    {"known.attention.value", "attention", NULL},
    {"known.attention.from", "  from", NULL},
    {"known.norm epsilon.value", "norm epsilon", NULL},
    {"known.norm epsilon.from", "  from", NULL},
    {"known.norms.value", "norms", NULL},
    {"known.norms.from", "  from", NULL},
    {"known.norm.value", "  kind", NULL},
    {"known.norm.from", "  from", NULL},
    {"known.runs of a layer.value", "layers run", NULL},
    {"known.runs of a layer.from", "  from", NULL},
    {"known.positions.value", "positions", NULL},
    {"known.positions.from", "  from", NULL},
    {"known.position resize.value", "  resized", NULL},
    {"known.position resize.from", "  from", NULL},
    {"parts", "parts", NULL},
    {"pool", "pooling", NULL},
    {"known.pooling.from", "  from", NULL},
    {"known.heads of pooling.value", "  heads", NULL},
    {"known.heads of pooling.from", "  from", NULL},
    {"known.pooled tokens.value", "  tokens", NULL},
    {"known.pooled tokens.from", "  from", NULL},
    {"known.order of cells.value", "  cells by", NULL},
    {"known.order of cells.from", "  from", NULL},
    {"known.last norm.value", "last norm", NULL},
    {"known.last norm.from", "  from", NULL},
    {"known.norm behind pooling.value", "norm after", NULL},
    {"known.norm behind pooling.from", "  from", NULL},
    {"known.class names.value", "class names", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"known.mean.from", "  mean from", NULL},
    {"known.std.from", "  std from", NULL},
    {"known.crop.from", "  crop from", NULL},
    {"known.interpolation.from", "  filter from", NULL},
    {"text_tower.missing", "text tower", NULL},
    {"text_tower.depth", "text layers", NULL},
    {"text_tower.dim", "  dim", NULL},
    {"text_tower.heads", "  heads", NULL},
    {"text_tower.known.text heads.from", "    from", NULL},
    {"text_tower.known.text activation.value", "  activation", NULL},
    {"text_tower.known.text activation.from", "    from", NULL},
    {"text_tower.known.text norm epsilon.value", "  epsilon", NULL},
    {"text_tower.known.text norm epsilon.from", "    from", NULL},
    {"text_tower.known.text pooling.value", "  pooling", NULL},
    {"text_tower.known.text pooling.from", "    from", NULL},
    {"text_tower.known.text rows see.value", "  rows see", NULL},
    {"text_tower.known.text rows see.from", "    from", NULL},
    {"text_tower.known.text cleaning.value", "  cleaning", NULL},
    {"text_tower.known.text cleaning.from", "    from", NULL},
    {"text_tower.context", "  context", NULL},
    {"text_tower.vocabulary", "  vocabulary", NULL},
    {"text_tower.embedding", "  embedding", NULL},
    {"text_tower.known.tokenizer.value", "  tokenizer", NULL},
    {"schedule", "r", NULL},
    {"merge_ratio", "merge ratio", "%.3f"},
    {"gmacs", "GMACs", "%.2f"},
    {"counted", "  counted for", NULL}
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
 * less those of the model that ends before it. What pools the last layer's
 * tokens belongs to none of them. */
static json_t *layers_json(const session *s, const merging_run *run)
{
    tomevit_description d = *s->description;
    json_t *rows = json_array();
    size_t tokens = d.tokens, depth = d.depth;
    double before;

    d.depth = 0;
    d.pool = TOMEVIT_POOL_CLASS;
    before = tomevit_macs_merged(&d, &run->merging, run->tokens);
    for (size_t i = 0; i < depth; i++) {
        d.depth = i + 1;
        double after = tomevit_macs_merged(&d, &run->merging, run->tokens);
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

static const char *pool_name(const tomevit_description *d)
{
    switch (d->pool) {
    case TOMEVIT_POOL_MEAN:
        return "mean";
    case TOMEVIT_POOL_CLASS_MEAN:
        return "class and mean";
    case TOMEVIT_POOL_ATTENTION:
        return "attention";
    case TOMEVIT_POOL_CELLS:
        return "mean of projected squares of patches";
    case TOMEVIT_POOL_CLASS_LAYERS:
        return "class, in layers of its own";
    case TOMEVIT_POOL_QUERY:
        return "attention of the first query";
    default:
        return d->distilled ? "class and distillation" : "class";
    }
}

static const char *activation_name(const tomevit_description *d)
{
    static const char *const names[] = {"GELU", "GELU by tanh", "QuickGELU",
                                        "SwiGLU", "SiLU", "GEGLU",
                                        "GEGLU by tanh"};

    return names[d->activation];
}

/* What not every ViT has, with commas between; "" for a plain one. */
static void parts_text(const tomevit_description *d, char *text, size_t size)
{
    char registers[40], groups[96], share[64];
    const struct {
        int there;
        const char *name;
    } parts[] = {
        {d->registers > 0, registers},
        {d->kv_heads < d->heads, groups},
        {d->share > 1, share},
        {d->rms_norm, "RMSNorm"},
        {d->unbiased, "no biases in layers"},
        {d->mlp_unbiased, "no biases in MLPs"},
        {d->bare_norm == 1, "norm without weights after pooling"},
        {d->bare_norm > 1, "scale after pooling"},
        {d->in_order, "merged tokens in the order of their places"},
        {d->layer_scale == 1, "layer scale"},
        {d->layer_scale == 2, "layer scale of attention"},
        {d->norm_pre, "norm before the layers"},
        {d->qk_norm == 1, "norm of queries and keys"},
        {d->qk_norm == 2, "norm of queries, keys and values"},
        {d->post_norm == 1, "norms after attention and MLP"},
        {d->post_norm == 2, "norms before and after attention and MLP"},
        {d->ranges != 0, "products cut off at ranges"},
        {d->qkv_bias == 2, "no bias of keys"},
        {d->attn_norm, "norm inside attention"},
        {d->stem_side[0] > 0, "patches by three products"},
        {d->parallel != 0, "attention and MLP side by side"},
        {d->talking != 0, "heads that talk"},
        {d->class_layers > 0, "class attention"},
        {d->differential != 0, "differential attention"},
        {d->mlp_norm, "norm inside the MLP"},
        {!d->final_norm, "no last norm"},
        {d->fc_norm, "norm after pooling"},
        {d->projection, "projection"},
        {d->zero_shot, "text embeddings"},
        {!d->classes, "no head"},
    };

    snprintf(registers, sizeof(registers), "%zu registers", d->registers);
    if (d->whole[0] || d->whole[1])
        snprintf(groups, sizeof(groups), "%zu heads of keys and values in "
                 "layers %" PRIu32 " to %zu", d->kv_heads, d->whole[0] + 1,
                 d->depth - d->whole[1]);
    else
        snprintf(groups, sizeof(groups), "%zu heads of keys and values",
                 d->kv_heads);
    snprintf(share, sizeof(share), "every layer's weights run %zu times",
             d->share);
    text[0] = '\0';
    for (size_t i = 0; i < COUNT(parts); i++)
        if (parts[i].there)
            snprintf(text + strlen(text), size - strlen(text), "%s%s",
                     text[0] ? ", " : "", parts[i].name);
}

static void add_fact(void *known, const tomevit_fact *fact)
{
    json_object_set_new(known, fact->what, json_pack("{s:s,s:s,s:b}", "value",
                        fact->value, "from", fact->from, "guessed",
                        fact->guessed));
}

/* What decides what is computed, and where each part of it is from. The file is
 * looked at once more, which can fail as it did not the first time: 0, or -1
 * after a message. */
static int put_known(const session *s, json_t *object)
{
    tomevit_open_options with = session_open_options(s->options);
    json_t *known = json_object();
    tomevit_message why;
    int code = tomevit_each_fact(s->options->model, &with, add_fact, known,
                                 &why);

    json_object_set_new(object, "known", known);
    if (code)
        message_failed("%s%s", why.text,
                       memory_limited_by(code == TOMEVIT_ENOMEM));
    return code ? -1 : 0;
}

static void add_name(void *names, const char *name)
{
    json_array_append_new(names, report_string(name));
}

/* The tensors that nothing reads: all of them in JSON, the first for people.
 * Results as above. */
static int put_unused(const session *s, json_t *object)
{
    tomevit_open_options with = session_open_options(s->options);
    json_t *names = json_array();
    tomevit_message why;
    int code = tomevit_each_unused(s->options->model, &with, add_name, names,
                                   &why);

    json_object_set_new(object, "unused", json_pack("{s:I,s:O,s:O}", "count",
                        (json_int_t)json_array_size(names), "first",
                        json_array_get(names, 0), "names", names));
    json_decref(names);
    if (code)
        message_failed("%s%s", why.text,
                       memory_limited_by(code == TOMEVIT_ENOMEM));
    return code ? -1 : 0;
}

/* Where the model comes from and its parts, into the report's object. */
static int describe(const session *s, json_t *object)
{
    const tomevit_description *d = s->description;
    json_t *text = d->unused ? inspect_text(s->options) : NULL;
    char parts[256];

    if (d->container[0] != '\0')
        json_object_set_new(object, "container", json_string(d->container));
    if (d->wrapper[0] != '\0')
        json_object_set_new(object, "wrapper", json_string(d->wrapper));
    if (d->layout[0])
        json_object_set_new(object, "layout", json_string(d->layout));
    json_object_set_new(object, "tokens_in",
                        json_integer((json_int_t)d->tokens));
    json_object_set_new(object, "mlp_dim",
                        json_integer((json_int_t)d->mlp_dim));
    json_object_set_new(object, "pool", json_string(pool_name(d)));
    json_object_set_new(object, "activation",
                        json_string(activation_name(d)));
    if (text)
        json_object_set_new(object, "text_tower", text);
    parts_text(d, parts, sizeof(parts));
    if (parts[0])
        json_object_set_new(object, "parts", json_string(parts));
    if (s->options->model && put_known(s, object) != 0)
        return -1;
    return d->unused ? put_unused(s, object) : 0;
}

/* Where images differ in their number of patches, which of them the schedule
 * and the MACs are of. */
static void put_counted(const session *s, json_t *object)
{
    const tomevit_description *d = s->description;
    size_t most = d->preprocessing.max_patches;
    size_t down = d->image_size / d->patch, across = down;
    char text[96];

    if (!most)
        return;
    if (d->image_width)
        across = d->image_width / d->patch;
    if (s->runs[0].merging.tile)
        snprintf(text, sizeof(text), "an image of %zu patches, with as many "
                 "tiles as %zu x %zu of them have", most, down, across);
    else
        snprintf(text, sizeof(text), "an image of %zu patches, the most", most);
    json_object_set_new(object, "counted", json_string(text));
}

void command_inspect(const options *o)
{
    session s;

    if (o->cpu) {
        inspect_cpu(o);
        return;
    }
    if (session_describe(&s, o) == 0) {
        json_t *object = session_model_json(&s);
        json_t *rows = layers_json(&s, &s.runs[0]);
        session_report report = {object, rows, list, columns, COUNT(list),
                                 COUNT(columns), 1, NULL, 0, NULL};

        int described = describe(&s, object);
        session_run_json(&s, &s.runs[0], object);
        put_counted(&s, object);
        json_object_set_new(object, "preprocessing",
                            session_preprocessing_json(&s));
        json_object_set(object, "layers", rows);
        if (described == 0)
            session_write(&s, &report);
        json_decref(rows);
        json_decref(object);
    }
    session_close(&s);
}

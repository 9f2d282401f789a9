/* SPDX-License-Identifier: MIT */
/* A checkpoint file: opened, described, read tensor by tensor. */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "checks.h"
#include "config_mmproj.h"
#include "config_own.h"
#include "description.h"
#include "extras.h"
#include "facts.h"
#include "image_size.h"
#include "../layouts/layout.h"
#include "../network/grid.h"
#include "../network/options.h"
#include "../network/positions.h"
#include "neighbours.h"

struct vit_checkpoint {
    vit_tensors *view;                      /* of the file, by timm's names */
    vit_extras extras;
    vit_facts facts;
    tomevit_description description;
    size_t grid[2];                         /* of the file's positions */
    int resize;                             /* enum vit_positions */
    tomevit_message why;                    /* the first failed read's */
    atomic_flag failed;
};

/* The space of texts' embeddings, for a model that is given none. */
static int set_projection(vit_checkpoint *c, const vit_report *report)
{
    tomevit_description *d = &c->description, with = *d;

    if (d->zero_shot)
        return 0;
    tomevit_checkpoint_zero_shot(c, &with);
    if (with.projection) {
        d->projection = 1;
        d->projection_bias = with.projection_bias;
        d->embedding = with.embedding;
        d->parameters = tomevit_count_parameters(d);
    } else if (d->pool == TOMEVIT_POOL_ATTENTION) {
        d->embedding = d->features;
    } else {
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected a projection "
                            "\"visual_projection.weight\" [embedding, %zu] "
                            "or pooling by attention, found %s", d->features,
                            d->classes ? "a head" : "neither");
    }
    return 0;
}

/* 1 if the file's positions are those of another grid. */
static int resized(const vit_checkpoint *c)
{
    const tomevit_description *d = &c->description;

    return d->preprocessing.max_patches ||
           c->grid[0] != tomevit_grid_rows(d) ||
           c->grid[1] != tomevit_grid_columns(d);
}

/* Marks what the model reads, so that the rest can be listed. */
static void mark_used(vit_checkpoint *c)
{
    const tomevit_description *d = &c->description;
    char name[64];

    for (int t = 0; t < VIT_TENSORS; t++) {
        size_t layers = t < VIT_FIRST_OF_LAYER ? 1 : tomevit_own_layers(d);

        if (!tomevit_tensor_shape(d, (enum vit_tensor)t, NULL, NULL))
            continue;
        for (size_t layer = 0; layer < layers; layer++) {
            tomevit_tensor_name(d, (enum vit_tensor)t, layer, name);
            tomevit_view_use(c->view, name);
        }
    }
}

/* Positions come resized from then on, unless every image has its own. */
static int set_image(vit_checkpoint *c, const tomevit_open_options *options,
                     const vit_report *report)
{
    tomevit_description *d = &c->description;
    int code = 0;

    c->grid[0] = tomevit_grid_rows(d);
    c->grid[1] = tomevit_grid_columns(d);
    if (!options->image_size)
        code = tomevit_settle_patches(c->view, d, options->max_patches, report);
    if (code || d->preprocessing.max_patches)
        return code;
    return tomevit_settle_image(c->view, d, options->image_size,
                                options->image_width, report);
}

static int describe(vit_checkpoint *c, const tomevit_open_options *options,
                    const vit_report *report)
{
    int code;

    if ((code = tomevit_extras_add(&c->extras, options, c->view, report)) ||
        (code = tomevit_settle_distillation(c->view, report)) ||
        (code = tomevit_config_say(c->view, report)) ||
        (code = tomevit_mmproj_say(c->view, report)) ||
        (code = tomevit_layout_imply(c->view, report)) ||
        (code = tomevit_settle_last_norm(c->view, report)) ||
        (code = tomevit_describe_file(c->view, &c->description, report)) ||
        (code = tomevit_metadata_positions(c->view, &c->resize, report)) ||
        (code = set_image(c, options, report)) ||
        (options->projection && (code = set_projection(c, report))))
        return code;
    tomevit_facts_find(&c->facts, c->view, &c->description,
                       resized(c), options->image_size || options->max_patches);
    if (options->strict && (code = tomevit_facts_strict(&c->facts, report)))
        return code;
    mark_used(c);
    c->description.unused = tomevit_view_unused(c->view, NULL, NULL);
    snprintf(c->description.container, sizeof(c->description.container), "%s",
             c->view->container);
    snprintf(c->description.wrapper, sizeof(c->description.wrapper), "%s",
             c->view->prefix);
    snprintf(c->description.layout, sizeof(c->description.layout), "%s",
             tomevit_view_layout(c->view));
    return 0;
}

/* Takes over `file`, which is closed on failure. */
static int build(vit_tensors *file, const tomevit_open_options *options,
                 int neighbours, vit_checkpoint **out,
                 tomevit_description *description, tomevit_message *why)
{
    vit_report report = {file->path, why};
    vit_checkpoint *c = calloc(1, sizeof(*c));
    int code;

    if (!c) {
        code = tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
        tomevit_tensors_close(file);
        return code;
    }
    atomic_flag_clear(&c->failed);
    code = tomevit_layout_view(tomevit_layout_of(file), file, &c->view,
                               &report);
    if (!code) {
        report.path = c->view->path;
        code = neighbours ? tomevit_neighbours(c->view, &report) : 0;
    }
    if (!code)
        code = describe(c, options, &report);
    if (code) {
        tomevit_checkpoint_close(c);
        return code;
    }
    *description = c->description;
    *out = c;
    return 0;
}

int tomevit_checkpoint_open(const char *path,
                            const tomevit_open_options *options,
                            vit_checkpoint **checkpoint,
                            tomevit_description *description,
                            tomevit_message *why)
{
    static const tomevit_open_options none;
    vit_tensors *file;
    int code = tomevit_tensors_open(path, &file, why);

    *checkpoint = NULL;
    return code ? code : build(file, options ? options : &none, 1, checkpoint,
                               description, why);
}

int tomevit_checkpoint_parse(const char *path, const void *bytes, size_t count,
                             vit_checkpoint **checkpoint,
                             tomevit_description *description,
                             tomevit_message *why)
{
    static const tomevit_open_options none;
    vit_tensors *file;
    int code = tomevit_tensors_parse(path, bytes, count, &file, why);

    *checkpoint = NULL;
    return code ? code : build(file, &none, 0, checkpoint, description, why);
}

size_t tomevit_checkpoint_unused(const vit_checkpoint *checkpoint,
                                 void (*each)(void *data, const char *name),
                                 void *data)
{
    return tomevit_view_unused(checkpoint->view, each, data);
}

/* grid[side, side, dim] = the sums of those of rows and of columns. */
static void add_axes(const tomevit_description *d, size_t side,
                     const float *axes, float *grid)
{
    for (size_t i = 0; i < side * side; i++)
        for (size_t k = 0; k < d->dim; k++)
            grid[i * d->dim + k] = axes[i / side * d->dim + k] +
                                   axes[(side + i % side) * d->dim + k];
}

/* From the file's grid to the description's. */
static vit_resizing resizing(const vit_checkpoint *c)
{
    const tomevit_description *d = &c->description;

    return (vit_resizing){c->resize, d->dim, {c->grid[0], c->grid[1]},
                          {tomevit_grid_rows(d), tomevit_grid_columns(d)}};
}

/* The same of positions of rows and of columns. */
static int read_axes(const vit_checkpoint *c, const vit_stored *tensor,
                     float *out, tomevit_message *why)
{
    const tomevit_description *d = &c->description;
    size_t side = c->grid[0];
    vit_resizing r = resizing(c);
    float *axes = malloc(tensor->elements * sizeof(*axes));
    float *grid = malloc(side * side * d->dim * sizeof(*grid));
    int code = axes && grid ? tomevit_tensors_read(c->view, tensor, axes, why)
                            : TOMEVIT_ENOMEM;

    if (!code) {
        add_axes(d, side, axes, resized(c) ? grid : out);
        if (resized(c))
            code = tomevit_resize_positions(&r, grid, out);
    }
    free(axes);
    free(grid);
    return code;
}

/* Positions by the numbers of columns and of rows. */
static int read_table(const vit_checkpoint *c, const vit_stored *tensor,
                      float *out, tomevit_message *why)
{
    const tomevit_description *d = &c->description;
    size_t columns = tomevit_grid_columns(d), dim = d->dim;
    float *table = malloc(tensor->elements * sizeof(*table));
    int code = table ? tomevit_tensors_read(c->view, tensor, table, why)
                     : TOMEVIT_ENOMEM;

    for (size_t i = 0; !code && i < tomevit_grid_patches(d) * dim; i++)
        out[i] = table[i / dim % columns * dim + i % dim] +
                 table[(tensor->shape[1] + i / dim / columns) * dim + i % dim];
    free(table);
    return code;
}

/* The file's positions, resized: the prefix's rows stay as they are. */
static int read_positions(const vit_checkpoint *c, const vit_stored *tensor,
                          float *out, tomevit_message *why)
{
    const tomevit_description *d = &c->description;
    size_t kept = d->pos_prefix * d->dim;
    vit_resizing r = resizing(c);
    float *stored = malloc(tensor->elements * sizeof(*stored));
    int code;

    if (!stored)
        return TOMEVIT_ENOMEM;
    code = tomevit_tensors_read(c->view, tensor, stored, why);
    for (size_t i = 0; !code && i < kept; i++)
        out[i] = stored[i];
    if (!code)
        code = tomevit_resize_positions(&r, stored + kept, out + kept);
    free(stored);
    return code;
}

/* NULL if the file has none such, or only of a dtype that cannot be read. */
static const vit_stored *find(const vit_checkpoint *checkpoint,
                              enum vit_tensor t, size_t layer)
{
    const vit_stored *tensor;
    char name[64];

    tomevit_tensor_name(&checkpoint->description, t, layer, name);
    tensor = tomevit_tensors_find(checkpoint->view, name);
    return tensor && tensor->dtype->to_f32 ? tensor : NULL;
}

static int read_tensor(void *self, enum vit_tensor t, size_t layer, float *out)
{
    vit_checkpoint *c = self;
    const vit_stored *tensor = find(c, t, layer);
    tomevit_message why = {""};
    size_t count = tomevit_shape_in(&c->description, layer, t, NULL, NULL);
    int code;

    /* The caller's memory is of the description's size, if it has the part:
     * of others it has asked for the tensor's own. */
    if (!tensor ||
        (count && t != VIT_POS_EMBED && tensor->elements != count))
        return TOMEVIT_EINVAL;
    if (t == VIT_POS_EMBED && tomevit_has_table(c->view))
        code = read_table(c, tensor, out, &why);
    else if (t == VIT_POS_EMBED && tomevit_has_axes(c->view))
        code = read_axes(c, tensor, out, &why);
    else if (t == VIT_POS_EMBED && resized(c))
        code = read_positions(c, tensor, out, &why);
    else
        code = tomevit_tensors_read(c->view, tensor, out, &why);
    if (code && !atomic_flag_test_and_set(&c->failed))
        c->why = why;
    return code;
}

static int read_int8(void *self, enum vit_tensor t, size_t layer,
                     signed char *out, float *scale)
{
    const vit_checkpoint *c = self;
    const vit_stored *tensor = find(c, t, layer);

    return tensor && c->view->read_int8(c->view, tensor, out, scale);
}

const tomevit_message *tomevit_checkpoint_why(const vit_checkpoint *checkpoint)
{
    return &checkpoint->why;
}

const char *tomevit_checkpoint_metadata(const vit_checkpoint *checkpoint,
                                        const char *key)
{
    return tomevit_tensors_metadata(checkpoint->view, key);
}

/* A readable tensor with this many elements, as far as they are known. */
static const vit_stored *find_part(const vit_checkpoint *checkpoint,
                                   enum vit_tensor t, size_t elements)
{
    const vit_stored *tensor = find(checkpoint, t, 0);

    return tensor && (!elements || tensor->elements == elements) ? tensor
                                                                 : NULL;
}

void tomevit_checkpoint_zero_shot(const vit_checkpoint *checkpoint,
                                  tomevit_description *d)
{
    const vit_stored *projection;

    if (d->classes)
        return;
    projection = find_part(checkpoint, VIT_PROJECT_WEIGHT, 0);
    if (projection && projection->dims == 2 &&
        projection->shape[1] == d->features && projection->shape[0] &&
        projection->shape[0] <= VIT_MAX_DIM) {
        d->projection = 1;
        d->embedding = projection->shape[0];
        d->projection_bias =
            find_part(checkpoint, VIT_PROJECT_BIAS, d->embedding) != NULL;
    }
    d->logit_scale = find_part(checkpoint, VIT_LOGIT_SCALE, 1) != NULL;
    d->logit_bias = find_part(checkpoint, VIT_LOGIT_BIAS, 1) != NULL;
}

const char *tomevit_checkpoint_dtype(const vit_checkpoint *checkpoint)
{
    const tomevit_description *d = &checkpoint->description;
    const vit_dtype *common = NULL;
    size_t layer;
    int t;

    for (layer = 0; layer < tomevit_own_layers(d) || layer == 0; layer++)
        for (t = layer ? VIT_FIRST_OF_LAYER : 0; t < VIT_TENSORS; t++) {
            const vit_stored *tensor;

            if (!tomevit_tensor_shape(d, (enum vit_tensor)t, NULL, NULL))
                continue;
            tensor = find(checkpoint, (enum vit_tensor)t, layer);
            if (!tensor || (common && tensor->dtype != common))
                return "F32";
            common = tensor->dtype;
        }
    return common && common->bits == 16 ? common->name : "F32";
}

vit_source tomevit_checkpoint_source(vit_checkpoint *checkpoint)
{
    vit_source source = {
        .read = read_tensor, .read_int8 = read_int8, .self = checkpoint,
        .resize = checkpoint->resize,
        .stacked = tomevit_view_stacked(checkpoint->view),
    };

    return source;
}

int tomevit_checkpoint_class_names(const vit_checkpoint *checkpoint,
                                   char ***names, tomevit_message *why)
{
    vit_report report = {checkpoint->view->path, why};

    return tomevit_metadata_class_names(checkpoint->view,
                                        checkpoint->description.classes,
                                        names, &report);
}

void tomevit_checkpoint_close(vit_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    tomevit_tensors_close(checkpoint->view);
    tomevit_extras_close(&checkpoint->extras);
    free(checkpoint);
}

/* ---- public -------------------------------------------------------------- */

int tomevit_read_description(const char *path,
                             const tomevit_open_options *options,
                             tomevit_description *description,
                             tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_message unused;
    char **names = NULL;
    int code;

    if (!path || !description || !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    why->text[0] = '\0';
    code = tomevit_checkpoint_open(path, options, &checkpoint, description,
                                   why);
    if (code)
        return code;
    code = tomevit_checkpoint_class_names(checkpoint, &names, why);
    free(names);
    tomevit_checkpoint_close(checkpoint);
    return code;
}

int tomevit_each_fact(const char *path, const tomevit_open_options *options,
                      void (*each)(void *data, const tomevit_fact *fact),
                      void *data, tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_description description;
    tomevit_message unused;
    int code;

    if (!path || !each || !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    why->text[0] = '\0';
    code = tomevit_checkpoint_open(path, options, &checkpoint, &description,
                                   why);
    if (code)
        return code;
    for (size_t i = 0; i < checkpoint->facts.count; i++) {
        const vit_fact *f = &checkpoint->facts.list[i];
        tomevit_fact fact = {f->what, f->value, f->from, f->guessed};

        each(data, &fact);
    }
    tomevit_checkpoint_close(checkpoint);
    return 0;
}

int tomevit_each_unused(const char *path, const tomevit_open_options *options,
                        void (*each)(void *data, const char *name), void *data,
                        tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_description description;
    tomevit_message unused;
    int code;

    if (!path || !each || !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    why->text[0] = '\0';
    code = tomevit_checkpoint_open(path, options, &checkpoint, &description,
                                   why);
    if (code)
        return code;
    tomevit_checkpoint_unused(checkpoint, each, data);
    tomevit_checkpoint_close(checkpoint);
    return 0;
}

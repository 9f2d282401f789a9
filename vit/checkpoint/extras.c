/* SPDX-License-Identifier: MIT */
/* A head and embeddings of class texts from files of their own. */
#include "config.h"

#include "extras.h"

#include "../layouts/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The only tensor with so many dimensions, NULL if there is none; *more is
 * set if there are several. */
static const vit_stored *only(const vit_tensors *file, size_t dims, int *more)
{
    const vit_stored *found = NULL;

    for (size_t i = 0; i < file->count; i++) {
        if (file->list[i].dims != dims)
            continue;
        *more |= found != NULL;
        found = &file->list[i];
    }
    return found;
}

/* One matrix and perhaps one vector, under these names. */
static int add(const vit_tensors *file, vit_tensors *view, const char *matrix,
               const char *vector, tomevit_message *why)
{
    vit_report report = {file->path, why};
    int more = 0, code;
    const vit_stored *m = only(file, 2, &more);
    const vit_stored *v = vector ? only(file, 1, &more) : NULL;

    if (!m || more)
        return tomevit_fail(&report, TOMEVIT_EMODEL, "expected one matrix%s, "
                            "found %s", vector ? " and at most one vector"
                                               : " [classes, width]",
                            m ? "more" : "none");
    if (tomevit_tensors_find(view, matrix))
        return tomevit_fail(&report, TOMEVIT_EMODEL, "the model has a head of "
                            "its own");
    code = tomevit_view_add(view, matrix, file, m, &report);
    if (!code && v)
        code = tomevit_view_add(view, vector, file, v, &report);
    return code;
}

/* ---- embeddings from memory ---------------------------------------------- */

static int read_rows(const vit_tensors *tensors, const vit_stored *tensor,
                     float *out, const vit_report *report)
{
    (void)report;
    memcpy(out, tensors->self, tensor->elements * sizeof(*out));
    return 0;
}

/* The caller's rows as if they were a file's. */
static int open_rows(const tomevit_open_options *options, vit_tensors **rows,
                     const vit_report *report)
{
    size_t count = options->text_count, width = options->text_width;

    *rows = tomevit_tensors_new("embeddings of texts");
    if (*rows)
        (*rows)->list = calloc(1, sizeof(*(*rows)->list));
    if (!*rows || !(*rows)->list)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    (*rows)->read = read_rows;
    (*rows)->self = (void *)(size_t)options->text_rows;
    (*rows)->count = 1;
    (*rows)->list[0] = (vit_stored){
        .name = "rows", .dtype = tomevit_dtype_find("F32"), .dims = 2,
        .shape = {count, width}, .elements = count * width};
    return 0;
}

static int open_texts(vit_extras *extras, const tomevit_open_options *options,
                      const vit_report *report)
{
    return options->text_rows
        ? open_rows(options, &extras->texts, report)
        : tomevit_tensors_open(options->text_embeddings, &extras->texts,
                               report->why);
}

/* What timm calls the head is CLIP's projection where texts are given, and in
 * the trunk of open_clip's towers. */
static int heads_project(const tomevit_open_options *options,
                         const vit_tensors *view)
{
    static const char trunk[] = "visual.trunk.";
    size_t length = strlen(view->prefix), tail = sizeof(trunk) - 1;

    return options->text_embeddings || options->text_rows ||
           (length >= tail && !strcmp(view->prefix + length - tail, trunk));
}

/* From timm's name to that of a projection, if there is none. */
static int rename_projection(vit_tensors *view, const vit_report *report)
{
    static const char *const names[][2] = {
        {"visual_projection.weight", "head.weight"},
        {"visual_projection.bias", "head.bias"},
    };
    int code = 0;

    if (tomevit_tensors_find(view, names[0][0]))
        return 0;
    for (size_t i = 0; !code && i < 2; i++)
        if (tomevit_tensors_find(view, names[i][1]))
            code = tomevit_view_rename(view, names[i][0], names[i][1],
                                       report);
    return code;
}

int tomevit_extras_add(vit_extras *extras, const tomevit_open_options *options,
                       vit_tensors *view, const vit_report *report)
{
    int code = 0;

    if (options->head && (options->text_embeddings || options->text_rows))
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected a head or "
                            "embeddings of texts, found both");
    if (options->head) {
        code = tomevit_tensors_open(options->head, &extras->head, report->why);
        if (!code)
            code = add(extras->head, view, "head.weight", "head.bias",
                       report->why);
    }
    if (options->text_embeddings || options->text_rows) {
        code = open_texts(extras, options, report);
        if (!code)
            code = add(extras->texts, view, "text_embeddings", NULL,
                       report->why);
    }
    if (!code && heads_project(options, view))
        code = rename_projection(view, report);
    return code;
}

void tomevit_extras_close(vit_extras *extras)
{
    tomevit_tensors_close(extras->head);
    tomevit_tensors_close(extras->texts);
}

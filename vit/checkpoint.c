/* SPDX-License-Identifier: MIT */
/* A checkpoint file: opened, described, read tensor by tensor. */
#include "config.h"

#include <stdlib.h>

#include "checkpoint.h"
#include "description.h"

struct vit_checkpoint {
    vit_tensors *file;
    tomevit_description description;
    size_t extra;                           /* tensors the model has no use for */
};

/* Takes over `file`, which is closed on failure. */
static int describe(vit_tensors *file, vit_checkpoint **out,
                    tomevit_description *description, tomevit_message *why)
{
    vit_report report = {file->path, why};
    vit_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    int code;

    if (!checkpoint) {
        code = tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
        tomevit_tensors_close(file);
        return code;
    }
    checkpoint->file = file;
    code = tomevit_describe_file(file, &checkpoint->description,
                                 &checkpoint->extra, &report);
    if (code) {
        tomevit_checkpoint_close(checkpoint);
        return code;
    }
    *description = checkpoint->description;
    *out = checkpoint;
    return 0;
}

int tomevit_checkpoint_open(const char *path, vit_checkpoint **checkpoint,
                            tomevit_description *description,
                            tomevit_message *why)
{
    vit_tensors *file;
    int code = tomevit_tensors_open(path, &file, why);

    *checkpoint = NULL;
    return code ? code : describe(file, checkpoint, description, why);
}

int tomevit_checkpoint_parse(const char *path, const void *bytes, size_t count,
                             vit_checkpoint **checkpoint,
                             tomevit_description *description,
                             tomevit_message *why)
{
    vit_tensors *file;
    int code = tomevit_tensors_parse(path, bytes, count, &file, why);

    *checkpoint = NULL;
    return code ? code : describe(file, checkpoint, description, why);
}

size_t tomevit_checkpoint_extra(const vit_checkpoint *checkpoint)
{
    return checkpoint->extra;
}

static int read_tensor(void *self, enum vit_tensor t, size_t layer, float *out)
{
    const vit_checkpoint *checkpoint = self;
    const vit_stored *tensor;
    char name[64];

    tomevit_tensor_name(&checkpoint->description, t, layer, name);
    tensor = tomevit_tensors_find(checkpoint->file, name);
    if (!tensor || !tensor->dtype->to_f32)
        return TOMEVIT_EINVAL;
    return tomevit_tensors_read(checkpoint->file, tensor, out, NULL);
}

vit_source tomevit_checkpoint_source(vit_checkpoint *checkpoint)
{
    vit_source source = {read_tensor, checkpoint};

    return source;
}

int tomevit_checkpoint_class_names(const vit_checkpoint *checkpoint,
                                   char ***names, tomevit_message *why)
{
    vit_report report = {checkpoint->file->path, why};

    return tomevit_metadata_class_names(checkpoint->file,
                                        checkpoint->description.classes,
                                        names, &report);
}

void tomevit_checkpoint_close(vit_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    tomevit_tensors_close(checkpoint->file);
    free(checkpoint);
}

/* ---- public ---------------------------------------------------------------- */

int tomevit_read_description(const char *path, tomevit_description *description,
                             tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_message unused;
    char **names = NULL;
    int code;

    if (!path || !description)
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    why->text[0] = '\0';
    code = tomevit_checkpoint_open(path, &checkpoint, description, why);
    if (code)
        return code;
    code = tomevit_checkpoint_class_names(checkpoint, &names, why);
    free(names);
    tomevit_checkpoint_close(checkpoint);
    return code;
}

/* SPDX-License-Identifier: MIT */
/* Opening a model: a checkpoint, or random weights, as one that runs. */
#include "config.h"

#include "../checkpoint/checkpoint.h"
#include "../model/model.h"
#include "../network/options.h"

#include <stdio.h>
#include <stdlib.h>

int tomevit_open(const char *path, const tomevit_open_options *options,
                 tomevit_model **model, tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_description d;
    tomevit_message unused;
    char **names = NULL;
    int error;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!model)
        return TOMEVIT_EINVAL;
    *model = NULL;
    if (!path || !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    error = tomevit_checkpoint_open(path, options, &checkpoint, &d, why);
    if (error)
        return error;
    error = tomevit_checkpoint_class_names(checkpoint, &names, why);
    if (!error)
        error = tomevit_model_build(&d, options,
                                    tomevit_checkpoint_source(checkpoint),
                                    model);
    if (error && !why->text[0])
        *why = *tomevit_checkpoint_why(checkpoint);
    tomevit_checkpoint_close(checkpoint);
    if (error) {
        if (!why->text[0])
            snprintf(why->text, sizeof(why->text), "%s: %s", path,
                     tomevit_strerror(error));
        free(names);
        return error;
    }
    (*model)->class_names = names;
    return 0;
}

/* What a model of random weights cannot have. */
static int adds_files(const tomevit_open_options *options)
{
    return options && (options->strict || options->head ||
                       options->text_embeddings || options->text_rows ||
                       options->projection || options->max_patches);
}

int tomevit_random(const char *name, uint64_t seed,
                   const tomevit_open_options *options, tomevit_model **model)
{
    tomevit_description d;
    vit_random random;
    int error;

    if (!model)
        return TOMEVIT_EINVAL;
    *model = NULL;
    if (!name || !tomevit_open_options_valid(options) || adds_files(options))
        return TOMEVIT_EINVAL;
    error = tomevit_arch_description(name, &d);
    if (!error && options && options->image_size)
        error = tomevit_arch_resize(&d, options->image_size,
                                    options->image_width
                                        ? options->image_width
                                        : options->image_size);
    if (error)
        return error;
    random = (vit_random){&d, seed};
    return tomevit_model_build(&d, options, tomevit_random_source(&random),
                               model);
}

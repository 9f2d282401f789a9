/* SPDX-License-Identifier: MIT */
/* From the configurations that libraries write beside their weights to the
 * metadata that this library reads. */
#include "config.h"

#include "neighbours.h"

#include "neighbour.h"

#include <string.h>

/* config.json is timm's (also inside transformers) or transformers'. */
static int from_config(const vit_neighbour *n, json_t *config)
{
    if (json_object_get(config, "architecture"))
        return tomevit_from_timm(n, config);
    return json_object_get(config, "model_type")
               ? tomevit_from_transformers(n, config) : 0;
}

/* An image processor inside another processor counts alone, as transformers
 * has it. */
static int from_preprocessor(const vit_neighbour *n, json_t *config)
{
    const char *from = tomevit_tensors_from(n->view, "crop_pct");

    return from && !strcmp(from + (from[0] == '?'), "processor_config.json")
               ? 0 : tomevit_from_preprocessor(n, config);
}

int tomevit_neighbours(vit_tensors *view, const vit_report *report)
{
    static const struct {
        const char *name;
        int (*read)(const vit_neighbour *n, json_t *config);
    } files[] = {
        {"processor_config.json", from_preprocessor},
        {"preprocessor_config.json", from_preprocessor},
        {"config.json", from_config},
        {"open_clip_config.json", tomevit_from_open_clip},
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        vit_neighbour n = {view, files[i].name, report};
        json_t *config;
        int code = tomevit_neighbour_load(&n, &config);

        if (!code && config)
            code = files[i].read(&n, config);
        json_decref(config);
        if (code)
            return code;
    }
    return 0;
}

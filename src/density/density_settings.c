/* SPDX-License-Identifier: MIT */
/* The ways of merging that are asked for, and what numbers depend on. */
#include "config.h"

#include "density.h"

#include <stdio.h>

int density_open_ways(density *p)
{
    const past_list *list = &p->m.s.options->past;

    p->count = list->count ? list->count : 1;
    p->width = p->count + 1;
    p->ways[0] = (density_way){p->m.model, p->m.context, p->m.how.window,
                               p->m.how.group, 0, 0};
    for (size_t i = 1; i < p->count; i++) {
        byte_model_how how = p->m.how;
        density_way *w = &p->ways[i];

        w->window = how.window = list->window[i];
        w->group = how.group = list->group[i];
        if (byte_model_again(&p->m, how, &w->model, &w->context) != 0)
            return -1;
    }
    return 0;
}

void density_close_ways(density *p)
{
    for (size_t i = 1; i < p->count; i++) {
        tomevit_bytes_context_free(p->ways[i].context);
        tomevit_bytes_close(p->ways[i].model);
    }
}

static json_t *hash_json(uint64_t hash)
{
    char text[17];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    return json_string(text);
}

/* Whether they were asked for by --merge, or one by --window and --group. */
static json_t *ways_json(const density *p)
{
    char text[OPTIONS_WAYS * 48] = "";
    size_t used = 0;

    for (size_t i = 0; i < p->count; i++) {
        const density_way *w = &p->ways[i];

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%zu",
                                 i ? "," : "", w->window);
        if (w->group)
            used += (size_t)snprintf(text + used, sizeof(text) - used, ":%zu",
                                     w->group);
    }
    return json_string(text);
}

/* FNV-1a of all names, each with its number. */
TM_WRAPS static uint64_t hash_names(const folder *files)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < files->count; i++)
        for (const char *c = files->files[i].name; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211) + i;
    return hash;
}

int density_set_settings(density *p)
{
    const options *o = p->m.s.options;
    char part[48];
    json_t *ways = json_array();

    for (size_t i = 0; i < p->count; i++) {
        uint64_t hash;

        if (byte_model_arithmetic(&p->m, p->ways[i].context, &hash) != 0) {
            json_decref(ways);
            return -1;
        }
        json_array_append_new(ways, hash_json(hash));
    }
    snprintf(part, sizeof(part), "%zu/%zu", o->part.k, o->part.n);
    p->settings = json_pack(
        "{s:o,s:o,s:s,s:s,s:o,s:I,s:b,s:b,s:b}", "--model",
        hash_json(p->m.digest), "--merge", ways_json(p),
        "--cpu", tomevit_bytes_cpu(p->m.model),
        "--dtype", tomevit_dtype_name(p->m.how.dtype),
        "images", hash_json(hash_names(p->files)), "images in all",
        (json_int_t)p->files->count, "--exif", o->exif, "--lenient", o->lenient,
        "--strict", o->strict);
    json_object_set_new(p->settings, "arithmetic", ways);
    json_object_set_new(p->settings, "--part", o->part.n ? json_string(part)
                                                         : json_null());
    return 0;
}

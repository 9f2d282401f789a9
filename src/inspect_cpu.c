/* SPDX-License-Identifier: MIT */
/* tomerge inspect --cpu: what this machine has, and what would be used. */
#include "commands.h"

#include "base/cpus.h"
#include "base/message.h"
#include "base/waiting.h"
#include "session/session.h"

#include <stdio.h>
#include <string.h>

static const report_column list[] = {
    {"model", "CPU", NULL},
    {"detected", "detected", NULL},
    {"tiers.merging", "merging", NULL},
    {"tiers.pixels", "pixels", NULL},
    {"tiers.f32", "f32", NULL},
    {"tiers.bf16", "bf16", NULL},
    {"tiers.int8", "int8", NULL},
    {"threads", "threads", NULL},
    {"idle_threads", "idle threads", NULL}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The name that Linux has for the CPU, or null. */
static json_t *cpu_model(void)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    json_t *name = NULL;

    while (file && !name &&
           fgets(line, sizeof(line), file) != NULL) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        line[strcspn(line, "\n")] = '\0';
        name = report_string(value + 2);
    }
    if (file)
        fclose(file);
    return name ? name : json_null();
}

/* Every tier that has what it needs, with blanks between. */
static json_t *detected(void)
{
    uint32_t flags = tomerge_cpu_detected(), mask;
    char text[256] = "";
    const char *name;

    for (int i = 0; (name = tomerge_cpu_tier(i)) != NULL; i++)
        if (tomerge_cpu_mask(name, &mask) == 0 && (flags & mask) == mask)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
                     i ? " " : "", name);
    return json_string(text);
}

/* The kernels are chosen for each kind of work by itself. */
static json_t *tiers(void)
{
    json_t *object = json_object();

    json_object_set_new(object, "merging", json_string(tomerge_tier()));
    json_object_set_new(object, "pixels", json_string(tomevit_pixel_tier()));
    for (int dtype = 0; tomevit_dtype_name(dtype); dtype++)
        json_object_set_new(object, tomevit_dtype_name(dtype),
                            json_string(tomevit_tier(dtype)));
    return object;
}

/* What the OpenMP runtime was told about threads that wait. */
static json_t *idle_threads(void)
{
    const char *chosen = waiting_chosen();

    if (chosen)
        return report_string(chosen);
    return json_string("the OpenMP runtime's default: they spin for a while");
}

void inspect_cpu(const options *o)
{
    output json;

    if (output_open(&json, o->json) != 0)
        return;
    json_t *object = json_object();
    json_object_set_new(object, "model", cpu_model());
    json_object_set_new(object, "detected", detected());
    json_object_set_new(object, "tiers", tiers());
    json_object_set_new(object, "threads", json_integer(cpus_available()));
    json_object_set_new(object, "idle_threads", idle_threads());
    if (json.file)
        report_json(json.file, object);
    output_close(&json);
    if (!output_is_stdout(o->json)) {
        report_list(stdout, list, COUNT(list), object);
        output_flush_people();
    }
    json_decref(object);
}

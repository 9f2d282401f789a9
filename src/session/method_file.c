/* SPDX-License-Identifier: MIT */
/*
 * --method @FILE: a file that says how tokens merge. The library reads what is
 * in it, for a model; before there is one, the command asks for the method
 * alone.
 */
#include "method_file.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "method_text.h"
#include "schedule_file.h"
#include "tomevit_methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int method_file_read(const char *text, merging_method *method, char *why)
{
    char *name;
    int result;

    method->text = memory_text(text);
    method->said = schedule_file_read(text + 1, why);
    if (!method->said)
        return -1;
    name = method_text_value(method->said, "method");
    result = name && tomevit_method_from_name(name, &method->row) == 0 ? 0 : -1;
    if (result != 0)
        snprintf(why, ARGS_WHY, "%.120s: expected method=NAME of a method, "
                 "found %.40s", text + 1, name ? name : "none");
    free(name);
    method->options = method_text_without(method->said, "method");
    return result;
}

int method_file_resolve(const merging_args *args,
                        const tomevit_description *model, int merges,
                        merging_run *run, char *why)
{
    const char *path = args->file->text + 1, *slash = strrchr(path, '/');
    tomevit_message message;

    if (tomevit_merging_parse(args->file->said, model, &run->merging, run->r,
                              run->layers, &message) != 0) {
        snprintf(why, ARGS_WHY, "%.100s: %.140s", path, message.text);
        return -1;
    }
    snprintf(run->label, sizeof(run->label), "%.60s", slash ? slash + 1 : path);
    for (size_t i = 0; i < model->depth && !merges; i++) {
        run->r[i] = 0;
        run->layers[i].prune = 0;
    }
    return 0;
}

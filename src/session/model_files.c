/* SPDX-License-Identifier: MIT */
/* Which files a model is read from. */
#include "config.h"

#include "model_files.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "../base/text.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);

    return length > tail && strcmp(text + length - tail, ending) == 0;
}

static int is_regular(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* A name beside a file, to be freed. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    char *out = memory_zero(folder + strlen(name) + 1, 1);

    memcpy(out, path, folder);
    strcpy(out + folder, name);
    return out;
}

static int each_beside(const char *path, const char *name, model_file *each,
                       void *data)
{
    char *file = beside(path, name);
    int result = is_regular(file) ? each(data, file) : 0;

    free(file);
    return result;
}

/* ---- an index and what it names ------------------------------------------ */

/* The names of files in the index's "weight_map", each once; NULL if it has
 * none. To be released. */
static json_t *names_in_index(const char *path)
{
    json_error_t ignored;
    json_t *index = is_regular(path) ? text_load_json(path, &ignored) : NULL;
    json_t *names = json_object(), *value;
    const char *tensor;

    json_object_foreach(json_object_get(index, "weight_map"), tensor, value)
        if (json_is_string(value) &&
            strchr(json_string_value(value), '/') == NULL)
            json_object_set_new(names, json_string_value(value), json_true());
    json_decref(index);
    return names;
}

static int each_shard(const char *path, model_file *each, void *data)
{
    json_t *names = names_in_index(path), *value;
    const char *name;
    int result = 0;

    json_object_foreach(names, name, value)
        if (result == 0)
            result = each_beside(path, name, each, data);
    json_decref(names);
    return result;
}

int model_files_each(const char *path, model_file *each, void *data)
{
    int result = is_regular(path) ? each(data, path) : 0;

    if (result == 0 && ends_with(path, ".json"))
        result = each_shard(path, each, data);
    return result;
}

int model_files_beside(const char *path, model_file *each, void *data)
{
    static const char *const configurations[] = {
        "config.json", "preprocessor_config.json", "processor_config.json",
        "open_clip_config.json"
    };
    int result = 0;

    for (size_t i = 0; i < sizeof(configurations) / sizeof(configurations[0]) &&
         result == 0; i++)
        result = each_beside(path, configurations[i], each, data);
    return result;
}

/* ---- a folder ------------------------------------------------------------ */

static int is_checkpoint(const char *name)
{
    static const char *const endings[] = {
        ".safetensors", ".pth", ".pt", ".bin", ".npz", ".gguf", ".index.json",
        ".pth.tar", ".ckpt"
    };
    int found = 0;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        found |= ends_with(name, endings[i]);
    /* What trainers leave beside the weights, which is none. */
    return found && name[0] != '.' && strcmp(name, "training_args.bin") != 0 &&
           strcmp(name, "optimizer.bin") != 0 &&
           strcmp(name, "optimizer.pt") != 0 &&
           strcmp(name, "scheduler.pt") != 0 &&
           strcmp(name, "rng_state.pth") != 0;
}

typedef struct name_list {
    char **names;
    size_t count, capacity;
} name_list;

static void names_free(name_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_checkpoints(const char *folder, name_list *l)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;

    memset(l, 0, sizeof(*l));
    if (!d)
        return -1;
    while (errno = 0, (entry = readdir(d)) != NULL) {
        if (!is_checkpoint(entry->d_name))
            continue;
        char *path = memory_path(folder, entry->d_name);
        if (is_regular(path)) {
            l->names = memory_grow(l->names, l->count, &l->capacity,
                                   sizeof(*l->names));
            l->names[l->count++] = memory_text(entry->d_name);
        }
        free(path);
    }
    int reason = errno;
    closedir(d);
    if (l->count > 1)
        qsort(l->names, l->count, sizeof(*l->names), compare);
    errno = reason;
    return reason ? -1 : 0;
}

/* Leaves out the files that an index among them names. */
static void leave_out_shards(const char *folder, name_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (!ends_with(l->names[i], ".index.json"))
            continue;
        char *path = memory_path(folder, l->names[i]);
        json_t *shards = names_in_index(path);
        size_t kept = 0, before = 0;
        for (size_t k = 0; k < l->count; k++) {
            if (!json_object_get(shards, l->names[k])) {
                l->names[kept++] = l->names[k];
                continue;
            }
            before += k < i;
            free(l->names[k]);
        }
        l->count = kept;
        i -= before;
        json_decref(shards);
        free(path);
    }
}

char *model_files_in_folder(const char *folder, char *why)
{
    char *found = NULL;
    name_list l;

    if (list_checkpoints(folder, &l) != 0) {
        int reason = errno;
        snprintf(why, ARGS_WHY, "%.150s: %s", folder, strerror(reason));
        names_free(&l);
        errno = reason;
        return NULL;
    }
    leave_out_shards(folder, &l);
    if (l.count == 1)
        found = memory_path(folder, l.names[0]);
    else if (l.count == 0)
        snprintf(why, ARGS_WHY, "%.150s: there is no checkpoint in this folder",
                 folder);
    else
        snprintf(why, ARGS_WHY, "%.60s: %zu checkpoints are in this folder, "
                 "%.40s and %.40s%s: name one", folder, l.count, l.names[0],
                 l.names[1], l.count > 2 ? " among them" : "");
    names_free(&l);
    errno = 0;
    return found;
}

/* SPDX-License-Identifier: MIT */
/* One file beside a checkpoint: opened, parsed, and what it says noted. */
#include "config.h"

#include "neighbour.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 16 << 20, DEPTH = 16 };

/* ---- the file ------------------------------------------------------------ */

/* The file's path in the folder of the view's; NULL without memory. */
static char *path_of(const vit_neighbour *n)
{
    const char *slash = strrchr(n->view->path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - n->view->path) : 0;
    char *path = malloc(folder + strlen(n->name) + 1);

    if (path) {
        memcpy(path, n->view->path, folder);
        strcpy(path + folder, n->name);
    }
    return path;
}

static int cannot_read(const vit_neighbour *n, const char *why)
{
    return tomevit_fail(n->report, TOMEVIT_EIO, "%s beside it cannot be read: "
                        "%s", n->name, why);
}

/* *fd is -1 if there is no such file, not even a link that leads nowhere. */
static int open_regular(const vit_neighbour *n, const char *path, int *fd,
                        size_t *length)
{
    struct stat status;

    /* Without O_NONBLOCK a named pipe would hold the caller up for ever. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0) {
        int error = errno;

        return (error == ENOENT && lstat(path, &status)) || error == ENOTDIR
                   ? 0 : cannot_read(n, strerror(error));
    }
    if (fstat(*fd, &status))
        return cannot_read(n, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return cannot_read(n, "it is not a regular file");
    if (status.st_size > MOST)
        return cannot_read(n, "it is longer than 16 MiB");
    *length = (size_t)status.st_size;
    return 0;
}

/* All of the file, or as much as is still there. */
static int read_all(const vit_neighbour *n, int fd, char *text,
                    size_t *length)
{
    size_t done = 0;

    while (done < *length) {
        ssize_t got = read(fd, text + done, *length - done);

        if (got < 0 && errno != EINTR)
            return cannot_read(n, strerror(errno));
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    *length = done;
    return 0;
}

static int parse(const vit_neighbour *n, int fd, size_t length, json_t **json)
{
    char *text = malloc(length + 1);
    json_error_t error;
    int code;

    if (!text)
        return tomevit_fail(n->report, TOMEVIT_ENOMEM, "out of memory");
    code = read_all(n, fd, text, &length);
    if (!code) {
        *json = tomevit_json_parse(text, length, DEPTH, &error);
        if (!*json)
            code = tomevit_fail(n->report, TOMEVIT_EFORMAT, "%s beside it: "
                                "expected JSON: %s", n->name, error.text);
        else if (!json_is_object(*json))
            code = tomevit_fail(n->report, TOMEVIT_EFORMAT, "%s beside it: "
                                "expected a JSON object", n->name);
    }
    free(text);
    return code;
}

int tomevit_neighbour_load(const vit_neighbour *n, json_t **json)
{
    char *path = path_of(n);
    size_t length = 0;
    int fd = -1, code;

    *json = NULL;
    if (!path)
        return tomevit_fail(n->report, TOMEVIT_ENOMEM, "out of memory");
    code = open_regular(n, path, &fd, &length);
    free(path);
    if (!code && fd >= 0)
        code = parse(n, fd, length, json);
    if (fd >= 0)
        close(fd);
    return code;
}

/* ---- what it says -------------------------------------------------------- */

int tomevit_neighbour_refuse(const vit_neighbour *n, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return tomevit_fail(n->report, TOMEVIT_EMODEL, "%s beside it: %s", n->name,
                        what);
}

int tomevit_neighbour_members(const vit_neighbour *n, const json_t *object,
                              const vit_json_member *members)
{
    char why[VIT_JSON_WHY];

    return tomevit_json_fits(object, members, why)
               ? 0 : tomevit_fail(n->report, TOMEVIT_EFORMAT,
                                  "%s beside it: %s", n->name, why);
}

int tomevit_neighbour_known(const vit_neighbour *n, const json_t *object,
                            const char *where, const vit_known *known,
                            enum vit_others others)
{
    const char *key = tomevit_json_stranger(object, known, others);

    return !key ? 0 : tomevit_neighbour_refuse(
        n, "\"%.40s\"%s%s%s cannot be done here", key, where ? " of \"" : "",
        where ? where : "", where ? "\"" : "");
}

void tomevit_neighbour_say(const vit_neighbour *n, const char *key,
                           json_t *value)
{
    char *text = json_is_string(value)
                     ? strdup(json_string_value(value))
                     : value ? json_dumps(value, JSON_ENCODE_ANY |
                                                     JSON_COMPACT)
                             : NULL;

    if (text)
        tomevit_tensors_say(n->view, key, text, n->name);
    free(text);
    json_decref(value);
}

void tomevit_neighbour_pass(const vit_neighbour *n, const char *key,
                            const json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);

    if (!json_is_null(value))
        tomevit_neighbour_say(n, key, json_incref(value));
}

void tomevit_neighbour_three(const vit_neighbour *n, const char *key,
                             const json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);

    if (json_is_number(value))
        tomevit_neighbour_say(n, key, json_pack("[O,O,O]", value, value,
                                                value));
    else
        tomevit_neighbour_pass(n, key, object, member);
}

/* The part of the resized image that a crop of `crop` pixels keeps: such that
 * cutting crop / part to a whole number gives `resized` again. */
static double crop_part(size_t crop, size_t resized)
{
    double part = (double)crop / (double)resized;

    return floor((double)crop / part) == (double)resized
               ? part : (double)crop / ((double)resized + 0.5);
}

void tomevit_neighbour_crop(const vit_neighbour *n, size_t crop,
                            size_t resized, int squash)
{
    tomevit_neighbour_say(n, "crop_pct", json_real(crop_part(crop, resized)));
    tomevit_neighbour_say(n, "crop_mode",
                          json_string(squash ? "squash" : "center"));
}

int tomevit_neighbour_sides(const vit_neighbour *n, json_int_t height,
                            json_int_t width)
{
    char sides[64];

    if (height <= 0 || width <= 0)
        return tomevit_neighbour_refuse(n, "expected the sides of an image");
    snprintf(sides, sizeof(sides), "%lldx%lld", (long long)height,
             (long long)width);
    tomevit_neighbour_say(n, "input_size", height == width
                              ? json_integer(height) : json_string(sides));
    return 0;
}

size_t tomevit_json_size(const json_t *object, const char *member)
{
    json_int_t value = json_integer_value(json_object_get(object, member));

    return value > 0 ? (size_t)value : 0;
}

const char *tomevit_json_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* Names in the order of their indices, which are the keys; NULL where they are
 * only LABEL_N, or not all there. */
static json_t *names_by_index(const json_t *names)
{
    size_t count = json_object_size(names), i;
    json_t *list = json_array();

    for (i = 0; i < count; i++) {
        char index[24], plain[32];
        const char *name;

        snprintf(index, sizeof(index), "%zu", i);
        snprintf(plain, sizeof(plain), "LABEL_%zu", i);
        name = tomevit_json_text(names, index);
        if (!name || !strcmp(name, plain))
            break;
        json_array_append_new(list, json_string(name));
    }
    if (count == 0 || i < count) {
        json_decref(list);
        return NULL;
    }
    return list;
}

int tomevit_neighbour_names(const vit_neighbour *n, const json_t *object,
                            const char *member)
{
    const vit_json_member known[] = {
        {member, VIT_JSON_TEXTS | VIT_JSON_OBJECT}, {NULL, 0}
    };
    json_t *names = json_object_get(object, member), *name;
    const char *key;
    int code = tomevit_neighbour_members(n, object, known);

    json_object_foreach(names, key, name)
        if (!code) {
            const vit_json_member one[] = {{key, VIT_JSON_TEXT}, {NULL, 0}};

            code = tomevit_neighbour_members(n, names, one);
        }
    if (!code && json_is_array(names))
        tomevit_neighbour_say(n, "class_names", json_incref(names));
    else if (!code)
        tomevit_neighbour_say(n, "class_names", names_by_index(names));
    return code;
}

int tomevit_neighbour_fits(const vit_neighbour *n, const json_t *object,
                           const char *member)
{
    const vit_stored *t = tomevit_tensors_find(n->view,
                                               "patch_embed.proj.weight");
    size_t dim = tomevit_json_size(object, member);

    return !dim || !t || t->dims < 1 || t->shape[0] == dim;
}

int tomevit_neighbour_gated(const vit_neighbour *n)
{
    const vit_stored *up, *down;

    up = tomevit_tensors_find(n->view, "blocks.0.mlp.fc1.weight");
    down = tomevit_tensors_find(n->view, "blocks.0.mlp.fc2.weight");
    return up && down && up->dims == 2 && down->dims == 2 &&
           up->shape[0] == 2 * down->shape[1];
}

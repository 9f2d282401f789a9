/* SPDX-License-Identifier: MIT */
/* Files that results are written to: nothing is lost unnoticed. */
#include "output.h"

#include "message.h"

#include <errno.h>
#include <string.h>

int output_is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static const char *name(const char *path)
{
    return output_is_stdout(path) ? "standard output" : path;
}

int output_open(output *out, const char *path)
{
    memset(out, 0, sizeof(*out));
    out->path = path;
    if (!path)
        return 0;
    if (replacement_open(&out->place, path) == 0) {
        out->file = out->place.file;
        return 0;
    }
    message_failed("%s: %s", path, strerror(errno));
    return -1;
}

int output_close(output *out)
{
    if (!out->file)
        return 0;
    out->file = NULL;
    if (replacement_commit(&out->place) == 0)
        return 0;
    message_failed("%s: %s", name(out->path),
                   errno ? strerror(errno) : "cannot be written");
    return -1;
}

void output_abandon(output *out)
{
    if (out->file)
        replacement_abandon(&out->place);
    out->file = NULL;
}

int output_end(output *out, int worth)
{
    int loses = out->place.target != NULL && !out->place.is_new;

    if (worth == OUTPUT_WHOLE || (worth == OUTPUT_EMPTY && !loses))
        return output_close(out);
    output_abandon(out);
    return 0;
}

int output_flush_people(void)
{
    output people;

    return output_open(&people, "-") == 0 ? output_close(&people) : -1;
}

void output_csv_field(FILE *file, const char *text)
{
    size_t length = strlen(text);

    if (text[strcspn(text, ",\"\r\n")] == '\0' &&
        (length == 0 || (text[0] != ' ' && text[length - 1] != ' '))) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

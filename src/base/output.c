/* SPDX-License-Identifier: MIT */
/* Files that results are written to: nothing is lost unnoticed. */
#include "output.h"

#include "message.h"

#include <errno.h>
#include <string.h>

int output_is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static const char *name(const char *path)
{
    return output_is_stdout(path) ? "standard output" : path;
}

int output_open(output *out, const char *path)
{
    out->path = path;
    out->file = NULL;
    if (path == NULL)
        return 0;
    out->file = output_is_stdout(path) ? stdout : fopen(path, "w");
    if (out->file != NULL)
        return 0;
    message_failed("%s: %s", path, strerror(errno));
    return -1;
}

int output_close(output *out)
{
    FILE *file = out->file;

    if (file == NULL)
        return 0;
    out->file = NULL;
    /* An earlier failure is remembered by the stream, its reason is not. */
    int failed = ferror(file);
    errno = 0;
    failed |= (file == stdout ? fflush(file) : fclose(file)) != 0;
    if (!failed)
        return 0;
    message_failed("%s: %s", name(out->path),
                   errno ? strerror(errno) : "cannot be written");
    if (file == stdout)
        clearerr(file);
    return -1;
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

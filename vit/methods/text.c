/* SPDX-License-Identifier: MIT */
/* Files of text. */
#include "config.h"

#include "text.h"

#include "../base/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* To the end of the file or `most`; *length is what came. */
static int read_all(FILE *file, char *text, size_t most, size_t *length)
{
    errno = 0;
    *length = fread(text, 1, most, file);
    text[*length] = '\0';
    return ferror(file) ? -1 : 0;
}

int tomevit_method_file(const char *path, size_t most, char **text,
                        size_t *length, tomevit_message *why)
{
    static const char mark[] = "\xef\xbb\xbf";
    vit_report report = {path, why};
    FILE *file = fopen(path, "rb");
    char *read = file ? malloc(most + 2) : NULL;
    int code = 0;

    *text = NULL;
    if (!file)
        return tomevit_fail(&report, TOMEVIT_EIO, "%s", strerror(errno));
    if (!read)
        code = tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    else if (read_all(file, read, most + 1, length) != 0)
        code = tomevit_fail(&report, TOMEVIT_EIO, "%s", strerror(errno));
    else if (*length > most)
        code = tomevit_fail(&report, TOMEVIT_EFORMAT, "longer than %zu bytes",
                            most);
    fclose(file);
    if (code != 0) {
        free(read);
        return code;
    }
    if (strncmp(read, mark, 3) == 0)
        memmove(read, read + 3, (*length -= 3) + 1);
    *text = read;
    return 0;
}

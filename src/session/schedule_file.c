/* SPDX-License-Identifier: MIT */
/* Schedules in files, for --schedule @FILE, and options of a method. */
#include "config.h"

#include "schedule_file.h"

#include "../base/args.h"
#include "../base/input.h"
#include "../base/memory.h"
#include "../base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Words with one comma between, in place. */
static void tidy(char *text)
{
    char *out = text, *in = text;

    while (*in != '\0') {
        in += strspn(in, " \t\r\n,");
        if (*in == '#') {
            in += strcspn(in, "\n");
            continue;
        }
        size_t length = strcspn(in, " \t\r\n,#");
        if (length > 0 && out > text)
            *out++ = ',';
        memmove(out, in, length);
        out += length;
        in += length;
    }
    *out = '\0';
}

char *schedule_file_read(const char *path, char *why)
{
    FILE *file = input_open(path);
    size_t length = 0;

    if (!file) {
        snprintf(why, ARGS_WHY, "%.150s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = memory_zero(SCHEDULE_FILE_MOST + 1, 1);
    errno = 0;
    length = fread(text, 1, SCHEDULE_FILE_MOST, file);
    int failed = ferror(file), reason = errno;
    fclose(file);
    if (!failed && length < SCHEDULE_FILE_MOST) {
        /* A zero byte ends no list: it is in a word, which is no number. */
        for (size_t i = 0; i < length; i++)
            text[i] = text[i] == '\0' ? '?' : text[i];
        char *begin = text_begin(text);
        memmove(text, begin, strlen(begin) + 1);
        tidy(text);
        if (text[0] != '\0')
            return text;
    }
    snprintf(why, ARGS_WHY, "%.150s: %s", path, failed ? strerror(reason)
             : length >= SCHEDULE_FILE_MOST ? "too long for a schedule"
             : "no schedule in it");
    free(text);
    return NULL;
}

void schedule_file_comment(FILE *out, const char *comment)
{
    fputs("# ", out);
    for (; *comment != '\0'; comment++)
        fputc(iscntrl((unsigned char)*comment) ? ' ' : *comment, out);
    fputc('\n', out);
}

void schedule_file_text(FILE *out, const char *comment, const char *text)
{
    schedule_file_comment(out, comment);
    fprintf(out, "%s\n", text);
}

void schedule_file_write(FILE *out, const char *comment, const size_t *r,
                         size_t depth)
{
    schedule_file_comment(out, comment);
    for (size_t i = 0; i < depth; i++)
        fprintf(out, "%s%zu", i ? "," : "", r[i]);
    fputc('\n', out);
}

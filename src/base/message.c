/* SPDX-License-Identifier: MIT */
/* Lines for the user on stderr, and the exit status they lead to. */
#include "message.h"

#include "printable.h"

#include <stdarg.h>
#include <stdio.h>

/* A path and a reason; what is longer is cut. */
enum { MESSAGE_BYTES = 8192 };

static int status = STATUS_DONE;
static int silent;
static void (*clear_line)(void);

static int gravity(int s)
{
    switch (s) {
    case STATUS_FAILED:
        return 3;
    case STATUS_USAGE:
        return 2;
    case STATUS_REFUSED:
        return 1;
    default:
        return 0;
    }
}

static void raise_status(int s)
{
    if (gravity(s) > gravity(status))
        status = s;
}

#if defined(__GNUC__)
__attribute__((format(printf, 1, 0)))
#endif
static void print_line(const char *format, va_list list)
{
    if (clear_line)
        clear_line();
    char text[MESSAGE_BYTES];
    vsnprintf(text, sizeof(text), format, list);
    fputs("tomerge: ", stderr);
    printable_put(text, stderr);
    fputc('\n', stderr);
}

#define PRINT_LINE(format)                                                    \
    do {                                                                      \
        va_list list;                                                         \
        va_start(list, format);                                               \
        print_line(format, list);                                             \
        va_end(list);                                                         \
    } while (0)

void message_failed(const char *format, ...)
{
    raise_status(STATUS_FAILED);
    PRINT_LINE(format);
}

void message_usage(const char *format, ...)
{
    raise_status(STATUS_USAGE);
    PRINT_LINE(format);
}

void message_refused(const char *format, ...)
{
    raise_status(STATUS_REFUSED);
    PRINT_LINE(format);
}

void message_note(const char *format, ...)
{
    if (!silent)
        PRINT_LINE(format);
}

void message_quiet(int quiet)
{
    silent = quiet;
}

void message_before(void (*clear)(void))
{
    clear_line = clear;
}

int message_status(void)
{
    return status;
}

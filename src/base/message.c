/* SPDX-License-Identifier: MIT */
/* Lines for the user on stderr, and the exit status they lead to. */
#include "message.h"

#include "printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A path and a reason; what is longer is cut. */
enum { MESSAGE_BYTES = 8192 };

static int status = STATUS_DONE;
static int silent;
static void (*clear_line)(void);

/* Of one of several processes: what its lines begin with, what it does not say,
 * and what it would have said first. */
static char sender[160];
static int drops_notes, drops_refusals, holds;
static char held[MESSAGE_BYTES];

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

static void put_line(const char *text)
{
    if (clear_line)
        clear_line();
    fprintf(stderr, "tomerge: %s", sender);
    printable_put(text, stderr);
    fputc('\n', stderr);
}

#if defined(__GNUC__)
__attribute__((format(printf, 1, 0)))
#endif
static void print_line(const char *format, va_list list)
{
    char text[MESSAGE_BYTES];

    vsnprintf(text, sizeof(text), format, list);
    if (!holds)
        put_line(text);
    else if (held[0] == '\0')
        memcpy(held, text, sizeof(held));
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
    if (drops_refusals)
        return;
    raise_status(STATUS_REFUSED);
    PRINT_LINE(format);
}

void message_note(const char *format, ...)
{
    if (!silent && !drops_notes)
        PRINT_LINE(format);
}

void message_quiet(int quiet)
{
    silent = quiet;
}

void message_drop(int notes, int refusals)
{
    drops_notes = notes;
    drops_refusals = refusals;
}

void message_hold(const char *name)
{
    snprintf(sender, sizeof(sender), "%s: ", name);
    holds = 1;
}

void message_release(int say)
{
    holds = 0;
    if (say && held[0] != '\0')
        put_line(held);
    held[0] = '\0';
}

void message_before(void (*clear)(void))
{
    clear_line = clear;
}

int message_status(void)
{
    return status;
}

/* SPDX-License-Identifier: MIT */
/* One line on stderr that shows how far the work is. */
#include "config.h"

#include "progress.h"

#include "clock.h"
#include "message.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    int on;
    int drawn;
    size_t total;
    double began, shown;
} bar;

static void clear(void)
{
    if (bar.drawn)
        fputs("\r\033[K", stderr);
    bar.drawn = 0;
}

void progress_start(size_t total, int quiet)
{
    memset(&bar, 0, sizeof(bar));
    bar.on = !quiet && isatty(STDERR_FILENO);
    bar.total = total;
    bar.began = clock_seconds();
    message_before(clear);
}

/* "42 s", "3:05" or "2:03:05". */
static void duration(double seconds, char out[32])
{
    unsigned long s = seconds > 0 && seconds < 3.6e8
        ? (unsigned long)(seconds + 0.5) : 0;

    if (s < 60)
        snprintf(out, 32, "%lu s", s);
    else if (s < 3600)
        snprintf(out, 32, "%lu:%02lu", s / 60, s % 60);
    else
        snprintf(out, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

void progress_line(size_t done, size_t total, double seconds, double top1,
                   char line[80])
{
    double rate = seconds > 0 ? (double)done / seconds : 0;
    char accuracy[32] = "", left[32] = "-";

    if (top1 >= 0)
        snprintf(accuracy, sizeof(accuracy), "  top-1 %.2f %%", top1);
    if (rate > 0)
        duration((double)(total - done) / rate, left);
    snprintf(line, 80, "%zu/%zu  %.1f images/s%s  %s left", done, total, rate,
             accuracy, left);
}

void progress_show(size_t done, double top1)
{
    double now = bar.on ? clock_seconds() : 0;
    char line[80];

    if (!bar.on || now - bar.shown < 0.1)
        return;
    bar.shown = now;
    progress_line(done, bar.total, now - bar.began, top1, line);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    bar.drawn = 1;
}

void progress_end(void)
{
    clear();
    bar.on = 0;
    message_before(NULL);
}

/* SPDX-License-Identifier: MIT */
/* Ctrl-C: the first ends the work cleanly, the second ends the process. */
#include "config.h"

#include "message.h"
#include "signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop, interrupted, terminated;
static void (*clean_up)(void);

/* The second of its kind finds the default action, death. */
static void end_if_second(int number, volatile sig_atomic_t *come)
{
    if (*come) {
        if (clean_up)
            clean_up();
        signal(number, SIG_DFL);
        raise(number);
    }
    *come = 1;
}

static void on_signal(int number)
{
    stop = 1;
    if (number == SIGINT)
        end_if_second(number, &interrupted);
    else if (number == SIGTERM)
        end_if_second(number, &terminated);
    /* A terminal that closes sends SIGHUP, and so do its shell and the kernel
     * once the shell is gone: that is one wish to end, not three. */
}

/* A mapped file that became shorter, or whose disk failed: its bytes are gone
 * wherever they are asked for, so that nothing can go on. */
static void on_bus(int number)
{
    static const char line[] = "tomerge: a file became shorter while it was "
                               "read, or its disk failed\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof(line) - 1);

    (void)written;
    (void)number;
    if (clean_up)
        clean_up();
    _exit(STATUS_FAILED);
}

void signals_install(void (*clean)(void))
{
    struct sigaction action, before;

    clean_up = clean;
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* Under nohup it is ignored, and stays so. */
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
    action.sa_handler = on_bus;
    sigaction(SIGBUS, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

int signals_stop(void)
{
    return stop;
}

/* SPDX-License-Identifier: MIT */
/* The end of a command that runs out of memory: one line, whoever says it. */
#include "config.h"

#include "../src/base/memory.h"
#include "../src/base/message.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, TIMES = 50 };

/* How LeakSanitizer is told that it cannot look for leaks, as in a process that
 * ends while its threads sleep. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return 1;
}

static atomic_int waiting;

/* All at the same time, as near as they come. */
static void *run_out(void *of_a_file)
{
    atomic_fetch_sub(&waiting, 1);
    while (atomic_load(&waiting) > 0)
        sched_yield();
    if (of_a_file)
        memory_exhausted_by("a.png", "its pixels");
    memory_exhausted();
}

static void run_out_together(int of_files)
{
    pthread_t thread;

    atomic_store(&waiting, THREADS);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, run_out,
                           of_files && i % 2 ? &waiting : NULL))
            _exit(99);
    for (;;)
        pause();
}

/* What such a process says, and how it ends. */
static int ended(int of_files, char *said, size_t size)
{
    int ends[2], status = -1;
    size_t count = 0;
    ssize_t got;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    if ((child = fork()) == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        run_out_together(of_files);
    }
    close(ends[1]);
    while ((got = read(ends[0], said + count, size - 1 - count)) > 0)
        count += (size_t)got;
    said[count] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

static void expect_one_line(int of_files)
{
    for (int i = 0; i < TIMES; i++) {
        char said[4096];
        int status = ended(of_files, said, sizeof(said));
        const char *end = strchr(said, '\n');

        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_FAILED,
                  "status %#x: %s", (unsigned)status, said);
        cr_assert(end && end[1] == '\0' && strstr(said, "out of memory"),
                  "not one line: %s", said);
    }
}

Test(memory, threads_that_run_out_together_say_it_once)
{
    expect_one_line(0);
}

Test(memory, of_files_too)
{
    expect_one_line(1);
}

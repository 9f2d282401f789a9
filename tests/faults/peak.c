/* SPDX-License-Identifier: MIT */
/* peak COMMAND ARGUMENT...: runs it, and says on a line of its own how many kB
 * of memory it had at most (Linux counts in kB). */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage used;
    int status;
    pid_t child;

    if (argc < 2 || (child = fork()) < 0)
        return 99;
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(99);
    }
    if (wait4(child, &status, 0, &used) != child || !WIFEXITED(status))
        return 99;
    printf("%ld\n", used.ru_maxrss);
    return WEXITSTATUS(status);
}

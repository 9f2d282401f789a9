/* SPDX-License-Identifier: MIT */
/* Runs the tests of a suite, each in a fork, and says in TAP how they went. An
 * argument `--filter SUITE/NAME`, with * for anything, picks some; those that
 * PLAIN_LEFT_OUT names, between blanks, are skipped. */
#include <criterion/criterion.h>

#include <fnmatch.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, REASON = 512 };

static plain_test *tests;
static int failed, to_parent = -1;

void plain_register(plain_test *test)
{
    plain_test **at = &tests;

    while (*at)
        at = &(*at)->next;
    *at = test;
}

_Noreturn static void leave(int status)
{
    fflush(NULL);
    _exit(status);
}

void plain_check(int fatal, int holds, const char *file, int line,
                 const char *what, const char *format, ...)
{
    va_list arguments;

    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s: ", file, line, what);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    failed = 1;
    if (fatal)
        leave(1);
}

void plain_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("# ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void plain_skip(const char *format, ...)
{
    char reason[REASON];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (write(to_parent, reason, strlen(reason)) < 0)
        leave(1);
    leave(SKIPPED);
}

static const plain_options *suite_of(const plain_test *test)
{
    static const plain_options none = {0};

    for (const plain_test *t = tests; t; t = t->next)
        if (!t->body && strcmp(t->suite, test->suite) == 0)
            return &t->options;
    return &none;
}

static void call(void (*function)(void))
{
    if (function)
        function();
}

_Noreturn static void run_here(const plain_test *test)
{
    const plain_options *suite = suite_of(test);

    if (test->options.timeout > 0)
        alarm((unsigned)test->options.timeout);
    call(suite->init);
    call(test->options.init);
    test->body();
    call(test->options.fini);
    call(suite->fini);
    leave(failed);
}

static int left_out(const plain_test *test)
{
    const char *names = getenv("PLAIN_LEFT_OUT");
    char list[REASON], name[200];

    snprintf(list, sizeof(list), " %s ", names ? names : "");
    snprintf(name, sizeof(name), " %s/%s ", test->suite, test->name);
    return strstr(list, name) != NULL;
}

/* 1 if it passed or was skipped. */
static int run(const plain_test *test, int number)
{
    char reason[REASON] = "";
    int ends[2], status = 0;
    ssize_t got;
    pid_t child;

    if (left_out(test)) {
        printf("ok %d - %s::%s # SKIP takes long here\n", number, test->suite,
               test->name);
        return 1;
    }
    fflush(NULL);
    if (pipe(ends) || (child = fork()) < 0) {
        perror("runner");
        exit(99);
    }
    if (child == 0) {
        close(ends[0]);
        to_parent = ends[1];
        run_here(test);
    }
    close(ends[1]);
    got = read(ends[0], reason, sizeof(reason) - 1);
    reason[got > 0 ? got : 0] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        printf("ok %d - %s::%s # SKIP %s\n", number, test->suite, test->name,
               reason);
        return 1;
    }
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s::%s: signal %d\n", test->suite, test->name,
                WTERMSIG(status));
    printf("%sok %d - %s::%s\n", status ? "not " : "", number, test->suite,
           test->name);
    return status == 0;
}

static int chosen(const plain_test *test, const char *filter)
{
    char name[200];

    snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
    return test->body && (!filter || fnmatch(filter, name, 0) == 0);
}

/* Weak, as helpers of the tests have their own. */
__attribute__((weak)) int main(int argc, char **argv)
{
    const char *filter = argc == 3 && !strcmp(argv[1], "--filter") ? argv[2]
                                                                  : NULL;
    int count = 0, passed = 0;

    if (argc != 1 && !filter) {
        fputs("usage: [--filter SUITE/NAME]\n", stderr);
        return 2;
    }
    for (const plain_test *t = tests; t; t = t->next)
        count += chosen(t, filter);
    printf("TAP version 13\n1..%d\n", count);
    count = 0;
    for (const plain_test *t = tests; t; t = t->next)
        if (chosen(t, filter))
            passed += run(t, ++count);
    return passed != count;
}

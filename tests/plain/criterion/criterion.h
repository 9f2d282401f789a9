/* SPDX-License-Identifier: MIT */
/*
 * What the suites use of Criterion, for machines where Criterion itself does
 * not run: it starts every test as a program of its own, which an emulator of
 * user programs cannot. Here a test is a fork. runner.c is the rest.
 */
#ifndef TOMERGE_PLAIN_CRITERION_H
#define TOMERGE_PLAIN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_options {
    int unused;
    void (*init)(void), (*fini)(void);
    double timeout;        /* seconds; 0: none */
} plain_options;

typedef struct plain_test {
    const char *suite, *name;
    void (*body)(void);    /* NULL: options of the whole suite */
    plain_options options;
    struct plain_test *next;
} plain_test;

void plain_register(plain_test *test);

/* One failed check; the test ends there if it is `fatal`. */
void plain_check(int fatal, int holds, const char *file, int line,
                 const char *what, const char *format, ...);
void plain_log(const char *format, ...);
_Noreturn void plain_skip(const char *format, ...);

#define PLAIN_REGISTER(id, suite_, name_, body_, ...)                        \
    static plain_test plain_##id = {                                         \
        suite_, name_, body_, {.unused = 0, __VA_ARGS__}, NULL,              \
    };                                                                       \
    __attribute__((constructor)) static void plain_register_##id(void)       \
    {                                                                        \
        plain_register(&plain_##id);                                         \
    }
#define Test(suite, name, ...)                                               \
    static void plain_body_##suite##_##name(void);                           \
    PLAIN_REGISTER(suite##_##name, #suite, #name,                            \
                   plain_body_##suite##_##name, __VA_ARGS__)                 \
    static void plain_body_##suite##_##name(void)
#define TestSuite(suite, ...)                                                \
    PLAIN_REGISTER(suite, #suite, "", NULL, __VA_ARGS__)                     \
    extern int plain_suite_##suite

#define PLAIN(fatal, condition, what, ...)                                   \
    plain_check(fatal, (condition), __FILE__, __LINE__, what, "" __VA_ARGS__)

#define PLAIN_STR_EQ(a, b) (strcmp(a, b) == 0)
#define PLAIN_ARR_EQ(a, b, n) (memcmp(a, b, n) == 0)
#define PLAIN_NEAR(a, b, by) (!(fabs((double)((a) - (b))) > (double)(by)))

#define cr_assert(c, ...) PLAIN(1, !!(c), #c, __VA_ARGS__)
#define cr_assert_not(c, ...) PLAIN(1, !(c), "not " #c, __VA_ARGS__)
#define cr_assert_fail(...) PLAIN(1, 0, "failed", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN(1, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN(1, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN(1, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN(1, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN(1, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN(1, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...) PLAIN(1, (a) == NULL, "no " #a, __VA_ARGS__)
#define cr_assert_not_null(a, ...) PLAIN(1, (a) != NULL, #a, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) \
    PLAIN(1, PLAIN_STR_EQ(a, b), #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) \
    PLAIN(1, !PLAIN_STR_EQ(a, b), #a " is not " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) \
    PLAIN(1, PLAIN_ARR_EQ(a, b, n), #a " holds " #b, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, n, ...) \
    PLAIN(1, !PLAIN_ARR_EQ(a, b, n), #a " does not hold " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, by, ...) \
    PLAIN(1, PLAIN_NEAR(a, b, by), #a " is about " #b, __VA_ARGS__)

#define cr_expect(c, ...) PLAIN(0, !!(c), #c, __VA_ARGS__)
#define cr_expect_not(c, ...) PLAIN(0, !(c), "not " #c, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN(0, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN(0, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) PLAIN(0, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) PLAIN(0, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) PLAIN(0, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) PLAIN(0, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_null(a, ...) PLAIN(0, (a) == NULL, "no " #a, __VA_ARGS__)
#define cr_expect_not_null(a, ...) PLAIN(0, (a) != NULL, #a, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) \
    PLAIN(0, PLAIN_STR_EQ(a, b), #a " is " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...) \
    PLAIN(0, PLAIN_ARR_EQ(a, b, n), #a " holds " #b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, by, ...) \
    PLAIN(0, PLAIN_NEAR(a, b, by), #a " is about " #b, __VA_ARGS__)

#define cr_skip_test(...) plain_skip("" __VA_ARGS__)
#define cr_log_info(...) plain_log("" __VA_ARGS__)

#endif

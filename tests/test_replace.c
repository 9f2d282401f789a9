/* SPDX-License-Identifier: MIT */
/* Files that cannot be written say why, wherever in the stream it happened. */
#include "config.h"

#include "../src/base/replace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Around what a stream keeps before it writes, once and twice. */
static const size_t sizes[][2] = {{1, 2}, {4080, 4120}, {8180, 8220}};

/* As reports are written: in small pieces that nobody looks at. */
static void write_pieces(FILE *file, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc('x', file);
}

static int reason_of(const char *path, size_t count)
{
    replacement r;

    cr_assert_eq(replacement_open(&r, path), 0, "%s: %s", path,
                 strerror(errno));
    write_pieces(r.file, count);
    errno = 0;
    return replacement_commit(&r) == 0 ? 0 : errno ? errno : -1;
}

static void expect(const char *path, size_t free_bytes, int reason)
{
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (size_t count = sizes[s][0]; count <= sizes[s][1]; count++)
            cr_expect_eq(reason_of(path, count),
                         count > free_bytes ? reason : 0,
                         "%s, %zu bytes", path, count);
}

Test(replace, a_full_device_says_so_whatever_the_size)
{
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("no /dev/full");
    expect("/dev/full", 0, ENOSPC);
}

Test(replace, so_does_standard_output)
{
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("no /dev/full");
    int was = dup(STDOUT_FILENO);
    cr_assert(fflush(stdout) == 0 && freopen("/dev/full", "w", stdout));
    expect("-", 0, ENOSPC);
    cr_assert_neq(dup2(was, STDOUT_FILENO), -1);
    close(was);
}

/* A limit in the midst of a file, beside its place: what was there stays. */
Test(replace, a_file_that_may_not_grow_keeps_what_was_there)
{
    const struct rlimit most = {4096, RLIM_INFINITY};
    char path[] = "replace.XXXXXX", was[8] = "";
    int fd = mkstemp(path);

    cr_assert(fd >= 0 && write(fd, "before", 6) == 6 && close(fd) == 0);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    for (size_t count = 4097; count <= 8220; count += count < 8180 ? 31 : 1)
        cr_expect_eq(reason_of(path, count), EFBIG, "%zu bytes", count);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_expect_eq(fread(was, 1, sizeof(was), file), 6);
    cr_expect_str_eq(was, "before");
    fclose(file);
    cr_expect_eq(reason_of(path, 4096), 0);
    unlink(path);
}

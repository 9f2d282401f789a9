/* SPDX-License-Identifier: MIT */
/*
 * The quota of control groups, read from files as Linux writes them: both
 * versions, groups within groups, containers that see their own groups alone
 * or by the system's names, and what is not there. And whether others have the
 * CPUs, by which the command chooses how threads wait.
 */
#include "config.h"

#include "../src/base/cpus.h"
#include "../src/base/waiting.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

static char root[] = "/var/tmp/cpus-XXXXXX";

static void begin(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static void end(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(cpus, .init = begin, .fini = end);

/* A file below the root, with the folders it is in. */
static void put(const char *path, const char *text)
{
    char full[256];
    FILE *file;

    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(full, 0700);
        *p = '/';
    }
    cr_assert_not_null(file = fopen(full, "w"), "%s", full);
    fputs(text, file);
    fclose(file);
}

#define MOUNTED_2 "24 1 0:22 / /sys rw,nosuid - sysfs sysfs rw\n" \
    "31 24 0:27 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 " \
    "rw,nsdelegate\n"

Test(cpus, version_2)
{
    put("/proc/self/cgroup", "0::/user.slice/job\n");
    put("/proc/self/mountinfo", MOUNTED_2);
    cr_expect_eq(cpus_quota(root), 0, "no limit anywhere");
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    cr_expect_eq(cpus_quota(root), 0, "a group without a limit");
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n");
    cr_expect_eq(cpus_quota(root), 1.5);
    put("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
    cr_expect_eq(cpus_quota(root), 1.5, "the group around it has more");
    put("/sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
    cr_expect_eq(cpus_quota(root), 0.5, "the group around it has less");
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    cr_expect_eq(cpus_quota(root), 0.5, "only the group around it has one");
}

/* In a container that has a name space of its own, all of it is "/". */
Test(cpus, version_2_in_a_container)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", MOUNTED_2);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    cr_expect_eq(cpus_quota(root), 2);
}

static void version_1(const char *own, const char *top)
{
    char text[512];

    snprintf(text, sizeof(text), "5:memory:%s\n4:cpu,cpuacct:%s\n"
             "3:cpuset:/other\n0::/\n", own, own);
    put("/proc/self/cgroup", text);
    snprintf(text, sizeof(text), "33 32 0:29 %s /sys/fs/cgroup/cpuset rw - "
             "cgroup cgroup rw,cpuset\n34 32 0:30 %s /sys/fs/cgroup/cpu,cpuacct"
             " rw,relatime - cgroup cgroup rw,cpu,cpuacct\n", top, top);
    put("/proc/self/mountinfo", text);
}

Test(cpus, version_1)
{
    version_1("/job", "/");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    cr_expect_eq(cpus_quota(root), 0, "-1 is no limit");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "350000\n");
    cr_expect_eq(cpus_quota(root), 3.5);
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "50000\n");
    cr_expect_eq(cpus_quota(root), 7);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 2, "the group around it has less");
}

/* The group has the system's name, and its files lie where it is mounted. */
Test(cpus, version_1_in_a_container)
{
    version_1("/docker/0123", "/docker/0123");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 1);
    version_1("/docker/0123/inner", "/docker/0123");
    put("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "25000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 0.25);
    version_1("/docker/0123456", "/docker/0123");
    cr_expect_eq(cpus_quota(root), 1, "a name that only begins alike");
}

/* Version 2 for some controllers and version 1 for "cpu". */
Test(cpus, both_versions)
{
    version_1("/job", "/");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 3);
}

Test(cpus, nothing_to_be_found)
{
    static const char *const bad[] = {
        "", "\n", "0\n", "0:\n", "0:cpu\n", ":::\n", "cpu", "4:cpux,xcpu:/\n"
    };

    cr_expect_eq(cpus_quota(root), 0, "no files at all");
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    put("/proc/self/mountinfo", MOUNTED_2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put("/proc/self/cgroup", bad[i]);
        cr_expect_eq(cpus_quota(root), 0, "%s", bad[i]);
    }
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "31 24 0:27 / /sys/fs/cgroup rw\n - cgroup2\n");
    cr_expect_eq(cpus_quota(root), 0, "no such mount");
    put("/proc/self/mountinfo", MOUNTED_2);
    for (const char *const *p = (const char *const[]){"", "max", "0 100000",
             "-5 100000", "100000 0", "x y", NULL}; *p; p++) {
        put("/sys/fs/cgroup/cpu.max", *p);
        cr_expect_eq(cpus_quota(root), 0, "cpu.max \"%s\"", *p);
    }
}

Test(cpus, at_least_one)
{
    cr_expect_geq(cpus_available(), 1);
    cr_expect_leq(cpus_available(), 1024);
}

/* The variable may ask for more threads than there are CPUs. */
Test(cpus, omp_num_threads)
{
#ifdef _OPENMP
    omp_set_num_threads(37);    /* as the runtime does for OMP_NUM_THREADS=37 */
    setenv("OMP_NUM_THREADS", "37", 1);
    cr_expect_eq(cpus_available(), 37);
#else
    cr_expect_eq(cpus_available(), 1);
#endif
}

Test(cpus, taken_by_others)
{
    cr_expect_not(waiting_cpus_taken(root, 2), "no file");
    put("/proc/loadavg", "9.31 8.40 7.92 1/180 8516\n");
    cr_expect_not(waiting_cpus_taken(root, 1), "one runs, and reads this");
    put("/proc/loadavg", "0.00 0.00 0.00 2/180 8516\n");
    cr_expect(waiting_cpus_taken(root, 1));
    cr_expect_not(waiting_cpus_taken(root, 2));
    put("/proc/loadavg", "0.00 0.00 0.00 9/180 8516\n");
    cr_expect(waiting_cpus_taken(root, 8));
    cr_expect_not(waiting_cpus_taken(root, 9));
    put("/proc/loadavg", "0.00 0.00\n");
    cr_expect_not(waiting_cpus_taken(root, 1), "not what Linux writes");
}

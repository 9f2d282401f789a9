/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of this process. Threads beyond its quota are no help: together
 * they use up the time of a period sooner, and then all of them stand still.
 */
#include "config.h"

#include "cpus.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { PATH_SIZE = 4096, LINE_SIZE = 8192, MOST_CPUS = 1024 };

/* Where the groups of one version are found, and which of them is ours. */
typedef struct hierarchy {
    int version;
    char own[PATH_SIZE];    /* of our group, as all the system sees it */
    char top[PATH_SIZE];    /* the group that is mounted */
    char mounted[PATH_SIZE];
} hierarchy;

static FILE *open_below(const char *root, const char *path, const char *name)
{
    char full[PATH_SIZE];
    int length = snprintf(full, sizeof(full), "%s%s%s", root, path, name);

    return length < (int)sizeof(full) ? fopen(full, "r") : NULL;
}

/* Whether a list with commas between has this word. */
static int lists(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (list) {
        if (strncmp(list, word, length) == 0 &&
            (list[length] == ',' || list[length] == '\0'))
            return 1;
        list = strchr(list, ',');
        if (list)
            list++;
    }
    return 0;
}

/* A line "4:cpu,cpuacct:/group" of version 1, "0::/group" of version 2. */
static int find_own(const char *root, hierarchy *h)
{
    FILE *file = open_below(root, "/proc/self/cgroup", "");
    char line[LINE_SIZE];
    int found = 0;

    while (file && !found && fgets(line, sizeof(line), file)) {
        char *controllers = strchr(line, ':'), *group;
        if (!controllers || (group = strchr(++controllers, ':')) == NULL)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        found = h->version == 2 ? controllers[0] == '\0'
                                : lists(controllers, "cpu");
        if (found)
            snprintf(h->own, sizeof(h->own), "%s", group);
    }
    if (file)
        fclose(file);
    return found;
}

/* A line "30 23 0:26 TOP MOUNTED rw,nosuid shared:4 - cgroup2 none rw,cpu". */
static int find_mount(const char *root, hierarchy *h)
{
    FILE *file = open_below(root, "/proc/self/mountinfo", "");
    char line[LINE_SIZE], type[32], options[LINE_SIZE];
    int found = 0;

    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *rest = strstr(line, " - ");
        if (!rest ||
            sscanf(rest, " - %31s %*s %8191s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", h->top,
                   h->mounted) != 2)
            continue;
        found = h->version == 2
            ? strcmp(type, "cgroup2") == 0
            : strcmp(type, "cgroup") == 0 && lists(options, "cpu");
    }
    if (file)
        fclose(file);
    return found;
}

/* A file of one or two numbers; "max" leaves `numbers` as they are. */
static int read_numbers(const char *root, const char *folder, const char *name,
                        double *numbers)
{
    FILE *file = open_below(root, folder, name);
    int count = 0;

    if (!file)
        return 0;
    count = fscanf(file, "%lf %lf", &numbers[0], &numbers[1]);
    fclose(file);
    return count > 0 ? count : 0;
}

/* The limit of one group, or 0. */
static double limit_of(const char *root, const char *folder, int version)
{
    double numbers[2] = {0, 0}, period[2] = {0, 0};

    if (version == 2) {
        if (read_numbers(root, folder, "/cpu.max", numbers) != 2)
            return 0;
    } else {
        if (read_numbers(root, folder, "/cpu.cfs_quota_us", numbers) != 1 ||
            read_numbers(root, folder, "/cpu.cfs_period_us", period) != 1)
            return 0;
        numbers[1] = period[0];
    }
    return numbers[0] > 0 && numbers[1] > 0 ? numbers[0] / numbers[1] : 0;
}

/* The least limit from our group up to the one that is mounted. */
static double least_limit(const char *root, const hierarchy *h)
{
    size_t top = strlen(h->top), mounted = strlen(h->mounted);
    const char *below = h->own;
    char folder[2 * PATH_SIZE];
    double least = 0;

    /* A container that shows its own groups alone may name ours as the
     * system does: what lies above is not there to be read. */
    if (strcmp(h->top, "/") != 0)
        below = strncmp(below, h->top, top) == 0 &&
                (below[top] == '/' || below[top] == '\0') ? below + top : "";
    snprintf(folder, sizeof(folder), "%s%s", h->mounted, below);
    for (;;) {
        double limit = limit_of(root, folder, h->version);
        char *slash = strrchr(folder, '/');
        if (limit > 0 && (least == 0 || limit < least))
            least = limit;
        if (strlen(folder) <= mounted || !slash)
            return least;
        *slash = '\0';
    }
}

double cpus_quota(const char *root)
{
    double least = 0;

    for (int version = 1; version <= 2; version++) {
        hierarchy h = {.version = version};
        if (!find_own(root, &h) || !find_mount(root, &h))
            continue;
        double limit = least_limit(root, &h);
        if (limit > 0 && (least == 0 || limit < least))
            least = limit;
    }
    return least;
}

#ifdef _OPENMP
/* The CPUs that this process may be scheduled on. */
static long cpus_allowed(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = CPU_COUNT(&set);
#endif
    return count;
}
#endif

int cpus_available(void)
{
#ifdef _OPENMP
    const char *asked = getenv("OMP_NUM_THREADS");
    long count = cpus_allowed();
    double quota = cpus_quota("");

    if (asked && asked[0] != '\0')
        count = omp_get_max_threads();
    else if (quota > 0 && ceil(quota) < (double)count)
        count = (long)ceil(quota);
    return count < 1 ? 1 : count > MOST_CPUS ? MOST_CPUS : (int)count;
#else
    return 1;
#endif
}

/* SPDX-License-Identifier: MIT */
/* make-images: a folder of the demonstration's pictures, class by class. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"
#include "save.h"
#include "scene.h"

enum { EXIT_USAGE = 2, MAX_COUNT = 10000000 };

static const char *const split_names[SCENE_SPLITS] = {"train", "val", "test"};

typedef struct arguments {
    const char *folder;
    const char *covers;
    enum scene_split split;
    uint64_t count, seed;
} arguments;

static const char help[] =
    "Usage: make-images [OPTION]... FOLDER\n"
    "Draws the pictures of tomerge's demonstration: textured shapes in 16\n"
    "classes.\n"
    "The same options give the same pixels on every machine.\n"
    "\n"
    "FOLDER must be new or empty; it gets one folder a class, with PNG and\n"
    "JPEG files of 112 to 208 pixels a side.\n"
    "\n"
    "  -s, --split=SPLIT  train, val or test (default): no picture is in two\n"
    "  -n, --count=N      pictures in all (default 480), classes taking turns\n"
    "  -S, --seed=S       another set of pictures (default 1)\n"
    "  -C, --covers=FILE  besides, for training, where the shapes are: 64 x\n"
    "                     64 bytes a picture, in the order of their numbers,\n"
    "                     from 0 to 16 as far as the shape covers that\n"
    "                     part of the middle square\n"
    "  -c, --classes      print the names of the classes and exit\n"
    "  -h, --help         print this help and exit\n"
    "  -V, --version      print the version and exit\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static int complain(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static int complain(const char *format, ...)
{
    va_list list;

    fputs("make-images: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return -1;
}

/* ---- a folder ------------------------------------------------------------ */

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    return complain("%s: %s", path, strerror(errno));
}

/* A folder with something in it would end as a mixture of two sets. */
static int check_empty(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int found = 0;

    if (!folder)
        return complain("%s: %s", path, strerror(errno));
    while (!found && (entry = readdir(folder)) != NULL)
        found = strcmp(entry->d_name, ".") != 0 &&
                strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return found ? complain("%s: expected a new or empty folder, found %s",
                            path, "files in it") : 0;
}

static int make_class_folders(const char *folder)
{
    char path[PATH_MAX], name[32];

    if (make_folder(folder) != 0 || check_empty(folder) != 0)
        return -1;
    for (unsigned label = 0; label < SCENE_CLASSES; label++) {
        scene_class_name(label, name);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (make_folder(path) != 0)
            return -1;
    }
    return 0;
}

/* Half PNG, half JPEG of middling to high quality, in both samplings. */
static int save_picture(const arguments *a, const scene *s, uint64_t index,
                        const uint8_t *rgb)
{
    uint64_t state = ~s->noise_seed;
    int png = random_range(&state, 0, 1), fine = random_range(&state, 0, 1);
    int quality = random_range(&state, 80, 95);
    char path[PATH_MAX], part[PATH_MAX], name[32], why[200];
    int status;

    scene_class_name(s->label, name);
    snprintf(path, sizeof(path), "%s/%s/%s-%06" PRIu64 ".%s", a->folder, name,
             split_names[a->split], index, png ? "png" : "jpg");
    /* Hidden until it is whole: half a picture would be one of the set. */
    snprintf(part, sizeof(part), "%s/%s/.part", a->folder, name);
    status = png ? save_png(part, rgb, s->width, s->height, why)
                 : save_jpeg(part, rgb, s->width, s->height, quality, fine,
                             why);
    if (status == 0 && rename(part, path) != 0) {
        snprintf(why, sizeof(why), "%s", strerror(errno));
        remove(part);
        status = -1;
    }
    return status == 0 ? 0 : complain("%s: %s", path, why);
}

static int make_picture(const arguments *a, const scene *s, uint64_t index)
{
    uint8_t *rgb = malloc(3 * (size_t) s->width * (size_t) s->height);
    int status = -1;

    if (!rgb || scene_paint(s, s->width, s->height, rgb) != 0)
        complain("no memory for a picture");
    else
        status = save_picture(a, s, index, rgb);
    free(rgb);
    return status;
}

static int make_cover(const arguments *a, const scene *s, FILE *file)
{
    uint8_t cover[SCENE_COVER_SIDE * SCENE_COVER_SIDE];

    scene_cover(s, cover);
    if (fwrite(cover, sizeof(cover), 1, file) == 1)
        return 0;
    return complain("%s: %s", a->covers, strerror(errno));
}

static int write_pictures(const arguments *a, FILE *covers)
{
    for (uint64_t i = 0; i < a->count; i++) {
        scene s;

        scene_compose(&s, a->split, a->seed, i);
        if (make_picture(a, &s, i) != 0)
            return -1;
        if (covers && make_cover(a, &s, covers) != 0)
            return -1;
    }
    return 0;
}

/* Where the covers are until they are whole, so that a file which is there
 * already stays if they fail: beside it, but devices and pipes are what they
 * are. */
static int covers_part(const arguments *a, char part[PATH_MAX])
{
    struct stat status;
    int there = stat(a->covers, &status) == 0;

    if (strlen(a->covers) > PATH_MAX - 40)
        return complain("--covers: its name is too long");
    if (there && S_ISDIR(status.st_mode))
        return complain("%s: %s", a->covers, strerror(EISDIR));
    if (there && !S_ISREG(status.st_mode))
        snprintf(part, PATH_MAX, "%s", a->covers);
    else
        snprintf(part, PATH_MAX, "%s.%ld.part", a->covers, (long) getpid());
    return 0;
}

static int end_covers(const arguments *a, FILE *covers, const char *part,
                      int status)
{
    int is_part = strcmp(part, a->covers) != 0;

    if (fclose(covers) != 0 && status == 0)
        status = complain("%s: %s", a->covers, strerror(errno));
    if (status == 0 && is_part && rename(part, a->covers) != 0)
        status = complain("%s: %s", a->covers, strerror(errno));
    if (status != 0 && is_part)
        remove(part);
    return status;
}

static int write_all(const arguments *a)
{
    char part[PATH_MAX];
    FILE *covers = NULL;
    int status;

    if (strlen(a->folder) > PATH_MAX - 80)
        return complain("the folder's name is too long");
    if (a->covers && covers_part(a, part) != 0)
        return -1;
    if (a->covers && (covers = fopen(part, "wb")) == NULL)
        return complain("%s: %s", a->covers, strerror(errno));
    status = make_class_folders(a->folder);
    if (status == 0)
        status = write_pictures(a, covers);
    return covers ? end_covers(a, covers, part, status) : status;
}

/* ---- arguments ----------------------------------------------------------- */

static int parse_number(const char *option, const char *text, uint64_t low,
                        uint64_t high, uint64_t *value)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        number < low || number > high)
        return complain("--%s: expected a whole number from %" PRIu64
                        " to %" PRIu64 ", found '%s'", option, low, high,
                        text);
    *value = number;
    return 0;
}

static int parse_split(const char *text, enum scene_split *split)
{
    for (int i = 0; i < SCENE_SPLITS; i++) {
        if (strcmp(text, split_names[i]) == 0) {
            *split = (enum scene_split) i;
            return 0;
        }
    }
    return complain("--split: expected train, val or test, found '%s'", text);
}

static void print_classes(void)
{
    char name[32];

    for (unsigned label = 0; label < SCENE_CLASSES; label++) {
        scene_class_name(label, name);
        puts(name);
    }
}

/* What was printed is only done when it has reached its file. */
static int finish_printing(void)
{
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    complain("standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, arguments *a)
{
    static const struct option options[] = {
        {"split", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 'S'},
        {"covers", required_argument, NULL, 'C'},
        {"classes", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0}};
    int option, bad = 0;

    while ((option = getopt_long(argc, argv, "s:n:S:C:chV", options,
                                 NULL)) != -1) {
        switch (option) {
        case 's': bad |= parse_split(optarg, &a->split); break;
        case 'n':
            bad |= parse_number("count", optarg, 1, MAX_COUNT, &a->count);
            break;
        case 'S':
            bad |= parse_number("seed", optarg, 0, UINT64_MAX, &a->seed);
            break;
        case 'C': a->covers = optarg; break;
        case 'c': print_classes(); return finish_printing();
        case 'h': fputs(help, stdout); return finish_printing();
        case 'V':
            puts("make-images (tomerge) " PACKAGE_VERSION);
            return finish_printing();
        default: bad = 1; break; /* getopt has said why */
        }
    }
    return bad ? EXIT_USAGE : -1;
}

int main(int argc, char **argv)
{
    arguments a = {NULL, NULL, SPLIT_TEST, 480, 1};
    int status = parse_options(argc, argv, &a);

    if (status >= 0) {
        if (status == EXIT_USAGE)
            fputs("Try 'make-images --help'.\n", stderr);
        return status;
    }
    if (argc - optind != 1) {
        complain("expected one FOLDER");
        fputs("Try 'make-images --help'.\n", stderr);
        return EXIT_USAGE;
    }
    a.folder = argv[optind];
    return write_all(&a) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

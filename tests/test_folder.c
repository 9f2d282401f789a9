/* SPDX-License-Identifier: MIT */
/* Walking folders: order, nesting, links, and what is said of the rest. */
#include "config.h"

#include "../src/folders/walk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static char lines[16384];
static char why[FOLDER_WHY];
static folder f;

static void say(void *data, const char *line)
{
    (void)data;
    strcat(lines, line + (strncmp(line, root, strlen(root)) == 0
                          ? strlen(root) : 0));
    strcat(lines, "\n");
}

static const char *at(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *content)
{
    FILE *file = fopen(at(name), "wb");
    cr_assert_not_null(file);
    fputs(content, file);
    fclose(file);
}

static void make(const char *name)
{
    cr_assert_eq(mkdir(at(name), 0777), 0);
}

static void set_up(void)
{
    strcpy(root, P_tmpdir "/test-folder-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    lines[0] = why[0] = '\0';
}

static void tear_down(void)
{
    char command[256];

    folder_free(&f);
    snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", root,
             root);
    cr_assert_eq(system(command), 0);
}

/* All names, with a blank after each. */
static const char *names(void)
{
    static char all[2048];

    all[0] = '\0';
    for (size_t i = 0; i < f.count; i++) {
        strcat(all, f.files[i].name);
        strcat(all, " ");
    }
    return all;
}

TestSuite(folder, .init = set_up, .fini = tear_down);

Test(folder, classes_are_walked_in_order_and_depth)
{
    make("b");
    make("a");
    make("a/deep");
    make("a/deep/deeper");
    make(".hidden");
    put(".hidden/x.png", "");
    put("b/2.PNG", "");
    put("b/10.jpeg", "");
    put("a/z.jpg", "");
    put("a/deep/deeper/y.jpg", "");
    put("a/.x.jpg", "");
    put("a/notes.txt", "not an image");
    put("a/unnamed", "\x89PNG\r\n\x1a\n............");
    put("README", "not a class");
    put("beside.png", "");
    put("beside", "\x89PNG\r\n\x1a\n............");
    cr_assert_eq(walk_classes(root, &f, say, NULL, why), 0, "%s", why);
    cr_expect_str_eq(names(), "a/deep/deeper/y.jpg a/unnamed a/z.jpg "
                     "b/10.jpeg b/2.PNG ", "%s", names());
    cr_expect_eq(f.group_count, 2);
    cr_expect_eq(f.files[2].group, 0);
    cr_expect_eq(f.files[3].group, 1);
    cr_expect_eq(f.skipped, 2);
    cr_expect_eq(f.strays, 2, "images, if of no class");
    cr_expect_str_eq(lines, "");
}

Test(folder, links_are_followed_but_not_in_circles)
{
    make("a");
    make("a/more");
    put("a/more/1.png", "");
    cr_assert_eq(symlink("..", at("a/more/up")), 0);
    cr_assert_eq(symlink("a", at("b")), 0);
    cr_assert_eq(symlink("nowhere.png", at("a/broken.png")), 0);
    cr_assert_eq(walk_classes(root, &f, say, NULL, why), 0, "%s", why);
    cr_expect_str_eq(names(),
                     "a/broken.png a/more/1.png b/broken.png b/more/1.png ",
                     "%s", names());
    cr_expect_eq(f.group_count, 2);
}

Test(folder, a_class_without_image_is_named)
{
    make("full");
    make("void");
    put("full/1.png", "");
    put("void/readme.txt", "nothing here");
    cr_assert_eq(walk_classes(root, &f, say, NULL, why), 0);
    cr_expect_str_eq(lines, "/void: this class folder holds no image\n");
    cr_expect_eq(f.group_count, 2, "it still counts as a class");
}

Test(folder, many_classes_without_image_are_one_line)
{
    char name[16];

    make("full");
    put("full/1.png", "");
    for (int i = 0; i < 980; i++) {
        snprintf(name, sizeof(name), "void%03d", i);
        make(name);
    }
    cr_assert_eq(walk_classes(root, &f, say, NULL, why), 0);
    cr_expect_str_eq(lines, "/void000: this class folder and 979 others hold "
                     "no image\n", "%s", lines);
    cr_expect_eq(f.group_count, 981);
}

/* As deep as the system lets a path be, and one line for what is deeper. */
Test(folder, depth_has_no_limit_of_ours)
{
    char *path = malloc(8192), *here = getcwd(NULL, 0);
    size_t depth = 0;

    cr_assert_not_null(path);
    strcpy(path, root);
    while (strlen(path) < 3800) {
        strcat(path, "/ten letters");
        cr_assert_eq(mkdir(path, 0777), 0);
        depth++;
    }
    strcat(path, "/x.png");
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    fclose(file);
    cr_assert_eq(walk_flat(root, &f, say, NULL, why), 0, "%s", why);
    cr_expect_gt(depth, 300);
    cr_expect_eq(f.count, 1);
    cr_expect_str_eq(f.files[0].path, path);
    cr_expect_str_eq(lines, "");
    folder_free(&f);

    /* A name of 255 letters below it can be made, but not reached by path. */
    path[strlen(path) - strlen("/x.png")] = '\0';
    memset(path + 4096, 'y', 255);
    path[4096 + 255] = '\0';
    cr_assert_eq(chdir(path), 0);
    cr_assert_eq(mkdir(path + 4096, 0777), 0);
    cr_assert_eq(chdir(path + 4096), 0);
    cr_assert_eq(mkdir(path + 4096, 0777), 0);
    cr_assert_eq(chdir(here), 0);
    cr_assert_eq(walk_flat(root, &f, say, NULL, why), 0, "%s", why);
    cr_expect_eq(f.count, 1);
    cr_expect_neq(lines[0], '\0', "what could not be reached is said");
    free(path);
    free(here);
}

Test(folder, an_unreadable_class_is_named)
{
    make("full");
    make("shut");
    put("full/1.png", "");
    cr_assert_eq(chmod(at("shut"), 0), 0);
    /* Root reads everything, so it must be someone else who looks. */
    cr_assert_eq(chmod(root, 0755), 0);
    int root_runs_this = geteuid() == 0;
    if (root_runs_this)
        cr_assert_eq(seteuid(65534), 0);
    int result = walk_classes(root, &f, say, NULL, why);
    if (root_runs_this)
        cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(result, 0);
    cr_expect_str_eq(lines, "/shut: Permission denied\n");
    cr_expect_eq(f.count, 1);
}

Test(folder, nothing_to_walk)
{
    cr_expect_eq(walk_classes(root, &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "the folder is empty"));
    put("1.png", "");
    cr_expect_eq(walk_classes(root, &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "no class folders in it"));
    cr_expect_eq(walk_classes(at("1.png"), &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "not a folder"));
    cr_expect_eq(walk_classes(at("x"), &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "No such file or directory"));
    make("a");
    cr_expect_eq(walk_classes(root, &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "no images in its class folders"));
    make("flat");
    cr_expect_eq(walk_flat(at("flat"), &f, say, NULL, why), -1);
    cr_expect_not_null(strstr(why, "no images in it"));
    cr_expect_eq(walk_flat(at("x"), &f, say, NULL, why), -1);
}

Test(folder, flat_and_limit)
{
    char name[16];

    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "%d.png", i);
        put(name, "");
    }
    make("more");
    put("more/x.jpg", "");
    cr_assert_eq(walk_flat(root, &f, say, NULL, why), 0, "%s", why);
    cr_expect_eq(f.count, 11);
    cr_expect_str_eq(f.files[10].name, "more/x.jpg");
    folder_limit(&f, 20);
    cr_expect_eq(f.count, 11);
    folder_limit(&f, 4);
    cr_expect_str_eq(names(), "0.png 2.png 5.png 8.png ", "%s", names());
    folder_limit(&f, 1);
    cr_expect_str_eq(names(), "0.png ");
}

/* Names lie in pieces that many share, and stay where they are. */
Test(folder, many_names)
{
    enum { MANY = 3000, LONG = 400000 };
    char *path = malloc(LONG + 32);
    folder other = {0};

    for (int i = 0; i < MANY; i++) {
        int length = i == 1000 ? LONG : i % 300;
        sprintf(path, "root/%d%0*d", i, length + 1, 7);
        folder_add_member(i % 2 ? &f : &other, &source_files, (size_t)i, path,
                          path + strlen("root/"));
    }
    const char *first = f.files[0].path;
    folder_append(&f, &other);
    cr_assert_eq(f.count, MANY);
    cr_expect(f.files[0].path == first);
    for (size_t i = 0; i < f.count; i++) {
        int own = (int)f.files[i].member;
        sprintf(path, "root/%d%0*d", own, (own == 1000 ? LONG : own % 300) + 1,
                7);
        cr_assert_str_eq(f.files[i].path, path, "file %d", own);
        cr_assert_str_eq(f.files[i].name,
                         path + (own % 2 ? strlen("root/") : 0));
    }
    free(path);
}

/* SPDX-License-Identifier: MIT */
/* Which class a folder or a line of a label file means. */
#include "config.h"

#include "../src/base/memory.h"
#include "../src/folders/classes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char why[CLASSES_WHY];
static const char *how;

static const char *colours(const void *data, size_t index)
{
    static const char *const names[] = {"red", "green", "blue", "green"};
    (void)data;
    return index < 4 ? names[index] : NULL;
}

static const char *from_one(const void *data, size_t index)
{
    static const char *const names[] = {"1", "2", "3"};
    (void)data;
    return index < 3 ? names[index] : NULL;
}

static const classes four = {.count = 4, .own_name = colours};
static const classes three = {.count = 3};
static const classes thousand = {.count = IMAGENET_CLASSES};

/* A walked folder with one file in each of the groups named. */
static folder walked(const char *const *groups)
{
    folder f;

    memset(&f, 0, sizeof(f));
    for (; *groups; groups++) {
        folder_add(&f, "x.png");
        f.files[f.count - 1].group = f.group_count;
        f.groups = memory_grow(f.groups, f.group_count, &f.group_capacity,
                               sizeof(*f.groups));
        f.groups[f.group_count++] = memory_text(*groups);
    }
    return f;
}

static pairs from_text(const char *text)
{
    char path[] = P_tmpdir "/test-classes-XXXXXX";
    int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "w");
    pairs p;

    fputs(text, file);
    fclose(file);
    memset(&p, 0, sizeof(p));
    if (pairs_read(path, &p, why) != 0)
        p.count = 0;
    p.path = "the map";
    unlink(path);
    return p;
}

static int label(const classes *c, folder *f, const pairs *map)
{
    why[0] = '\0';
    return classes_label_groups(c, f, map, &how, why);
}

Test(classes, imagenet_is_sorted_and_named)
{
    for (size_t i = 0; i < IMAGENET_CLASSES; i++) {
        cr_assert_eq(imagenet_find(imagenet_wnid(i)), (int32_t)i);
        cr_assert_gt(strlen(imagenet_name(i)), 0);
        if (i > 0)
            cr_assert_lt(strcmp(imagenet_wnid(i - 1), imagenet_wnid(i)), 0);
    }
    cr_expect_str_eq(imagenet_wnid(0), "n01440764");
    cr_expect_str_eq(imagenet_name(0), "tench");
    cr_expect_str_eq(imagenet_wnid(999), "n15075141");
    cr_expect_eq(imagenet_find("n99999999"), -1);
    cr_expect_null(imagenet_name(1000));
}

Test(classes, wnids_map_to_their_place_even_when_few)
{
    static const char *const groups[] =
        {"n01443537", "n02123045", "n15075141", NULL};
    folder f = walked(groups);

    cr_assert_eq(label(&thousand, &f, NULL), 0, "%s", why);
    cr_expect_eq(f.files[0].label, 1);
    cr_expect_eq(f.files[1].label, 281);
    cr_expect_eq(f.files[2].label, 999);
    cr_expect_str_eq(how, "WordNet id");
    folder_free(&f);
}

Test(classes, one_stranger_among_wnids_is_named)
{
    static const char *const groups[] = {"n01443537", "misc", NULL};
    folder f = walked(groups);

    cr_expect_eq(label(&thousand, &f, NULL), -1);
    cr_expect_not_null(strstr(why, "'misc' is not a WordNet id"), "%s", why);
    folder_free(&f);
}

/* One that holds no image misleads nobody, unless places count. */
Test(classes, empty_strangers_are_left_alone)
{
    static const char *const wnids[] = {"n01443537", "misc", NULL};
    static const char *const names[] = {"blue", "misc", "red", NULL};
    static const char *const order[] = {"a", "b", "c", "d", NULL};
    folder f = walked(wnids), g = walked(names), h = walked(order);

    f.files[1].group = g.files[1].group = h.files[1].group = 0;
    cr_assert_eq(label(&thousand, &f, NULL), 0, "%s", why);
    cr_expect_eq(f.files[1].label, 1);
    cr_assert_eq(label(&four, &g, NULL), 0, "%s", why);
    cr_expect_str_eq(how, "class name");
    cr_expect_eq(g.files[2].label, 0);
    cr_expect_eq(label(&three, &h, NULL), -1);
    cr_expect_not_null(strstr(why, "4 class folders, but the model has 3"));
    folder_free(&f);
    folder_free(&g);
    folder_free(&h);
}

Test(classes, others_go_by_sorted_order_and_must_be_as_many)
{
    static const char *const same[] = {"a", "b", "c", NULL};
    static const char *const fewer[] = {"n01443537", "b", NULL};
    folder f = walked(same), g = walked(fewer);

    cr_assert_eq(label(&three, &f, NULL), 0, "%s", why);
    cr_expect_eq(f.files[2].label, 2);
    cr_expect_str_eq(how, "sorted order");
    cr_expect_eq(label(&three, &g, NULL), -1);
    cr_expect_not_null(strstr(why, "2 class folders, but the model has 3"));
    cr_expect_not_null(strstr(why, "--class-map"));
    folder_free(&f);
    folder_free(&g);
}

Test(classes, the_models_own_names_come_before_order)
{
    static const char *const names[] = {"blue", "red", NULL};
    static const char *const twice[] = {"blue", "green", NULL};
    folder f = walked(names), g = walked(twice);

    cr_assert_eq(label(&four, &f, NULL), 0, "%s", why);
    cr_expect_eq(f.files[0].label, 2);
    cr_expect_eq(f.files[1].label, 0);
    cr_expect_str_eq(how, "class name");
    cr_expect_eq(label(&four, &g, NULL), -1, "green is two classes");
    folder_free(&f);
    folder_free(&g);
}

static const classes twelve = {.count = 12};

/* "10" stands before "2" in sorted order, and is not the class after 1. */
Test(classes, folders_called_by_numbers_are_those_classes)
{
    static const char *const all[] = {"0", "1", "10", "11", "2", "3", "4", "5",
                                      "6", "7", "8", "9", NULL};
    static const int32_t wanted[] = {0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9};
    static const char *const some[] = {"007", "11", "3", NULL};
    folder f = walked(all), g = walked(some);

    cr_assert_eq(label(&twelve, &f, NULL), 0, "%s", why);
    cr_expect_str_eq(how, "class number");
    for (size_t i = 0; i < 12; i++)
        cr_expect_eq(f.files[i].label, wanted[i]);
    cr_assert_eq(label(&twelve, &g, NULL), 0, "%s", why);
    cr_expect_eq(g.files[0].label, 7);
    cr_expect_eq(g.files[1].label, 11);
    cr_expect_eq(g.files[2].label, 3);
    folder_free(&f);
    folder_free(&g);
}

/* 1 to N may be a list that counts from 1, or one with a folder too many. */
Test(classes, numbers_of_no_class_are_not_put_in_order)
{
    static const char *const shifted[] = {"1", "2", "3", NULL};
    static const char *const far[] = {"0", "1", "99999999999999999999", NULL};
    static const char *const twice[] = {"1", "01", "2", NULL};
    static const char *const words[] = {"1", "2", "three", NULL};
    folder f = walked(shifted), g = walked(far), h = walked(twice),
           k = walked(words);

    cr_expect_eq(label(&three, &f, NULL), -1);
    cr_expect_not_null(strstr(why, "folder '3'"), "%s", why);
    cr_expect_not_null(strstr(why, "--class-map"), "%s", why);
    cr_expect_eq(label(&three, &g, NULL), -1);
    cr_expect_not_null(strstr(why, "--class-map"), "%s", why);
    cr_expect_eq(label(&three, &h, NULL), -1);
    cr_expect_not_null(strstr(why, "'1' and '01'"), "%s", why);
    cr_expect_eq(label(&three, &k, NULL), 0, "%s", why);
    cr_expect_str_eq(how, "sorted order");
    folder_free(&f);
    folder_free(&g);
    folder_free(&h);
    folder_free(&k);
}

/* What the model itself calls its classes comes first. */
Test(classes, own_names_that_are_numbers)
{
    static const char *const digits[] = {"1", "2", "3", NULL};
    folder f = walked(digits);
    classes c = {.count = 3, .own_name = from_one};

    cr_assert_eq(label(&c, &f, NULL), 0, "%s", why);
    cr_expect_str_eq(how, "class name");
    cr_expect_eq(f.files[0].label, 0);
    cr_expect_eq(f.files[2].label, 2);
    folder_free(&f);
}

Test(classes, map_decides)
{
    static const char *const groups[] = {"a", "b", NULL};
    folder f = walked(groups);
    pairs map = from_text("folder,class\na\t2\r\n# remark\n\nb,0\n");

    cr_assert_eq(label(&three, &f, &map), 0, "%s", why);
    cr_expect_eq(f.files[0].label, 2);
    cr_expect_eq(f.files[1].label, 0);
    pairs_free(&map);
    map = from_text("a,1\n");
    cr_expect_eq(label(&three, &f, &map), -1);
    cr_expect_str_eq(why, "the map: folder 'b' is not in it");
    pairs_free(&map);
    map = from_text("a,1\nb,3\n");
    cr_expect_eq(label(&three, &f, &map), -1);
    cr_expect_str_eq(why, "the map: line 2: class 3: the model has 3 classes");
    pairs_free(&map);
    folder_free(&f);
}

Test(classes, texts_that_mean_a_class)
{
    cr_expect_eq(classes_find(&thousand, "n02123045", why), 281);
    cr_expect_eq(classes_find(&thousand, "281", why), 281);
    cr_expect_eq(classes_find(&thousand, "goldfish", why), 1);
    cr_expect_eq(classes_find(&thousand, "crane", why), -1);
    cr_expect_not_null(strstr(why, "give the index"), "%s", why);
    cr_expect_eq(classes_find(&thousand, "1000", why), -1);
    cr_expect_eq(classes_find(&four, "blue", why), 2);
    cr_expect_eq(classes_find(&four, "n02123045", why), -1);
    cr_expect_not_null(strstr(why, "is not a class of the model"));
}

Test(classes, label_files)
{
    folder f;
    pairs labels = from_text("\"a, \"\"b\"\".png\",2\nx,y.png,1\n"
                             "gone.png\t0\n");
    size_t left_out = 0;

    cr_assert_eq(labels.count, 3, "%s", why);
    memset(&f, 0, sizeof(f));
    folder_add(&f, "a, \"b\".png");
    folder_add(&f, "other.png");
    folder_add(&f, "x,y.png");
    cr_assert_eq(classes_label_files(&three, &f, &labels, NULL, &left_out,
                                     why), 0, "%s", why);
    cr_expect_eq(f.count, 2);
    cr_expect_eq(f.files[0].label, 2);
    cr_expect_eq(f.files[1].label, 1);
    cr_expect_eq(left_out, 1);
    folder_free(&f);
    pairs_free(&labels);
}

/* Labels `names` by `text`; how many are labelled, each as wanted. */
static size_t count_labelled(const char *text, const char *const *names)
{
    pairs labels = from_text(text);
    size_t left_out = 0, count = 0;
    folder f;

    cr_assert_gt(labels.count, 0, "%s", why);
    memset(&f, 0, sizeof(f));
    for (; *names; names++)
        folder_add(&f, *names);
    if (classes_label_files(&twelve, &f, &labels, NULL, &left_out, why) == 0)
        count = f.count;
    /* An image's class is the number in its name. */
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(f.files[i].label,
                     atoi(strpbrk(f.files[i].name, "0123456789")), "%s",
                     f.files[i].name);
    folder_free(&f);
    pairs_free(&labels);
    return count;
}

Test(classes, names_in_lists_as_people_write_them)
{
    static const char *const flat[] = {"b1.png", "b2.JPEG", NULL};
    static const char *const deep[] = {"x/b1.png", "y/b2.png", NULL};
    static const char *const same[] = {"x/b1.png", "y/b1.png", "y/b2.png",
                                       NULL};
    static const char *const stem[] = {"b3.png", "b3.jpg", NULL};

    cr_expect_eq(count_labelled("b1.png,1\nb2.JPEG,2\n", flat), 2);
    cr_expect_eq(count_labelled("./b1.png 1\n./b2.JPEG 2\n", flat), 2);
    cr_expect_eq(count_labelled("b1,1\nb2,2\n", flat), 2);
    cr_expect_eq(count_labelled("b1.jpg,1\nb2.jpg,2\n", flat), 2);
    cr_expect_eq(count_labelled("val/b1.png,1\nval/b2.JPEG,2\n", flat), 2);
    cr_expect_eq(count_labelled("/data/val/b1 1\n/data/val/b2 2\n", flat), 2);
    cr_expect_eq(count_labelled("val\\b1.png,1\nval\\b2.JPEG,2\n", flat), 2);
    cr_expect_eq(count_labelled("val/x/b1.png,1\nval/y/b2.png,2\n", deep), 2);
    cr_expect_eq(count_labelled("b1.png,1\nb2.png,2\n", deep), 2);
    cr_expect_eq(count_labelled("a/b/c/x/b1,1\na/b/c/y/b2,2\n", deep), 2);
    /* One name for two images fits neither. */
    cr_expect_eq(count_labelled("b1.png,1\n", same), 0);
    cr_expect_not_null(strstr(why, "it has 'b1.png', the folder 'x/b1.png'"),
                       "%s", why);
    cr_expect_eq(count_labelled("b3,3\n", stem), 0);
    cr_expect_eq(count_labelled("v/x/b1.png,1\nv/y/b1.png,1\n", same), 2);
    cr_expect_eq(count_labelled("w/b1.png,1\nv/b1.png,2\nw/b2.JPEG,2\n", flat),
                 0, "b1.png is two lines of two classes");
}

Test(classes, boxes_behind_a_wordnet_id)
{
    pairs labels = from_text("ImageId,PredictionString\n"
                             "a,n02123045 85 1 499 272\n");
    size_t left_out = 0;
    folder f;

    memset(&f, 0, sizeof(f));
    folder_add(&f, "a.JPEG");
    cr_assert_eq(classes_label_files(&thousand, &f, &labels, NULL, &left_out,
                                     why), 0, "%s", why);
    cr_expect_eq(f.files[0].label, 281);
    folder_free(&f);
    pairs_free(&labels);
}

/* Lists as people have them; a line is a.png of class 2, or what is given. */
Test(pairs, ways_to_write_a_line)
{
    static const struct {
        const char *text, *key, *value;
    } lines[] = {
        {"a.png 2", "a.png", "2"}, {"a.png\t2", "a.png", "2"},
        {"a.png,2", "a.png", "2"}, {"a.png, 2", "a.png", "2"},
        {"a.png;2", "a.png", "2"}, {"a.png   2  ", "a.png", "2"},
        {"  a.png 2", "a.png", "2"}, {"\"a.png\",\"2\"", "a.png", "2"},
        {"\"a.png\" \"2\"", "a.png", "2"}, {"\"a.png\" 2", "a.png", "2"},
        {"\"a.png\"\t2", "a.png", "2"}, {"a.png \"2\"", "a.png", "2"},
        {"\"a.png\" , \"2\"", "a.png", "2"},
        {"a.png great white shark", "a.png", "great white shark"},
        {"a.png tench, Tinca", "a.png", "tench, Tinca"},
        {"a.png,\"tench, Tinca\"", "a.png", "tench, Tinca"},
        {"my cat.png,2", "my cat.png", "2"},
        {"my cat 2", "my cat", "2"},
        {"x,y.png,2", "x,y.png", "2"},
        {"\"say \"\"a\"\"\",2", "say \"a\"", "2"},
        {"ILSVRC2012_val_1,n02123045 1 2 3 4", "ILSVRC2012_val_1",
         "n02123045 1 2 3 4"},
        {"\xef\xbb\xbf" "a.png,2", "a.png", "2"},
        {"\xef\xbb\xbf" "\"a.png\",2\r", "a.png", "2"},
        {"image_id,breed\na,2", "a", "2"},
        {"\xef\xbb\xbf" "ImageId,PredictionString\na,2", "a", "2"}
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        pairs p = from_text(lines[i].text);
        cr_assert_eq(p.count, 1, "%s: %s", lines[i].text, why);
        cr_expect_str_eq(p.items[0].key, lines[i].key, "%s: '%s'",
                         lines[i].text, p.items[0].key);
        cr_expect_str_eq(p.items[0].value, lines[i].value, "%s: '%s'",
                         lines[i].text, p.items[0].value);
        pairs_free(&p);
    }
}

Test(pairs, what_cannot_be_read_is_named)
{
    pairs p;

    p = from_text("a.png\n");
    cr_expect_eq(p.count, 0);
    cr_expect_not_null(strstr(why, "line 1: expected a name"), "%s", why);
    p = from_text("a,1\nb,2\na,3\n");
    cr_expect_eq(p.count, 0);
    cr_expect_not_null(strstr(why, "'a' is on lines 1 and 3"), "%s", why);
    p = from_text("\"a,1\n");
    cr_expect_eq(p.count, 0);
    p = from_text("\xff\xfe" "a");
    cr_expect_eq(p.count, 0);
    cr_expect_not_null(strstr(why, "UTF-16"), "%s", why);
    p = from_text("\n# nothing\n");
    cr_expect_eq(p.count, 0);
    cr_expect_not_null(strstr(why, "no line of a name and a class"));
    cr_expect_eq(pairs_read("no-such-file", &p, why), -1);
    cr_expect_not_null(strstr(why, "No such file"));
}

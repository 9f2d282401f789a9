/* SPDX-License-Identifier: MIT */
/* The demonstration's pictures: the same pixels on every machine, no picture
 * in two splits, every class as often as the others. */
#include "draws.h"
#include "../data/scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 128 };

static uint64_t hash(uint64_t h, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = hash_more(h, bytes[i]);
    return h;
}

/* Of `count` pictures in their own sizes, with what is painted where. */
static uint64_t hash_of(enum scene_split split, uint64_t seed, uint64_t count)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (uint64_t i = 0; i < count; i++) {
        uint8_t *rgb, cover[SCENE_COVER_SIDE * SCENE_COVER_SIDE];
        size_t pixels;
        scene s;

        scene_compose(&s, split, seed, i);
        pixels = (size_t)s.width * (size_t)s.height;
        rgb = malloc(3 * pixels);
        cr_assert_not_null(rgb);
        cr_assert_eq(scene_paint(&s, s.width, s.height, rgb), 0);
        h = hash(h, rgb, 3 * pixels);
        free(rgb);
        rgb = malloc(3 * SIDE * SIDE);
        cr_assert_not_null(rgb);
        cr_assert_eq(scene_paint(&s, SIDE, SIDE, rgb), 0);
        scene_cover(&s, cover);
        h = hash(hash(h, rgb, 3 * SIDE * SIDE), cover, sizeof(cover));
        free(rgb);
    }
    return h;
}

Test(demo_images, same_pixels_everywhere)
{
    static const struct {
        enum scene_split split;
        uint64_t seed, hash;
    } sets[] = {
        {SPLIT_TRAIN, 1, 0x463ba3f8320c3343u},
        {SPLIT_VAL, 1, 0x36cf95db3f69f6e0u},
        {SPLIT_TEST, 1, 0xa8c504bca8520826u},
        {SPLIT_TEST, 2, 0x081d6d255780ddbau},
    };

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        uint64_t h = hash_of(sets[i].split, sets[i].seed, 32);

        cr_expect_eq(h, sets[i].hash, "set %zu: %016llx", i,
                     (unsigned long long)h);
    }
}

Test(demo_images, no_picture_is_in_two_sets)
{
    enum { EACH = 200, SETS = 4 };
    static const struct {
        enum scene_split split;
        uint64_t seed;
    } sets[SETS] = {{SPLIT_TRAIN, 1}, {SPLIT_VAL, 1}, {SPLIT_TEST, 1},
                    {SPLIT_TEST, 2}};
    static uint64_t seen[SETS * EACH];

    for (size_t i = 0; i < SETS * EACH; i++) {
        scene s;

        scene_compose(&s, sets[i / EACH].split, sets[i / EACH].seed, i % EACH);
        seen[i] = s.noise_seed;
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(seen[i], seen[j], "%zu and %zu", i, j);
    }
}

Test(demo_images, classes_take_turns_and_are_in_the_picture)
{
    static uint8_t cover[SCENE_COVER_SIDE * SCENE_COVER_SIDE];
    char name[32], before[32] = "";

    for (unsigned i = 0; i < 4 * SCENE_CLASSES; i++) {
        unsigned seen = 0;
        scene s;

        scene_compose(&s, SPLIT_TEST, 1, i);
        cr_assert_eq(s.label, i % SCENE_CLASSES);
        scene_cover(&s, cover);
        for (size_t k = 0; k < sizeof(cover); k++)
            seen += cover[k];
        /* At least a fiftieth of the picture, behind whatever hides it. */
        cr_assert_gt(seen, 16 * sizeof(cover) / 50, "picture %u", i);
    }
    for (unsigned label = 0; label < SCENE_CLASSES; label++) {
        scene_class_name(label, name);
        cr_assert_lt(strcmp(before, name), 0, "names sort as labels do");
        strcpy(before, name);
    }
}

/* SPDX-License-Identifier: MIT */
/* Real images through real weights to pictures: the groups and the colours
 * read back from the PNG are the reference implementation's. */
#include "config.h"

#include "golden.h"
#include "readback.h"

#include "../src/base/message.h"
#include "../src/commands.h"

#include <stdio.h>
#include <unistd.h>

enum { IMAGES = 25, TOKENS = 197, GRID = 14, PATCH = 16, SIDE = 224 };

static const struct {
    const char *tag, *r;
} schedules[] = {
    {"r2", "2"}, {"r4", "4"}, {"r8", "8"}, {"r12", "12"}, {"r13", "13"},
    {"r16", "16"}, {"r20", "20"}, {"r8dec", "8:-1"}, {"r13dec", "13:-1"}
};
enum { SCHEDULES = sizeof(schedules) / sizeof(schedules[0]) };

typedef struct reference {
    golden_file *groups, *crops; /* crops of some images, by name */
    const json_t *files;
    char *images, *model;
} reference;

static reference open_reference(const char *real, const char *data,
                                json_t *index)
{
    reference ref;

    ref.groups = golden_open(real, "first25.safetensors");
    ref.crops = golden_open(real, "crops_u8.safetensors");
    ref.files = json_object_get(index, "files");
    ref.images = golden_path(data, "imagenet-sample");
    ref.model = golden_path(data,
                            "weights/vit_tiny_patch16_224.augreg.safetensors");
    return ref;
}

static void close_reference(reference *ref)
{
    golden_close(ref->groups);
    golden_close(ref->crops);
    free(ref->images);
    free(ref->model);
}

/* What the command writes: its picture, and its report, to be released. */
static json_t *pictured(const reference *ref, size_t index, const char *list,
                        int layers, image *picture)
{
    char png[] = "tests/visualize.XXXXXX", json[] = "tests/visualize.XXXXXX";
    image_options decoding;
    const char *name = json_string_value(json_array_get(ref->files, index));
    char *path = golden_path(ref->images, name), why[ARGS_WHY];
    options o;

    options_init(&o);
    o.model = ref->model;
    o.operands = &path;
    o.operand_count = 1;
    o.batch = 1;
    o.layers = layers;
    o.grid = !layers;
    o.scale = 1;
    o.threads = 2;
    cr_assert(close(mkstemp(png)) == 0 && close(mkstemp(json)) == 0);
    o.output = png;
    o.json = json;
    cr_assert_eq(merging_parse_r_list(list, &o.merging, why), 0, "%s", why);
    command_visualize(&o);
    cr_assert_eq(message_status(), STATUS_DONE, "%s", path);
    options_free(&o);
    free(path);

    image_options_init(&decoding);
    cr_assert_eq(image_read(png, &decoding, picture, why), 0, "%s", why);
    json_t *report = json_load_file(json, 0, NULL);
    cr_assert_eq(golden_size(report, "width"), picture->width);
    cr_assert_eq(golden_size(report, "height"), picture->height);
    unlink(png);
    unlink(json);
    return report;
}

/* The panel with the crop; where the reference has that crop it is the same. */
static void read_crop(const reference *ref, size_t index, const image *picture,
                      const json_t *place, uint8_t *crop)
{
    size_t left = golden_size(place, "left"), top = golden_size(place, "top");
    const char *name = json_string_value(json_array_get(ref->files, index));

    for (size_t y = 0; y < SIDE; y++)
        memcpy(crop + y * SIDE * 3,
               picture->rgb + ((top + y) * picture->width + left) * 3,
               SIDE * 3);
    if (golden_find(ref->crops, name))
        cr_assert_eq(memcmp(golden_u8(ref->crops, name, SIDE * SIDE * 3), crop,
                            SIDE * SIDE * 3), 0, "%s: another crop", name);
}

/* Each group's colour is the mean of its pixels, rounded to nearest. */
static void check_means(const readback *r, const uint8_t *crop,
                        const int32_t *group)
{
    static uint64_t sum[TOKENS][4];

    memset(sum, 0, sizeof(sum));
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        uint64_t *s = sum[group[i / SIDE / PATCH * GRID + i % SIDE / PATCH]];
        for (size_t c = 0; c < 3; c++)
            s[c] += crop[i * 3 + c];
        s[3]++;
    }
    for (size_t p = 0; p < GRID * GRID; p++) {
        const uint64_t *s = sum[group[p]];
        for (size_t c = 0; c < 3; c++) {
            long off = 2 * ((long)readback_fill(r, p)[c] * (long)s[3] -
                            (long)s[c]);
            cr_assert(off <= (long)s[3] && off >= -(long)s[3],
                      "patch %zu, channel %zu: not the mean", p, c);
        }
    }
}

/* The groups of one panel, which are those that the report lists. */
static void read_panel(const image *picture, const uint8_t *crop,
                       const json_t *panel, int32_t group[TOKENS])
{
    const json_t *place = json_object_get(panel, "place");
    const json_t *listed = json_object_get(panel, "group");

    cr_assert_eq(golden_size(place, "side"), SIDE);
    cr_assert_eq(json_array_size(listed), TOKENS);
    for (size_t i = 0; i < TOKENS; i++)
        group[i] = (int32_t)json_integer_value(json_array_get(listed, i));
    readback r = readback_groups(picture, golden_size(place, "left"),
                                 golden_size(place, "top"), GRID, PATCH);
    cr_assert(readback_same(r.group, group + 1, TOKENS - 1),
              "drawn is not what is listed");
    check_means(&r, crop, group + 1);
    free(r.group);
}

static int traced(const reference *ref, size_t index, const char *tag,
                  const int32_t group[TOKENS])
{
    char name[32];

    snprintf(name, sizeof(name), "group_%s", tag);
    const int32_t *want = golden_i32(ref->groups, name, IMAGES * TOKENS);
    return memcmp(group, want + index * TOKENS, TOKENS * sizeof(*want)) == 0;
}

static void check_image(const reference *ref, size_t index, size_t agree[])
{
    static uint8_t crop[SIDE * SIDE * 3];
    int32_t group[TOKENS];
    char list[64] = "";
    image picture;

    for (size_t i = 0; i < SCHEDULES; i++) {
        strcat(list, i > 0 ? "," : "");
        strcat(list, schedules[i].r);
    }
    json_t *report = pictured(ref, index, list, 0, &picture);
    const json_t *panels = json_object_get(report, "panels");
    cr_assert_eq(json_array_size(panels), SCHEDULES);
    read_crop(ref, index, &picture, json_object_get(report, "crop"), crop);
    for (size_t i = 0; i < SCHEDULES; i++) {
        read_panel(&picture, crop, json_array_get(panels, i), group);
        agree[i] += (size_t)traced(ref, index, schedules[i].tag, group);
    }
    json_decref(report);
    image_free(&picture);
}

Test(visualize, the_drawn_groups_are_the_traced_ones)
{
    const char *real = golden_real_folder(), *data = golden_data_folder();
    size_t agree[SCHEDULES] = {0};

    if (!real || !data)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    json_t *index = golden_index(real);
    reference ref = open_reference(real, data, index);

    /* Where the tables for people go. */
    cr_assert_not_null(freopen("/dev/null", "w", stdout));
    for (size_t i = 0; i < IMAGES; i++)
        check_image(&ref, i, agree);
    for (size_t i = 0; i < SCHEDULES; i++)
        cr_expect_eq(agree[i], IMAGES, "%s: %zu of %d images",
                     schedules[i].tag, agree[i], IMAGES);
    close_reference(&ref);
    json_decref(index);
}

/* 16 tokens go in each of 12 layers, of which every second is shown; the last
 * shows the final groups, and what merged never parts. */
Test(visualize, layers_lead_to_the_traced_groups)
{
    const char *real = golden_real_folder(), *data = golden_data_folder();
    static uint8_t crop[SIDE * SIDE * 3];
    int32_t before[TOKENS], group[TOKENS];
    image picture;

    if (!real || !data)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    json_t *index = golden_index(real);
    reference ref = open_reference(real, data, index);

    cr_assert_not_null(freopen("/dev/null", "w", stdout));
    json_t *report = pictured(&ref, 3, "16", 1, &picture);
    const json_t *panels = json_object_get(report, "panels");
    read_crop(&ref, 3, &picture, json_object_get(report, "crop"), crop);
    cr_assert_eq(json_array_size(panels), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *panel = json_array_get(panels, i);
        size_t layer = 2 * (i + 1), left = i < 5 ? TOKENS - 16 * layer : 11;
        cr_expect_eq(golden_size(panel, "layer"), layer);
        cr_expect_eq(golden_size(panel, "tokens_left"), left);
        cr_expect_eq(golden_size(panel, "groups"), left - 1);
        read_panel(&picture, crop, panel, group);
        for (size_t p = 0; i > 0 && p < TOKENS; p++)
            for (size_t q = 0; q < p; q++)
                cr_assert(before[p] != before[q] || group[p] == group[q]);
        memcpy(before, group, sizeof(group));
    }
    cr_expect(traced(&ref, 3, "r16", group));
    json_decref(report);
    image_free(&picture);
    close_reference(&ref);
    json_decref(index);
}

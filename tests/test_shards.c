/* SPDX-License-Identifier: MIT */
/* Checkpoints in several files: read through their index; indexes that lead
 * elsewhere or do not fit are refused with one clear line. The fixtures were
 * written by tests/fixtures/make-shards.py. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "containers.h"
#include "model_file.h"
#include "refused.h"

Test(shards, shards_of_any_container_are_read)
{
    static const char *const names[] = {"model.safetensors.index.json",
                                        "pytorch_model.bin.index.json"};
    char path[128];
    size_t i;

    for (i = 0; i < 2; i++) {
        vit_tensors *t;

        snprintf(path, sizeof(path), "shards/%s", names[i]);
        t = fixture_open(path, "index of shards");
        check_names(t, "a b patch_embed.proj.weight x");
        cr_assert_str_eq(t->prefix, "model.");
        check_ramp(t, "patch_embed.proj.weight", "F32", "[2, 3]");
        check_ramp(t, "b", "F32", "[4]");
        check_ramp(t, "a", "F32", "[3, 2]");
        check_ramp(t, "x", "F32", "[2]");
        tomevit_tensors_close(t);
    }
}

Test(shards, metadata_are_those_of_the_shards)
{
    vit_tensors *t = fixture_open("shards/model.safetensors.index.json",
                                  "index of shards");

    cr_assert_str_eq(tomevit_tensors_metadata(t, "format"), "pt");
    cr_assert_str_eq(tomevit_tensors_metadata(t, "file"),
                     "model-00001-of-00002.safetensors");
    tomevit_tensors_close(t);
}

Test(shards, a_shard_alone_is_refused_by_the_name_of_its_index)
{
    static const char *const cases[][2] = {
        {"shards/model-00002-of-00002.safetensors",
         "shard 2 of 2: expected their index, \"model.safetensors.index"},
        {"shards/pytorch_model-00001-of-00002.bin",
         "shard 1 of 2: expected their index, \"pytorch_model.bin.index.json"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *path = fixture_path(cases[i][0]);
        vit_tensors *t = (vit_tensors *)&t;
        tomevit_message why = {""};
        int code = tomevit_tensors_open(path, &t, &why);

        cr_assert_null(t);
        refused(code, TOMEVIT_EFORMAT, &why, path, cases[i][1]);
        free(path);
    }
}

/* Another number of another file, or one that stands alone. */
Test(shards, names_that_only_look_like_shards_open)
{
    static const char *const names[] = {
        "model-00001-of-00001.safetensors", "model-1-of-2.safetensors",
        "model-00001-of-00002x.safetensors", "-00001-of-00002.safetensors",
    };
    char folder[] = "shards-XXXXXX";
    char *from = fixture_path("shards/model-00001-of-00002.safetensors");
    static char bytes[4096];
    FILE *f = fopen(from, "rb");
    size_t count;

    cr_assert(f && mkdtemp(folder));
    count = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[64];
        vit_tensors *t;

        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        f = fopen(path, "wb");
        cr_assert(f && fwrite(bytes, 1, count, f) == count);
        fclose(f);
        cr_assert_eq(tomevit_tensors_open(path, &t, NULL), 0, "%s", path);
        tomevit_tensors_close(t);
        unlink(path);
    }
    cr_assert_eq(rmdir(folder), 0);
    free(from);
}

/* ---- malformed indexes --------------------------------------------------- */

#define MAP(file) "{\"weight_map\":{\"x\":" file "}}"
#define SHARD "model-00002-of-00002.safetensors"

static const struct {
    const char *text, *words;
} bad_indexes[] = {
    {"{", "bad index near byte"},
    {"{}", "expected an index with a \"weight_map\""},
    {" \n{\"weight_map\":[]}", "expected an index with a \"weight_map\""},
    {"{\"weight_map\":{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}}", "nests deeper"},
    {"{\"weight_map\":{\"x\":\"a\",\"x\":\"a\"}}", "duplicate"},
    {MAP("7"), "tensor \"x\": expected the name of a file|no string"},
    {MAP("\"\""), "tensor \"x\": expected the name of a file"},
    {MAP("\"..\""), "index's folder, found \"..\""},
    {MAP("\".\""), "index's folder, found \".\""},
    {MAP("\"../shards/" SHARD "\""), "found \"../shards/"},
    {MAP("\"/etc/passwd\""), "found \"/etc/passwd\""},
    {MAP("\"sub/file\""), "found \"sub/file\""},
    {MAP("\"model-00001-of-00002.safetensors\""),
     "\"x\" is not in \"model-00001-of-00002.safetensors\""},
};

static void refuse_index(const char *path, const char *text, int expected,
                         const char *where, const char *words)
{
    vit_tensors *t = (vit_tensors *)&t;
    tomevit_message why = {""};
    int code = tomevit_tensors_parse(path, text, strlen(text), &t, &why);

    cr_assert_null(t);
    refused(code, expected, &why, where, words);
}

Test(shards, malformed_indexes_are_refused)
{
    char *path = fixture_path("shards/test.index.json");
    size_t i;

    for (i = 0; i < sizeof(bad_indexes) / sizeof(*bad_indexes); i++)
        refuse_index(path, bad_indexes[i].text, TOMEVIT_EFORMAT, path,
                     bad_indexes[i].words);
    free(path);
}

Test(shards, shards_that_do_not_open_are_named)
{
    char *path = fixture_path("shards/test.index.json");
    char *shard = fixture_path("shards/absent");
    char *index = fixture_path("shards/model.safetensors.index.json");

    refuse_index(path, MAP("\"absent\""), TOMEVIT_EIO, shard, "cannot open");
    refuse_index("test.index.json", MAP("\"absent-shard\""), TOMEVIT_EIO,
                 "absent-shard", "cannot open");
    refuse_index(path, MAP("\"model.safetensors.index.json\""),
                 TOMEVIT_EFORMAT, index, "expected tensors, found an index");
    free(path);
    free(shard);
    free(index);
}

/* One file under many names, which holds a tensor for each of them. */
static void make_names(const char *folder, size_t names)
{
    model_file file = {0};
    char name[64], first[64];
    unsigned char *bytes;
    size_t count, i;
    FILE *out;

    for (i = 0; i < names; i++) {
        snprintf(name, sizeof(name), "%zu", i);
        model_file_add(&file, name, "U8", 0, NULL, 1);
    }
    bytes = model_file_bytes(&file, &count);
    snprintf(first, sizeof(first), "%s/0", folder);
    out = fopen(first, "wb");
    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
    for (i = 1; i < names; i++) {
        snprintf(name, sizeof(name), "%s/%zu", folder, i);
        cr_assert_eq(link(first, name), 0);
    }
    free(bytes);
    model_file_free(&file);
}

Test(shards, an_index_names_a_limited_number_of_files)
{
    enum { NAMES = 1025 };
    char folder[] = "shards-XXXXXX", name[64], *text = malloc(1 << 17);
    size_t used, i;

    cr_assert_not_null(mkdtemp(folder));
    make_names(folder, NAMES);
    used = (size_t)sprintf(text, "{\"weight_map\":{\"0\":\"0\"");
    for (i = 1; i < NAMES; i++)
        used += (size_t)sprintf(text + used, ",\"%zu\":\"%zu\"", i, i);
    strcpy(text + used, "}}");
    snprintf(name, sizeof(name), "%s/index.json", folder);
    refuse_index(name, text, TOMEVIT_EFORMAT, name, "at most 1024 files");
    for (i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%s/%zu", folder, i);
        unlink(name);
    }
    rmdir(folder);
    free(text);
}

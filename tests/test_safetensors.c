/* SPDX-License-Identifier: MIT */
/* Damaged .safetensors files: each is refused with one clear line. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draws.h"
#include "../vit/checkpoint/checkpoint.h"
#include "../vit/containers/safetensors.h"
#include "model_file.h"
#include "refused.h"

/* Parses as a file and, where that works, as a model. */
static int parse(const unsigned char *bytes, size_t count,
                 tomevit_message *why)
{
    vit_checkpoint *checkpoint = (vit_checkpoint *)&checkpoint;
    tomevit_description d;
    int code = tomevit_checkpoint_parse("some/file", bytes, count, &checkpoint,
                                        &d, why);

    cr_assert_eq(code == 0, checkpoint != NULL);
    tomevit_checkpoint_close(checkpoint);
    return code;
}

static void refuse(const unsigned char *bytes, size_t count,
                   const char *words)
{
    tomevit_message why = {""};
    int code = parse(bytes, count, &why);

    refused(code, TOMEVIT_EFORMAT, &why, "some/file", words);
    cr_assert_eq(parse(bytes, count, NULL), TOMEVIT_EFORMAT);
}

/* ---- headers ------------------------------------------------------------- */

#define T(shape, offsets) "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape \
                          ",\"data_offsets\":" offsets "}}"
#define PAIR(a, b) "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" \
                   a "},\"b\":{\"dtype\":\"U8\",\"shape\":[4]," \
                   "\"data_offsets\":" b "}}"

/* Header, bytes of data, and the words that the line must have. */
static const struct {
    const char *header;
    size_t data;
    const char *words;
} bad_headers[] = {
    /* not a header */
    {"hello", 0, "bad header near byte 13"},
    {"{", 0, "bad header near byte 9"},
    {"{\"a\":", 0, "bad header near byte 13"},
    {"{} {}", 0, "bad header|end of file expected"},
    {"{}\001", 0, "bad header"},
    {"{\"a\xff\":1}", 0, "bad header|decode byte 0xff"},
    {"{\"a\\u0000\":1}", 0, "bad header|\\u0000"},
    {"[]", 0, "expected a JSON object"},
    {"\"a\"", 0, "expected a JSON object"},
    {"7", 0, "expected a JSON object"},
    {"{\"a\":[[[1]]]}", 0, "near byte 15: nests deeper than 3 levels"},
    {"{\"a\":{\"b\":{\"c\":{}}}}", 0,
     "near byte 23: nests deeper than 3 levels"},
    /* duplicates */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
     0, "duplicate"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}",
     0, "duplicate"},
    /* metadata */
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__|\"k\"|not a string"},
    /* entries and dtypes */
    {"{\"a\":7}", 0, "tensor \"a\"|not an object"},
    {"{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
     "tensor \"a\"|expected a dtype, found none"},
    {"{\"a\":{\"dtype\":3,\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
     "tensor \"a\"|expected a dtype, found no string"},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
     "tensor \"a\"|dtype \"f32\" is not known"},
    {"{\"a\":{\"dtype\":\"x\\ny\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
     "dtype \"x?y\" is not known"},
    /* shapes */
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0,
     "tensor \"a\"|expected a shape, found none"},
    {T("4", "[0,16]"), 16, "expected a shape, found no array"},
    {T("[-1]", "[0,4]"), 4, "dimension 0|whole number"},
    {T("[2,1.0]", "[0,8]"), 8, "dimension 1|whole number"},
    {T("[\"1\"]", "[0,4]"), 4, "dimension 0|whole number"},
    {T("[1e0]", "[0,4]"), 4, "dimension 0|whole number"},
    {T("[9223372036854775808]", "[0,4]"), 4, "bad header|too big"},
    {T("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "at most 8 dimensions, found 9"},
#if SIZE_MAX > UINT32_MAX
    {T("[4294967296,4294967296]", "[0,0]"), 0, "overflows at dimension 1"},
    {T("[9223372036854775807,3]", "[0,4]"), 4, "overflows at dimension 1"},
    /* 2^62 elements of 4 bytes are 2^64 bytes: 0 if the product wrapped */
    {T("[4611686018427387904]", "[0,0]"), 0, "[0, 0]|0 bytes|F32 of shape"},
    {T("[576460752303423488]", "[0,0]"), 0, "[0, 0]|0 bytes|F32 of shape"},
#else
    {T("[4294967296,1]", "[0,0]"), 0, "dimension 0|from 0 to 4294967295"},
    {T("[1]", "[0,4294967300]"), 4, "two whole numbers from 0 to 4294967295"},
    {T("[65536,65536]", "[0,0]"), 0, "overflows at dimension 1"},
    {T("[1073741824]", "[0,0]"), 0, "[0, 0]|0 bytes|F32 of shape"},
#endif
    /* offsets */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "two whole numbers"},
    {T("[1]", "[0]"), 4, "two whole numbers"},
    {T("[1]", "[0,4,4]"), 4, "two whole numbers"},
    {T("[1]", "[0,4.0]"), 4, "two whole numbers"},
    {T("[1]", "[-4,0]"), 4, "two whole numbers"},
    {T("[1]", "[0,-4]"), 4, "two whole numbers"},
    {T("[1]", "[\"0\",\"4\"]"), 4, "two whole numbers"},
    {T("[1]", "{\"begin\":0}"), 4, "two whole numbers"},
    {T("[1]", "[4,0]"), 4, "[4, 0]|not a range|4 bytes of data"},
    {T("[1]", "[4,8]"), 4, "[4, 8]|not a range|4 bytes of data"},
#if SIZE_MAX > UINT32_MAX
    {T("[1]", "[0,9223372036854775807]"), 4, "not a range"},
    {T("[1]", "[9223372036854775803,9223372036854775807]"), 4, "not a range"},
#else
    {T("[1]", "[4294967291,4294967295]"), 4, "not a range"},
#endif
    {T("[1]", "[0,8]"), 8, "8 bytes|F32 of shape [1]"},
    {T("[2]", "[0,4]"), 4, "4 bytes|F32 of shape [2]"},
    {T("[0]", "[0,4]"), 4, "4 bytes|F32 of shape [0]"},
    {T("[]", "[0,0]"), 0, "0 bytes|F32 of shape []"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
     "1 bytes|F4 of shape [3]"},
    /* the tensors together */
    {PAIR("[0,4]", "[0,4]"), 4, "\"a\" and \"b\" overlap|[0, 4]"},
    {PAIR("[0,4]", "[3,7]"), 7, "\"a\" and \"b\" overlap|[0, 4] and [3, 7]"},
    {PAIR("[0,4]", "[5,9]"), 9, "\"b\"|begin at 4|found 5"},
    {PAIR("[1,5]", "[5,9]"), 9, "\"a\"|begin at 0|found 1"},
    {PAIR("[0,4]", "[4,8]"), 9, "end after 8 bytes|has 9"},
    {"{}", 1, "end after 0 bytes|has 1"},
};

Test(safetensors, metadata_may_be_null)
{
    const char *header = "{\"__metadata__\":null,\"a\":{\"dtype\":\"F32\","
                         "\"shape\":[1],\"data_offsets\":[0,4]}}";
    size_t count;
    unsigned char *bytes = model_file_raw(header, strlen(header), 4, &count);
    vit_tensors *tensors;

    cr_assert_eq(tomevit_tensors_parse("some/file", bytes, count, &tensors,
                                       NULL), 0);
    cr_assert_eq(tensors->count, 1);
    cr_assert_null(tomevit_tensors_metadata(tensors, "format"));
    tomevit_tensors_close(tensors);
    free(bytes);
}

Test(safetensors, bad_headers_are_refused)
{
    size_t i, count;

    for (i = 0; i < sizeof(bad_headers) / sizeof(*bad_headers); i++) {
        const char *header = bad_headers[i].header;
        unsigned char *bytes = model_file_raw(header, strlen(header),
                                              bad_headers[i].data, &count);

        refuse(bytes, count, bad_headers[i].words);
        free(bytes);
    }
}

/* ---- header length ------------------------------------------------------- */

static void refuse_length(uint64_t length, size_t count, const char *words)
{
    unsigned char *bytes = calloc(count + 1, 1);
    size_t i;

    memset(bytes, ' ', count);
    for (i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    refuse(bytes, count, words);
    free(bytes);
}

Test(safetensors, bad_header_lengths_are_refused)
{
    refuse_length(0, 8, "header length is 0");
    refuse_length(0, 100, "header length is 0");
    refuse_length(1, 8, "header length 1 exceeds the 0 bytes");
    refuse_length(93, 100, "header length 93 exceeds the 92 bytes");
    refuse_length(92, 100, "bad header");
    refuse_length((uint64_t)1 << 63, 100,
                  "header length 9223372036854775808 exceeds the 92 bytes");
    refuse_length(UINT64_MAX, 100,
                  "header length 18446744073709551615 exceeds the 92 bytes");
    refuse_length(UINT64_MAX - 7, 100, "exceeds the 92 bytes");
    refuse_length(VIT_ST_HEADER_BYTES + 1, VIT_ST_HEADER_BYTES + 100,
                  "exceeds the limit of 104857600 bytes");
}

Test(safetensors, files_too_short_for_a_length_are_refused)
{
    unsigned char bytes[8] = {2};
    char words[64];
    size_t i;

    for (i = 0; i < 8; i++) {
        unsigned char *exact = malloc(i + 1);

        memcpy(exact, bytes, i);
        snprintf(words, sizeof(words), "found a file of %zu bytes", i);
        refuse(exact, i, words);
        free(exact);
    }
}

/* ---- bulk ---------------------------------------------------------------- */

static void refuse_repeated(const char *begin, const char *item, size_t times,
                            const char *words)
{
    size_t length = strlen(item), at = strlen(begin), count, i;
    char *header = malloc(at + times * length);
    unsigned char *bytes;

    memcpy(header, begin, at);
    for (i = 0; i < times; i++, at += length)
        memcpy(header + at, item, length);
    bytes = model_file_raw(header, at, 0, &count);
    refuse(bytes, count, words);
    free(bytes);
    free(header);
}

Test(safetensors, deep_or_bulky_headers_are_refused)
{
    refuse_repeated("{\"a\":", "[", 100000,
                    "near byte 15: nests deeper than 3 levels");
    refuse_repeated("", "{\"a\":", 100000,
                    "near byte 23: nests deeper than 3 levels");
    refuse_repeated("{\"a\":[0", ",0", 2000000,
                    "near byte 2097163: more than 1048576 values");
    refuse_repeated("{\"a\":[{}", ",{}", 1000,
                    "too many objects and arrays for 3008 bytes");
    /* brackets in strings are no nesting, and an escape hides a quote */
    refuse_repeated("{\"a\\\"[[[[[", "[", 100000, "bad header");
}

/* ---- cuts and damage ----------------------------------------------------- */

Test(safetensors, every_cut_is_refused)
{
    tomevit_description d;
    model_file file;
    unsigned char *bytes;
    size_t count, cut;

    model_file_tiny(&d);
    d.depth = 1;
    model_file_random(&file, &d);
    bytes = model_file_bytes(&file, &count);
    cr_assert_eq(parse(bytes, count, NULL), 0);
    for (cut = 0; cut < count; cut++) {
        unsigned char *exact = malloc(cut + 1);

        memcpy(exact, bytes, cut);
        refuse(exact, cut, "");
        free(exact);
    }
    free(bytes);
    model_file_free(&file);
}

Test(safetensors, damaged_bytes_open_or_are_refused_in_one_line)
{
    tomevit_description d;
    model_file file;
    unsigned char *bytes;
    size_t count, header, i, opened = 0, turned_down = 0;
    uint32_t random = 1;

    model_file_tiny(&d);
    d.depth = 1;
    model_file_random(&file, &d);
    bytes = model_file_bytes(&file, &count);
    header = 8 + bytes[0] + (size_t)bytes[1] * 256;
    for (i = 0; i < 20000; i++) {
        tomevit_message why = {""};
        unsigned char old;
        size_t at;
        int code;

        at = (draw_32(&random) >> 8) % header;
        old = bytes[at];
        bytes[at] = (unsigned char)(draw_32(&random) >> 24);
        code = parse(bytes, count, &why);
        if (code)
            refused(code, code == TOMEVIT_EMODEL ? code : TOMEVIT_EFORMAT,
                    &why, "some/file", "");
        opened += code == 0;
        turned_down += code != 0;
        bytes[at] = old;
    }
    cr_assert_gt(opened, 0);
    cr_assert_gt(turned_down, 1000);
    free(bytes);
    model_file_free(&file);
}

/* ---- good files ---------------------------------------------------------- */

Test(safetensors, odd_but_valid_files_open)
{
    static const char header[] =
        "{\"\xc3\xa9\\n\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":"
        "[0,3]},\"scalar\":{\"data_offsets\":[3,7],\"shape\":[],\"dtype\":"
        "\"F32\",\"more\":1},\"none\":{\"dtype\":\"I64\",\"shape\":[0,5],"
        "\"data_offsets\":[3,3]},\"last\":{\"dtype\":\"C64\",\"shape\":[7,0],"
        "\"data_offsets\":[7,7]},\"__metadata__\":{\"k\":\"v\"}}    ";
    size_t count;
    unsigned char *bytes = model_file_raw(header, strlen(header), 7, &count);
    static const unsigned char one[] = {0, 0, 0x80, 0x3f};
    const vit_stored *t;
    vit_tensors *file;
    tomevit_message why = {""};
    float value;

    memcpy(bytes + count - 4, one, 4);
    cr_assert_eq(tomevit_tensors_parse("f", bytes, count, &file, &why), 0,
                 "%s", why.text);
    cr_assert_eq(file->count, 4);
    cr_assert_not_null(tomevit_tensors_find(file, "\xc3\xa9\n"));
    cr_assert_null(tomevit_tensors_find(file, "__metadata__"));
    cr_assert_null(tomevit_tensors_find(file, ""));
    t = tomevit_tensors_find(file, "none");
    cr_assert_eq(t->elements, 0);
    t = tomevit_tensors_find(file, "last");
    cr_assert_null(t->dtype->to_f32);
    t = tomevit_tensors_find(file, "scalar");
    cr_assert_eq(t->dims, 0);
    cr_assert_eq(t->elements, 1);
    cr_assert_neq((count - 4) % 4, 0, "meant to be unaligned");
    cr_assert_eq(tomevit_tensors_read(file, t, &value, &why), 0);
    cr_assert_eq(value, 1);
    cr_assert_str_eq(tomevit_tensors_metadata(file, "k"), "v");
    cr_assert_null(tomevit_tensors_metadata(file, "other"));
    tomevit_tensors_close(file);
    free(bytes);
}

/* ---- files on disk ------------------------------------------------------- */

static void refuse_path(const char *path, int expected, const char *words)
{
    vit_checkpoint *checkpoint = (vit_checkpoint *)&checkpoint;
    tomevit_description d;
    tomevit_message why = {""};
    int code = tomevit_checkpoint_open(path, NULL, &checkpoint, &d, &why);

    cr_assert_null(checkpoint);
    refused(code, expected, &why, NULL, words);
}

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *out = fopen(path, "wb");

    cr_assert_not_null(out);
    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(out);
}

Test(safetensors, what_is_no_file_is_refused, .timeout = 20)
{
    char folder[] = "safetensors-XXXXXX", path[64], long_path[3000];

    cr_assert_not_null(mkdtemp(folder));
    refuse_path(folder, TOMEVIT_EIO, "found a directory");
    snprintf(path, sizeof(path), "%s/absent", folder);
    refuse_path(path, TOMEVIT_EIO, "absent: cannot open: No such file");
    snprintf(path, sizeof(path), "%s/a\nb\x1b[31m\xff", folder);
    refuse_path(path, TOMEVIT_EIO, "/a?b?[31m?: cannot open: No such file");
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = 0;
    refuse_path(long_path, TOMEVIT_EIO, "...xxx|xxx: cannot open: File name");
    refuse_path("/dev/null", TOMEVIT_EIO, "expected a regular file");

    snprintf(path, sizeof(path), "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    refuse_path(path, TOMEVIT_EIO, "expected a regular file");
    unlink(path);

    snprintf(path, sizeof(path), "%s/file", folder);
    write_file(path, "", 0);
    refuse_path(path, TOMEVIT_EFORMAT, "found an empty file");
    write_file(path, "1234567", 7);
    refuse_path(path, TOMEVIT_EFORMAT, "found a file of 7 bytes");
    write_file(path, "\2\0\0\0\0\0\0\0{}", 10);
    refuse_path(path, TOMEVIT_EMODEL,
                "\"patch_embed.proj.weight\" is missing|no tensors");
    if (geteuid() != 0) {
        cr_assert_eq(chmod(path, 0), 0);
        refuse_path(path, TOMEVIT_EIO, "cannot open: Permission denied");
    }
    unlink(path);
    rmdir(folder);
}

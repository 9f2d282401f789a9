/* SPDX-License-Identifier: MIT */
/* .gguf files: tensors and metadata are read; what is malformed is refused
 * with one clear line. The fixtures were written by
 * tests/fixtures/make-gguf.py. */
#include "config.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"

/* ---- good files ---------------------------------------------------------- */

static void check_metadata(const vit_tensors *t, const char *key,
                           const char *expected)
{
    const char *found = tomevit_tensors_metadata(t, key);

    cr_assert_not_null(found, "no %s", key);
    cr_assert_str_eq(found, expected);
}

static void check_file(const char *fixture)
{
    vit_tensors *t = fixture_open(fixture, "GGUF");

    check_names(t, "bf16 f16 f32 f64 i32 q4_0 q8_0");
    check_ramp(t, "f32", "F32", "[2, 3]");
    check_ramp(t, "f16", "F16", "[3, 2]");
    check_ramp(t, "f64", "F64", "[4]");
    /* Eight bits of mantissa: halves below 64 are exact, others near. */
    check_ramp_near(t, "bf16", "BF16", "[3, 64]", 0.25);
    /* The largest value is 94.5: a step is 94.5 / 127, half of it at most. */
    check_ramp_near(t, "q8_0", "Q8_0", "[3, 64]", 0.38);
    cr_assert_null(tomevit_tensors_find(t, "q4_0")->dtype->to_f32);
    cr_assert_str_eq(tomevit_tensors_find(t, "q4_0")->dtype->name, "Q4_0");
    check_metadata(t, "general.name", "a small test");
    check_metadata(t, "clip.vision.block_count", "2");
    check_metadata(t, "negative", "-3");
    check_metadata(t, "clip.vision.attention.layer_norm_epsilon",
                   "9.99999997e-7");
    check_metadata(t, "double", "0.25");
    check_metadata(t, "big", "1099511627776");
    check_metadata(t, "clip.use_gelu", "true");
    check_metadata(t, "clip.vision.image_mean", "[0.5,0.25,0.125]");
    check_metadata(t, "names", "[\"cat\",\"dog\"]");
    tomevit_tensors_close(t);
}

Test(gguf, tensors_and_metadata_are_read)
{
    check_file("gguf/v3.gguf");
    check_file("gguf/v2.gguf");
    check_file("gguf/aligned.gguf");
}

/* A block is a scale and 32 signed bytes: exactly their products. */
Test(gguf, q8_0_is_scale_times_byte)
{
    vit_tensors *t = fixture_open("gguf/v3.gguf", "GGUF");
    const vit_stored *q = tomevit_tensors_find(t, "q8_0");
    const unsigned char *block = t->mapping.bytes + q->begin + 34;
    float values[192];

    cr_assert_eq(tomevit_tensors_read(t, q, values, NULL), 0);
    cr_assert_eq(q->end - q->begin, 192 / 32 * 34);
    /* The second block's scale is 30.5 / 127 in f16. */
    cr_assert_eq(block[0] | block[1] << 8, 0x33af);
    cr_assert_eq(values[32], 0.2401123046875f * (float)(signed char)block[2]);
    cr_assert_eq(values[63], 0.2401123046875f * (float)(signed char)block[33]);
    cr_assert_eq(block[33], 127);
    tomevit_tensors_close(t);
}

/* ---- malformed files ----------------------------------------------------- */

#define START(tensors, entries) "GGUF\3\0\0\0" tensors "\0\0\0\0\0\0\0" \
                                entries "\0\0\0\0\0\0\0"
#define KEY "\1\0\0\0\0\0\0\0k"
#define U64(low) low "\0\0\0\0\0\0\0"
#define U32(low) low "\0\0\0"
#define MOST "\xff\xff\xff\xff\xff\xff\xff\xff"
#define TENSOR(dims, sides, type, offset) START("\1", "\0") \
    U64("\1") "t" dims sides type offset
#define FILL "........................................................" \
             "................................................"

typedef struct bad_file {
    const char *bytes;
    size_t count;
    const char *words;
} bad_file;

#define F(bytes, words) {bytes, sizeof(bytes) - 1, words}

static const bad_file bad_files[] = {
    F("GGUF", "cut short at byte 4"),
    F("GGUF\1\0\0\0", "found version 1"),
    F("GGUF\4\0\0\0", "found a later version"),
    F("GGUF\0\0\0\3", "found a big-endian file"),
    F("GGUF\3\0\0\0" MOST "\0\0\0\0\0\0\0\0", "at most 1048576 tensors"),
    F("GGUF\3\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0",
      "1048576 tensors do not fit the 0 bytes left"),
    F("GGUF\3\0\0\0\0\0\0\0\0\0\0\0" MOST, "cut short at byte 24"),
    /* metadata */
    F(START("\0", "\1") MOST "k", "cut short at byte 32"),
    F(START("\0", "\1") KEY U32("\x0d"), "metadata \"k\": type 13 is not"),
    F(START("\0", "\1") KEY U32("\x08") MOST, "cut short at byte 45"),
    F(START("\0", "\1") KEY U32("\x06") "\0\0", "cut short at byte 37"),
    F(START("\0", "\1") KEY U32("\x09") U32("\x09") U64("\1"),
      "expected an array of numbers or strings, found one of type 9"),
    F(START("\0", "\1") KEY U32("\x09") U32("\x0e") U64("\1"), "of type 14"),
    F(START("\0", "\1") KEY U32("\x09") U32("\x00") MOST, "cut short"),
    F(START("\0", "\1") KEY U32("\x09") U32("\x08") U64("\1") MOST,
      "cut short"),
    F(START("\0", "\1") U64("\x11") "general.alignment" U32("\4") U32("\3"),
      "general.alignment\": expected a power of 2"),
    F(START("\0", "\1") U64("\x11") "general.alignment" U32("\4") U32("\0"),
      "general.alignment\": expected a power of 2"),
    F(START("\0", "\1") U64("\x11") "general.alignment" U32("\4")
      "\0\0\x20\0", "general.alignment\": expected a power of 2"),
    F(START("\0", "\1") U64("\x11") "general.alignment" U32("\x08") U64("\1")
      "8", "general.alignment\": expected a power of 2"),
    /* tensors */
    F(START("\1", "\0") MOST FILL, "cut short at byte 32"),
    F(START("\1", "\0") U64("\1") "\0" FILL, "expected a tensor's name"),
    F(TENSOR(U32("\x09"), FILL, "", ""), "\"t\": expected at most 8 dim"),
    F(TENSOR(U32("\2"), MOST MOST, U32("\0"), U64("\0")), "\"t\": its shape's"),
    F(TENSOR(U32("\1"), U64("\4"), U32("\4"), U64("\0") FILL),
      "\"t\": ggml type 4 is not known"),
    F(TENSOR(U32("\1"), U64("\4"), "\xff\xff\xff\xff", U64("\0") FILL),
      "\"t\": ggml type 4294967295 is not known"),
    F(TENSOR(U32("\1"), U64("\4"), U32("\x08"), U64("\0") FILL),
      "\"t\": Q8_0 needs rows of a multiple of 32, found shape [4]"),
    F(TENSOR(U32("\0"), "", U32("\x08"), U64("\0") FILL),
      "\"t\": Q8_0 needs rows of a multiple of 32, found shape []"),
    F(TENSOR(U32("\1"), U64("\4"), U32("\0"), MOST FILL), "overflows"),
    F(TENSOR(U32("\1"), "\0\0\0\0\0\0\0\x40", U32("\0"), U64("\0") FILL),
      "overflows"),
    F(TENSOR(U32("\1"), U64("\x7f"), U32("\0"), U64("\0") FILL),
      "\"t\": its bytes 0 to 508 do not lie in the file's"),
    F(START("\2", "\0") U64("\1") "t" U32("\1") U64("\1") U32("\0") U64("\0")
      U64("\1") "t" U32("\1") U64("\1") U32("\0") U64("\x04") FILL,
      "tensor \"t\" is there twice"),
    F(START("\2", "\0") U64("\1") "t" U32("\1") U64("\2") U32("\0") U64("\0")
      U64("\1") "u" U32("\1") U64("\1") U32("\0") U64("\x04") FILL,
      "tensors \"t\" and \"u\" overlap"),
};

Test(gguf, malformed_files_are_refused)
{
    size_t i;

    for (i = 0; i < sizeof(bad_files) / sizeof(*bad_files); i++)
        refuse_bytes((const unsigned char *)bad_files[i].bytes,
                     bad_files[i].count, bad_files[i].words);
}

Test(gguf, strange_metadata_do_no_harm)
{
    /* a key and a text that are not UTF-8, and an infinity */
    static const char bytes[] = START("\0", "\3") U64("\1") "\xff" U32("\4")
        U32("\3") KEY U32("\x08") U64("\1") "\xff" U64("\1") "f" U32("\x06")
        "\0\0\x80\x7f";
    vit_tensors *t;

    cr_assert_eq(tomevit_tensors_parse("f", bytes, sizeof(bytes) - 1, &t, NULL),
                 0);
    cr_assert_eq(json_object_size(t->metadata), 1);
    check_metadata(t, "f", "null");
    tomevit_tensors_close(t);
}

Test(gguf, cut_files_are_refused)
{
    /* Behind the last tensor the file is padded. */
    refuse_cuts("gguf/v3.gguf", 5, 1568 - 1548);
}

Test(gguf, damaged_files_open_or_are_refused_in_one_line)
{
    survive_damage("gguf/v3.gguf", 10000, 500);
}

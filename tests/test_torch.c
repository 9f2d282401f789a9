/* SPDX-License-Identifier: MIT */
/* Files of PyTorch: every tensor is found and read; what is neither a tensor
 * nor harmless, and what is damaged, is refused with one clear line. The
 * fixtures were written by tests/fixtures/make-torch.py. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"

/* ---- good files ---------------------------------------------------------- */

static void check_tensors(const char *fixture, const char *container)
{
    vit_tensors *t = fixture_open(fixture, container);
    float part[20];
    int i;

    check_names(t, "b.part b.whole bf16 bool empty f16 f32 f64 i64 parameter "
                "permuted scalar transposed u8");
    check_ramp(t, "f32", "F32", "[2, 3]");
    check_ramp(t, "f16", "F16", "[3, 2]");
    check_ramp(t, "bf16", "BF16", "[5]");
    check_ramp(t, "f64", "F64", "[4]");
    check_ramp(t, "scalar", "F32", "[]");
    check_ramp(t, "empty", "F32", "[0, 3]");
    check_ramp(t, "parameter", "F32", "[3]");
    check_ramp(t, "b.part", "F32", "[3, 4]");
    check_ramp(t, "transposed", "F32", "[3, 4]");
    check_ramp(t, "permuted", "F32", "[2, 3, 4]");
    cr_assert_str_eq(tomevit_tensors_find(t, "i64")->dtype->name, "I64");
    cr_assert_str_eq(tomevit_tensors_find(t, "u8")->dtype->name, "U8");
    cr_assert_str_eq(tomevit_tensors_find(t, "bool")->dtype->name, "BOOL");
    cr_assert_null(tomevit_tensors_find(t, "u8")->dtype->to_f32);
    tomevit_tensors_read(t, tomevit_tensors_find(t, "b.whole"), part, NULL);
    for (i = 0; i < 20; i++)
        cr_assert_eq(part[i], i < 5 || i > 16 ? 0 : (float)(i - 5) / 2 - 1);
    tomevit_tensors_close(t);
}

Test(torch, archives_of_torch_save_are_read)
{
    check_tensors("torch/zip.pth", "PyTorch zip");
    check_tensors("torch/protocol-5.pth", "PyTorch zip");
}

Test(torch, streams_of_old_torch_save_are_read)
{
    check_tensors("torch/stream.pth", "PyTorch stream");
}

static void check_run(const char *fixture, const char *container)
{
    vit_tensors *t = fixture_open(fixture, container);

    check_names(t, "optimizer.state.0.momentum_buffer "
                "optimizer.state.1.momentum_buffer patch_embed.proj.bias "
                "patch_embed.proj.weight rng");
    check_ramp(t, "patch_embed.proj.weight", "F32", "[2, 3]");
    check_ramp(t, "patch_embed.proj.bias", "F32", "[2]");
    cr_assert_str_eq(t->prefix, "model.module.");
    tomevit_tensors_close(t);
}

Test(torch, what_a_training_run_saves_besides_is_skipped)
{
    check_run("torch/run.pth", "PyTorch zip");
    check_run("torch/run-stream.pth", "PyTorch stream");
}

Test(torch, modules_of_torchscript_are_read)
{
    vit_tensors *t = fixture_open("torch/script.pt", "PyTorch zip");

    check_names(t, "scale visual.table visual.weight");
    check_ramp(t, "scale", "F32", "[]");
    check_ramp(t, "visual.table", "F16", "[3]");
    check_ramp(t, "visual.weight", "F32", "[2, 2]");
    tomevit_tensors_close(t);
}

Test(torch, what_stands_besides_is_never_in_the_way)
{
    vit_tensors *t = fixture_open("torch/besides.pth", "PyTorch zip");
    float bias[5] = {0};

    check_names(t, "float8 patch_embed.proj.bias patch_embed.proj.weight "
                "uint16");
    check_ramp(t, "patch_embed.proj.weight", "F32", "[2, 3]");
    cr_assert_str_eq(tomevit_tensors_find(t, "float8")->dtype->name,
                     "F8_E4M3");
    cr_assert_str_eq(tomevit_tensors_find(t, "uint16")->dtype->name, "U16");
    cr_assert_eq(tomevit_tensors_find(t, "uint16")->elements, 2);
    tomevit_tensors_read(t, tomevit_tensors_find(t, "patch_embed.proj.bias"),
                         bias, NULL);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(bias[i], 1);
    tomevit_tensors_close(t);
}

Test(torch, archives_without_sums_are_read)
{
    vit_tensors *t = fixture_open("torch/no-sums.pth", "PyTorch zip");

    check_ramp(t, "f32", "F32", "[2, 3]");
    tomevit_tensors_close(t);
}

Test(torch, damaged_storages_are_refused_when_they_are_read)
{
    notice_damage("torch/zip.pth", 1);
}

/* ---- refused whole ------------------------------------------------------- */

static void refuse_fixture(const char *name, const char *words)
{
    size_t count;
    unsigned char *bytes = fixture_bytes(name, &count);

    refuse_bytes(bytes, count, words);
    free(bytes);
}

Test(torch, pickled_classes_are_refused_by_name)
{
    refuse_fixture("torch/module.pth", "data.pkl: byte 2|"
                   "\"torch.nn.modules.linear.Linear\"|state_dict()");
}

Test(torch, compressed_storages_are_refused)
{
    refuse_fixture("torch/deflated.pth", "\"zip/data/0\" is compressed");
}

Test(torch, big_endian_files_are_refused)
{
    refuse_changed("torch/stream.pth", "little_endian\x71\x02\x88",
                   "little_endian\x71\x02\x89", 16, "little-endian");
}

/* ---- pickles ------------------------------------------------------------- */

#define MAGIC "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define PROTOCOL "\x80\2M\xe9\3."
#define MACHINE "\x80\2}X\x0d\0\0\0little_endian\x88s."
#define STREAM MAGIC PROTOCOL MACHINE
#define KEYS "\x80\2](X\1\0\0\0" "0e."
#define DATA "\4\0\0\0\0\0\0\0" "aaaabbbbccccdddd"

/* A tensor named "t" with one storage, "0", of four elements. */
#define ID(type, key, count) "(X\7\0\0\0storagectorch\n" type "\n" \
    "X\1\0\0\0" key "X\3\0\0\0cpu" count "tQ"
#define REBUILD(id, offset, shape, strides) "}X\1\0\0\0t" \
    "ctorch._utils\n_rebuild_tensor_v2\n(" id offset shape strides "\x89)tRs."
#define STORAGE ID("FloatStorage", "0", "K\4")
#define MINUS "\x8a\1\xff"
#if SIZE_MAX > UINT32_MAX
#define HUGE "\x8a\x08\0\0\0\0\0\0\0\x40"
#else
#define HUGE "\x8a\x08\0\0\0\x40\0\0\0\0"
#endif

typedef struct bad_pickle {
    const char *bytes;
    size_t count;
    const char *words;
} bad_pickle;

#define P(bytes, words) {bytes, sizeof(bytes) - 1, words}

/* Pickles of the values, behind the start of a stream; keys and data follow. */
static const bad_pickle bad_pickles[] = {
    /* names */
    P("cos\nsystem\nX\2\0\0\0ls\x85R.", "byte 0: it uses \"os.system\""),
    P("X\2\0\0\0osX\6\0\0\0system\x93.", "byte 18: it uses \"os.system\""),
    P("cbuiltins\neval\n.", "\"builtins.eval\""),
    P("c__builtin__\ngetattr\n.", "\"__builtin__.getattr\""),
    P("ctorch\nload\n.", "\"torch.load\""),
    P("ctorch.hub\nload\n.", "\"torch.hub.load\""),
    P("cnumpyx\nf\n.", "\"numpyx.f\""),
    P("ca\1\nb\xff\n.", "\"a?.b?\""),
    P("c" "torch", "cut short"),
    P("K\1K\2\x93.", "expected two texts"),
    /* the stack */
    P(".", "expected one value at the end"),
    P("K\1K\2.", "expected one value at the end"),
    P("(.", "expected one value at the end"),
    P("t.", "byte 0: expected a mark"),
    P("K\1t.", "byte 2: expected a mark"),
    P("0.", "expected a mark"),
    P("K\1\x86.", "expected more values"),
    P("(\x85.", "expected more values"),
    P("(K\1d.", "a key that has no value"),
    P("](K\1u.", "neither list nor dict"),
    P("}K\1a.", "neither list nor dict"),
    P("(K\1e.", "expected something to add to"),
    P("(e.", "expected something to add to"),
    P("}(K\1u.", "a key that has no value"),
    P("R.", "expected a name and its arguments"),
    P("ccollections\nOrderedDict\nK\1R.", "a name and its arguments"),
    P("ccollections\nOrderedDict\n](K\1e\x85R.", "pairs of keys and values"),
    P("b.", "expected an object and its state"),
    P("2.", "expected a value to copy"),
    P("\x92.", "expected arguments"),
    /* the memo */
    P("h\1.", "recalls a value that was not remembered"),
    P("q\1.", "expected a value to remember"),
    P("Nr\xff\xff\xff\xff.", "too many values to remember"),
    P("Nj\xff\xff\xff\xff.", "recalls a value"),
    /* lengths */
    P("X\xff\xff\xff\xff" "a", "cut short"),
    P("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "cut short"),
    P("\x8b\xff\xff\xff\x7f", "cut short"),
    P("\x95\1", "cut short"),
    /* opcodes and ids */
    P("I5\n.", "opcode 0x49"),
    P("P0\n.", "opcode 0x50"),
    P("\x97.", "opcode 0x97"),
    P("\xff.", "opcode 0xff"),
    P("K\1Q.", "expected the id of a storage"),
    P(")Q.", "expected the id of a storage"),
    P("(X\6\0\0\0moduletQ.", "expected the id of a storage"),
    /* tensors */
    P("}X\1\0\0\0tctorch._utils\n_rebuild_tensor_v2\n)Rs.",
      "tensor \"t\": expected a storage, an offset"),
    P(REBUILD("N", "K\0", "K\4\x85", "K\1\x85"), "tensor \"t\": expected a"),
    P(REBUILD(STORAGE, "N", "K\4\x85", "K\1\x85"), "expected a storage, an"),
    P(REBUILD(STORAGE, MINUS, "K\4\x85", "K\1\x85"), "expected a storage, an"),
    P(REBUILD(STORAGE, "K\0", "N", "K\1\x85"), "expected a storage, an offset"),
    P(REBUILD(STORAGE, "K\0", "K\4\x85", ")"), "as many strides"),
    P(REBUILD(STORAGE, "K\0", "N\x85", "K\1\x85"), "as many strides"),
    P(REBUILD(STORAGE, "K\0", MINUS "\x85", "K\1\x85"), "as many strides"),
    P(REBUILD(STORAGE, "K\0", "K\4\x85", MINUS "\x85"), "as many strides"),
    P(REBUILD(STORAGE, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", ")"),
      "at most 8 dimensions, found 9"),
    P(REBUILD(STORAGE, "K\0", HUGE HUGE "\x86", "K\1K\1\x86"), "overflows"),
    P(REBUILD(STORAGE, "K\1", "K\4\x85", "K\1\x85"),
      "shape [4] from element 1 on does not lie inside its storage of 4"),
    P(REBUILD(STORAGE, "K\0", "K\5\x85", "K\1\x85"), "does not lie inside"),
    P(REBUILD(STORAGE, "K\0", "K\2\x85", "K\4\x85"), "does not lie inside"),
    P(REBUILD(STORAGE, HUGE, "K\2\x85", "K\4\x85"), "does not lie inside"),
    P(REBUILD(STORAGE, "K\0", "K\3\x85", HUGE "\x85"), "does not lie inside"),
    P(REBUILD(STORAGE, "K\0", "M\xff\xff\x85", "K\0\x85"),
      "too many tensors share their storage"),
    P(REBUILD(ID("FloatStorage", "0", "K\5"), "K\0", "K\4\x85", "K\1\x85"),
      "expected a storage of 5 F32, found 16 bytes"),
    P(REBUILD(ID("FloatStorage", "0", "N"), "K\0", "K\4\x85", "K\1\x85"),
      "a storage of a known type"),
    P(REBUILD("(X\7\0\0\0storageK\1X\1\0\0\0" "0X\3\0\0\0cpuK\4tQ", "K\0",
              "K\4\x85", "K\1\x85"), "the key of storage 0"),
};

static unsigned char *stream(const char *values, size_t length,
                             const char *rest, size_t more, size_t *count)
{
    size_t start = sizeof(STREAM) - 1;
    unsigned char *bytes = malloc(start + length + more);

    memcpy(bytes, STREAM, start);
    memcpy(bytes + start, values, length);
    memcpy(bytes + start + length, rest, more);
    *count = start + length + more;
    return bytes;
}

Test(torch, bad_pickles_are_refused)
{
    size_t i, count;

    for (i = 0; i < sizeof(bad_pickles) / sizeof(*bad_pickles); i++) {
        const bad_pickle *bad = &bad_pickles[i];
        /* Where it is cut short, nothing follows; no storage, no key. */
        int cut = strstr(bad->words, "cut") != NULL;
        int keys = memmem(bad->bytes, bad->count, "storage", 7) != NULL;
        unsigned char *bytes = stream(bad->bytes, bad->count,
                                      keys ? KEYS DATA : "].",
                                      cut ? 0 :
                                       keys ? sizeof(KEYS DATA) - 1 : 2,
                                      &count);

        refuse_bytes(bytes, count, bad->words);
        free(bytes);
    }
}

Test(torch, the_start_and_the_storages_of_a_stream_are_checked)
{
#define GOOD REBUILD(STORAGE, "K\0", "K\4\x85", "K\1\x85")
    static const bad_pickle files[] = {
        P(MAGIC "\x80\2M\xe8\3." MACHINE, "protocol 1001"),
        P(MAGIC "\x80\2X\1\0\0\0a." MACHINE, "protocol 1001"),
        P(MAGIC PROTOCOL "\x80\2}.", "little-endian"),
        P(MAGIC PROTOCOL "\x80\2N.", "little-endian"),
        P(MAGIC, "protocol: byte 0: the pickle is cut short"),
        P(STREAM GOOD, "storage keys: byte 0: the pickle is cut short"),
        P(STREAM GOOD "N.", "a list of storage keys"),
        P(STREAM GOOD "](K\1e." DATA, "the key of storage 0"),
        P(STREAM GOOD "](X\1\0\0\0" "1e." DATA, "the key of storage 0"),
        P(STREAM GOOD "](X\1\0\0\0" "0X\1\0\0\0" "0e." DATA DATA,
          "the key of storage 1"),
        P(STREAM GOOD "].", "expected the storage \"0\" in the file"),
        P(STREAM GOOD KEYS, "cut short in storage 0 of 1"),
        P(STREAM GOOD KEYS "\4\0\0\0\0\0\0\0" "aaaabbbbccccddd",
          "expected 4 elements of 4 bytes, found 15 bytes"),
        P(STREAM GOOD KEYS "\4\0\0\0\0\0\0\x40" "aaaabbbbccccdddd",
          "expected 4611686018427387908 elements"),
    };
    size_t i, count;
    unsigned char *bytes = stream(GOOD, sizeof(GOOD) - 1, KEYS DATA,
                                  sizeof(KEYS DATA) - 1, &count);
    vit_tensors *tensors;

    for (i = 0; i < sizeof(files) / sizeof(*files); i++)
        refuse_bytes((const unsigned char *)files[i].bytes, files[i].count,
                     files[i].words);
    cr_assert_eq(tomevit_tensors_parse("f", bytes, count, &tensors, NULL), 0);
    check_names(tensors, "t");
    tomevit_tensors_close(tensors);
    free(bytes);
}

/* ---- bulk ---------------------------------------------------------------- */

/* `begin`, then `item` again and again, then `end`. */
static void refuse_repeated(const char *begin, size_t begin_length,
                            const char *item, size_t item_length, size_t times,
                            const char *end, size_t end_length,
                            const char *words)
{
    size_t length = begin_length + times * item_length + end_length, count, i;
    char *pickle = malloc(length), *at = pickle;
    unsigned char *bytes;

    memcpy(at, begin, begin_length);
    at += begin_length;
    for (i = 0; i < times; i++, at += item_length)
        memcpy(at, item, item_length);
    memcpy(at, end, end_length);
    bytes = stream(pickle, length, "", 0, &count);
    refuse_bytes(bytes, count, words);
    free(bytes);
    free(pickle);
}

#define REPEATED(begin, item, times, end, words) \
    refuse_repeated(begin, sizeof(begin) - 1, item, sizeof(item) - 1, times, \
                    end, sizeof(end) - 1, words)

Test(torch, pickles_of_boundless_cost_are_refused)
{
    /* steps; copies of a list */
    REPEATED("", "N0", 3000000, "N." "].", "more values than any checkpoint");
    REPEATED("}q\0(NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNu0", "}h\0b0", 200000,
             "N." "].", "more values than any checkpoint");
    /* lists in lists: deep, in itself, and twice each over and over */
    REPEATED("N", "\x85", 40, "." "].", "nest too deep");
    REPEATED("]q\0h\0a", "", 0, "." "].", "nest too deep");
    REPEATED("]", "q\0" "0h\0h\0\x86", 24, "." "].",
             "more values than any checkpoint");
}

Test(torch, many_tensors_of_one_storage_are_refused)
{
    REPEATED("](ctorch._utils\n_rebuild_tensor_v2\n("
             ID("FloatStorage", "0", "K\x10") "K\0K\x10\x85K\1\x85\x89)tRq\0",
             "h\0", 2000,
             "e." KEYS "\x10\0\0\0\0\0\0\0"
             "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh",
             "too many tensors share their storage");
}

/* ---- damage -------------------------------------------------------------- */

Test(torch, cut_files_are_refused)
{
    refuse_cuts("torch/zip.pth", 7, 0);
    refuse_cuts("torch/stream.pth", 3, 0);
}

Test(torch, damaged_files_open_or_are_refused_in_one_line)
{
    survive_damage("torch/zip.pth", 20000, 1000);
    survive_damage("torch/stream.pth", 20000, 1000);
    survive_damage("torch/run-stream.pth", 20000, 1000);
}

Test(torch, damaged_archives_say_what_is_wrong)
{
    refuse_changed("torch/zip.pth", "FloatStorage", "FloatStorbge", 12,
                   "\"zip/data.pkl\": expected CRC-32|damaged");
    refuse_changed("torch/zip.pth", "PK\1\2", "PK\1\3", 4,
                   "expected an entry of the directory at byte");
    refuse_changed("torch/zip.pth", "PK\5\6", "PK\5\7", 4,
                   "no directory at its end");
    refuse_changed("torch/zip.pth", "zip/data/3", "zip/data/x", 10,
                   "expected the storage \"data/3\" in the archive");
}

/* SPDX-License-Identifier: MIT */
/* .npz files: stored and deflated arrays are read; bad headers, archives and
 * damage are refused with one clear line. The fixtures were written by
 * tests/fixtures/make-npz.py. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "containers.h"

/* ---- good files ---------------------------------------------------------- */

static void check_arrays(const char *fixture)
{
    vit_tensors *t = fixture_open(fixture, "npz");

    check_names(t, "bool empty fortran i64 params/bf16 params/f16 params/f32 "
                "params/f64 scalar");
    check_ramp(t, "params/f32", "F32", "[2, 3]");
    check_ramp(t, "params/f16", "F16", "[3, 2]");
    check_ramp(t, "params/f64", "F64", "[4]");
    check_ramp(t, "params/bf16", "BF16", "[5]");
    check_ramp(t, "fortran", "F32", "[2, 3, 4]");
    check_ramp(t, "scalar", "F32", "[]");
    check_ramp(t, "empty", "F32", "[0, 3]");
    cr_assert_str_eq(tomevit_tensors_find(t, "i64")->dtype->name, "I64");
    tomevit_tensors_close(t);
}

Test(npz, stored_arrays_are_read)
{
    check_arrays("npz/stored.npz");
}

Test(npz, deflated_arrays_are_read)
{
    check_arrays("npz/deflated.npz");
}

Test(npz, all_versions_of_headers_and_zip64_are_read)
{
    vit_tensors *t = fixture_open("npz/versions.npz", "npz");

    check_names(t, "v1 v2 v3");
    check_ramp(t, "v1", "F32", "[2, 3]");
    check_ramp(t, "v2", "F32", "[2, 3]");
    check_ramp(t, "v3", "F32", "[2, 3]");
    tomevit_tensors_close(t);
}

Test(npz, big_endian_arrays_are_refused)
{
    size_t count;
    unsigned char *bytes = fixture_bytes("npz/big-endian.npz", &count);

    refuse_bytes(bytes, count, "array \"x\": expected little-endian");
    free(bytes);
}

/* ---- archives made here -------------------------------------------------- */

typedef struct archive {
    unsigned char bytes[4096];
    size_t count;
} archive;

static void put(archive *a, size_t width, uint64_t number)
{
    size_t i;

    for (i = 0; i < width; i++)
        a->bytes[a->count++] = (unsigned char)(number >> 8 * i);
}

static void put_bytes(archive *a, const void *bytes, size_t count)
{
    memcpy(a->bytes + a->count, bytes, count);
    a->count += count;
}

/* What a test makes wrong; 0 is right. */
typedef struct fault {
    int data_more;
    uint32_t flags, method, size_more, local_more;
    uint32_t directory_more, entries_more, zip64_less;
    int twice, zip64, comment;
} fault;

/* The record of an entry; the sizes in a zip64 field if wanted. */
static void put_record(archive *a, const char *name, const char *data,
                       size_t length, const fault *f)
{
    uint32_t sum = (uint32_t)crc32(0, (const Bytef *)data, (uInt)length);
    uint32_t size = (uint32_t)((int)length + f->data_more);

    put(a, 4, 0x02014b50);
    put(a, 2, 20);
    put(a, 2, 20);
    put(a, 2, f->flags);
    put(a, 2, f->method);
    put(a, 4, 0);
    put(a, 4, sum);
    put(a, 4, f->zip64 ? 0xffffffff : size);
    put(a, 4, f->zip64 ? 0xffffffff : size + f->size_more);
    put(a, 2, strlen(name));
    put(a, 2, f->zip64 ? 24 : 0);
    put(a, 2, 0);
    put(a, 8, 0);
    put(a, 4, f->local_more);
    put_bytes(a, name, strlen(name));
    if (f->zip64) {
        put(a, 4, 0);                       /* another field before */
        put(a, 2, 1);
        put(a, 2, 16 - f->zip64_less);
        put(a, 8, size);
        put(a, 8, size);
    }
}

/* An archive with one entry (or the same one twice). */
static void make(archive *a, const char *name, const char *data,
                 size_t length, const fault *f)
{
    size_t directory, records = f->twice ? 2 : 1;

    a->count = 0;
    put(a, 4, 0x04034b50);
    put(a, 2, 20);
    put(a, 8, 0);
    put(a, 8, 0);
    put(a, 4, 0);
    put(a, 2, strlen(name));
    put(a, 2, 0);
    put_bytes(a, name, strlen(name));
    put_bytes(a, data, length);
    directory = a->count;
    put_record(a, name, data, length, f);
    if (f->twice)
        put_record(a, f->twice > 1 ? "b.npy" : name, data, length, f);
    length = a->count - directory;
    put(a, 4, 0x06054b50);
    put(a, 4, 0);
    put(a, 2, records + f->entries_more);
    put(a, 2, records + f->entries_more);
    put(a, 4, length);
    put(a, 4, directory + f->directory_more);
    put(a, 2, f->comment ? 7 : 0);
    if (f->comment)
        put_bytes(a, "comment", 7);
}

#define NPY(header) "\x93NUMPY\1\0" header
#define GOOD_HEADER "{'descr':'<f4','fortran_order':False,'shape':(2,),} \n"
#define GOOD NPY("\x35\0" GOOD_HEADER) "\0\0\x80\xbf\0\0\0\xbf"

static void check_made(const fault *f)
{
    archive a;
    vit_tensors *t;
    tomevit_message why = {""};

    make(&a, "a.npy", GOOD, sizeof(GOOD) - 1, f);
    cr_assert_eq(tomevit_tensors_parse("f", a.bytes, a.count, &t, &why), 0,
                 "%s", why.text);
    check_names(t, "a");
    check_ramp(t, "a", "F32", "[2]");
    tomevit_tensors_close(t);
}

Test(npz, archives_of_other_programs_are_read)
{
    check_made(&(fault){0});
    check_made(&(fault){.comment = 1});
    check_made(&(fault){.zip64 = 1});
}

static void refuse_made(const char *name, const fault *f, const char *words)
{
    archive a;

    make(&a, name, GOOD, sizeof(GOOD) - 1, f);
    refuse_bytes(a.bytes, a.count, words);
}

Test(npz, bad_archives_are_refused)
{
    refuse_made("a.txt", &(fault){0}, "expected data.pkl (PyTorch) or .npy");
    refuse_made(".npy", &(fault){0}, "a zip archive of 1 entries");
    refuse_made("a.npy", &(fault){.flags = 1}, "\"a.npy\" is encrypted");
    refuse_made("a.npy", &(fault){.method = 12}, "compression method 12");
    refuse_made("a.npy", &(fault){.method = 8}, "compressed data do not give");
    refuse_made("a.npy", &(fault){.method = 8, .size_more = 80000},
                "71 bytes cannot hold the 80071");
    refuse_made("a.npy", &(fault){.size_more = 1},
                "\"a.npy\": 71 bytes cannot hold the 72");
    refuse_made("a.npy", &(fault){.local_more = 1},
                "\"a.npy\": expected its header at byte 1, found none");
    refuse_made("a.npy", &(fault){.local_more = 0xfffffff0},
                "expected its header at byte 4294967280");
    refuse_made("a.npy", &(fault){.data_more = 1},
                "its 72 bytes at byte 35 do not lie before the directory");
    refuse_made("a.npy", &(fault){.data_more = -1}, "array \"a\": its 7 bytes");
    refuse_made("a.npy", &(fault){.directory_more = 1},
                "does not lie before its end record");
    refuse_made("a.npy", &(fault){.directory_more = (uint32_t)-1},
                "expected an entry of the directory at byte");
    refuse_made("a.npy", &(fault){.entries_more = 9},
                "a directory of 51 bytes cannot hold 10 entries");
    refuse_made("a.npy", &(fault){.twice = 1}, "overlap");
    refuse_made("a.npy", &(fault){.twice = 2},
                "\"a.npy\" and \"b.npy\" overlap");
    refuse_made("a.npy", &(fault){.zip64 = 1, .zip64_less = 8},
                "extra fields are cut short");
}

Test(npz, wrong_sums_of_what_is_inflated_are_found)
{
    size_t count, i = 0;
    unsigned char *bytes = fixture_bytes("npz/deflated.npz", &count);

    while (memcmp(bytes + i, "PK\1\2", 4))
        i++;
    bytes[i + 16] ^= 1;
    refuse_bytes(bytes, count, ".npy\": expected CRC-32");
    free(bytes);
}

/* ---- headers ------------------------------------------------------------- */

/* Headers without their length and with 8 bytes of data behind. */
static const char *const bad_headers[] = {
    "",
    "{}",
    "[1]",
    "{'descr':'<f4','fortran_order':False}",
    "{'descr':'<f4','shape':(2,)}",
    "{'fortran_order':False,'shape':(2,)}",
    "{'descr':'<f4','fortran_order':False,'shape':(2,)",
    "{'descr':'<f4','fortran_order':False,'shape':(2,)}}",
    "{'descr':'<f4','fortran_order':False,'shape':(2,),'shape':(2,)}",
    "{'descr':'<f4','fortran_order':False,'shape':(2,),'x':1}",
    "{'descr':'<f4','fortran_order':0,'shape':(2,)}",
    "{'descr':'<f4','fortran_order':False,'shape':2}",
    "{'descr':'<f4','fortran_order':False,'shape':[2]}",
    "{'descr':'<f4','fortran_order':False,'shape':(-2,)}",
    "{'descr':'<f4','fortran_order':False,'shape':(2 2)}",
    "{'descr':'<f4','fortran_order':False,'shape':(2,}",
    "{'descr':'<f4','fortran_order':False,'shape':(1,1,1,1,1,1,1,1,1)}",
    "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}",
    ("{'descr':'<f4','fortran_order':False,"
     "'shape':(4294967296,4294967296,4294967296)}"),
    "{'descr':<f4,'fortran_order':False,'shape':(2,)}",
    "{'descr':'<f4,'fortran_order':False,'shape':(2,)}",
    "{'descr':[('a','<f4'),'fortran_order':False,'shape':(2,)}",
    "{descr:'<f4','fortran_order':False,'shape':(2,)}",
};

static size_t make_npy(unsigned char *npy, const char *header, unsigned version,
                       size_t length)
{
    memcpy(npy, "\x93NUMPY", 6);
    npy[6] = (unsigned char)version;
    npy[7] = 0;
    npy[8] = (unsigned char)length;
    npy[9] = (unsigned char)(length >> 8);
    memcpy(npy + 10, header, strlen(header));
    memset(npy + 10 + strlen(header), 0, 8);
    return 18 + strlen(header);
}

static void refuse_header(const char *header, unsigned version, size_t length,
                          const char *words)
{
    char npy[1024];
    archive a;
    size_t count = make_npy((unsigned char *)npy, header, version, length);

    make(&a, "a.npy", npy, count, &(fault){0});
    refuse_bytes(a.bytes, a.count, words);
}

Test(npz, bad_headers_are_refused)
{
    const char *good = "{'descr':'<f4','fortran_order':False,'shape':(2,)}";
    char many[100];
    size_t i;

    for (i = 0; i < sizeof(bad_headers) / sizeof(*bad_headers); i++)
        refuse_header(
            bad_headers[i], 1, strlen(bad_headers[i]),
            "array \"a\": expected {'descr', 'fortran_order', 'shape'");
    refuse_header(good, 0, strlen(good), "of version 1 to 3, found none");
    refuse_header(good, 4, strlen(good), "of version 1 to 3, found none");
    refuse_header(good, 1, 65535, "header of 65535 bytes is cut short");
    refuse_header(good, 1, strlen(good) + 1, "expected {'descr'");
    refuse_header("{'descr':'<f4','fortran_order':False,'shape':(3,)}", 1, 50,
                  "array \"a\": its 8 bytes are not F32 of shape [3]");
    refuse_header("{'descr':'<f4','fortran_order':False,'shape':(1,)}", 1, 50,
                  "array \"a\": its 8 bytes are not F32 of shape [1]");
    /* Whose bytes, counted by a size_t, are 8 again. */
    snprintf(many, sizeof(many),
             "{'descr':'<f4','fortran_order':False,'shape':(%zu,)}",
             SIZE_MAX / 4 + 3);
    refuse_header(many, 1, strlen(many), "its 8 bytes are");
}

/* ---- damage -------------------------------------------------------------- */

Test(npz, cut_files_are_refused)
{
    refuse_cuts("npz/stored.npz", 7, 0);
    refuse_cuts("npz/deflated.npz", 7, 0);
}

Test(npz, damaged_arrays_are_refused_when_they_are_read)
{
    notice_damage("npz/stored.npz", 1);
    notice_damage("npz/deflated.npz", 1);
}

Test(npz, damaged_files_are_refused_in_one_line)
{
    survive_damage("npz/stored.npz", 5000, 500);
    survive_damage("npz/deflated.npz", 5000, 500);
    survive_damage("npz/versions.npz", 5000, 500);
}

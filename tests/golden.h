/* SPDX-License-Identifier: MIT */
/*
 * Golden data: tensors that the reference implementation computed, in
 * .safetensors files that an index.json describes. Whatever is wrong with a
 * file fails the running test with one line that names it.
 *
 *     const char *folder = golden_folder();
 *     json_t *index = golden_index(folder);
 *     golden_file *file = golden_open(folder, "merge_012.safetensors");
 *     const float *metric = golden_f32(file, "metric", 2 * 17 * 16);
 *     golden_close(file);
 *     json_decref(index);
 */
#ifndef TOMERGE_TESTS_GOLDEN_H
#define TOMERGE_TESTS_GOLDEN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* ---- folders ------------------------------------------------------------- */

/* The whole golden data at $TOMERGE_SHARED/golden where it is present, else
 * the part that lies in tests/golden. Never NULL. */
const char *golden_folder(void);

/* The part in tests/golden, always present. */
const char *golden_small_folder(void);

/* $TOMERGE_SHARED/golden-real and $TOMERGE_SHARED/data, or NULL if absent:
 * then the test says so with cr_skip_test(). */
const char *golden_real_folder(void);
const char *golden_data_folder(void);

/* $TOMERGE_SHARED/golden-methods likewise: what the code published with other
 * methods gives. */
const char *golden_methods_folder(void);

/* folder/name, to be freed by the caller. */
char *golden_path(const char *folder, const char *name);

/* The folder's index.json, to be released with json_decref. */
json_t *golden_index(const char *folder);

/* A member of an index entry; the test fails if it is absent or of another
 * type. golden_size takes whole numbers from 0. */
size_t golden_size(const json_t *entry, const char *key);
const char *golden_string(const json_t *entry, const char *key);

/* ---- files --------------------------------------------------------------- */

enum golden_dtype { GOLDEN_F32, GOLDEN_I32, GOLDEN_I64, GOLDEN_U8 };

typedef struct golden_tensor {
    char *name;
    enum golden_dtype dtype;
    size_t dims, shape[8];
    size_t count;          /* elements */
    void *data;            /* aligned for its type; lives as long as the file */
} golden_tensor;

typedef struct golden_file golden_file;

golden_file *golden_open(const char *folder, const char *name);
void golden_close(golden_file *file);

/* golden_find: NULL if there is none of that name; golden_get: fails then. */
const golden_tensor *golden_find(const golden_file *file, const char *name);
const golden_tensor *golden_get(const golden_file *file, const char *name);

/* The data of a tensor that must have this type and number of elements. */
const float *golden_f32(const golden_file *file, const char *name,
                        size_t count);
const int32_t *golden_i32(const golden_file *file, const char *name,
                          size_t count);
const int64_t *golden_i64(const golden_file *file, const char *name,
                          size_t count);
const uint8_t *golden_u8(const golden_file *file, const char *name,
                         size_t count);

/* ---- cases of other methods ---------------------------------------------- */

/* One sequence of a case of golden_methods_folder(). */
typedef struct golden_sequence {
    const golden_file *file;
    const json_t *entry;   /* the case */
    size_t b, batch;       /* which of how many sequences */
    size_t tokens, channels, rows;
} golden_sequence;

/* Calls `check` for each sequence of each case of a method, or of one `op` of
 * it unless that is NULL. There must be `least` cases; without the folder the
 * test is skipped. */
void golden_each(const char *method, const char *op, size_t least,
                 void (*check)(const golden_sequence *c));

/* A tensor of the case; the `count` elements that are this sequence's of one
 * that holds as many for each. */
const golden_tensor *golden_of(const golden_sequence *c, const char *name);
const float *golden_part(const golden_sequence *c, const char *name,
                         size_t count);
const int32_t *golden_part_i32(const golden_sequence *c, const char *name,
                               size_t count);

#endif

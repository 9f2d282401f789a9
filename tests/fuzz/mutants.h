/* SPDX-License-Identifier: MIT */
/* Changes of inputs that get past what would refuse them at once. */
#ifndef FUZZ_MUTANTS_H
#define FUZZ_MUTANTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct fuzz_input {
    uint8_t *bytes;        /* of a block of `space` */
    size_t size, space;
} fuzz_input;

/* Changes it in a few places by the numbers that follow *seed, perhaps with
 * bytes of `other`; it grows no further than its space. Half of the changes
 * are of bytes, the others of what the bytes mean, where that is known. */
void fuzz_mutate(fuzz_input *input, const fuzz_input *other, uint64_t *seed);

/* Sums and lengths of PNG, zip, tar and safetensors are made what they have to
 * be again; anything else is left alone. */
void fuzz_repair(fuzz_input *input);

/* Hands the target `count` inputs made of what is in a folder, says how long
 * the slowest took and how much memory the process had; 1 if one of them took
 * more than there is for it, which is then in mutant.NAME. So is one that
 * crashes. Input i is made by seed + i alone. */
int fuzz_run_mutants(const char *name, const char *folder, size_t count,
                     uint64_t seed);

/* All of a file, in a block of exactly its size; NULL if it cannot be read. */
uint8_t *fuzz_read_file(const char *path, size_t *size);

/* ---- what changes are made of -------------------------------------------- */

uint64_t fuzz_draw(uint64_t *seed);
/* A number under `limit`, 0 if that is 0. */
size_t fuzz_below(uint64_t *seed, size_t limit);

/* Puts `count` bytes in the place of `gone` at `at`, or nothing where there is
 * no room for them. They are none of the input's own. */
void fuzz_replace(fuzz_input *input, size_t at, size_t gone, const void *bytes,
                  size_t count);

uint64_t fuzz_little(const uint8_t *bytes, size_t count);
void fuzz_put_little(uint8_t *bytes, uint64_t value, size_t count);

/* The length of a deflated stream in `to`, and its sum; SIZE_MAX if there is
 * none or it is longer. */
size_t fuzz_inflate(const uint8_t *bytes, size_t size, uint8_t *to,
                    size_t most);

/* Each changes one thing, or nothing where the input is of no such kind: 0. */
int fuzz_mutate_json(fuzz_input *input, const fuzz_input *other,
                     uint64_t *seed);
int fuzz_mutate_pickle(fuzz_input *input, const fuzz_input *other,
                       uint64_t *seed);
int fuzz_mutate_messages(fuzz_input *input, uint64_t *seed);
int fuzz_mutate_tar(fuzz_input *input, const fuzz_input *other,
                    uint64_t *seed);
int fuzz_mutate_zip(fuzz_input *input, const fuzz_input *other,
                    uint64_t *seed);

#endif

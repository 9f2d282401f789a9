/* SPDX-License-Identifier: MIT */
/*
 * What the tests of all containers share: fixtures, tensors with known
 * elements, and files that are cut or damaged. The programs that wrote the
 * fixtures lie beside them; element i of a tensor is i / 2 - 1.
 */
#ifndef TOMERGE_TESTS_CONTAINERS_H
#define TOMERGE_TESTS_CONTAINERS_H

#include <stddef.h>

#include "../vit/containers/tensors.h"

/* tests/fixtures/NAME, to be freed by the caller. */
char *fixture_path(const char *name);

/* All of a fixture, malloc'ed to its exact length. */
unsigned char *fixture_bytes(const char *name, size_t *count);

/* Opens a fixture that must open as this container. */
vit_tensors *fixture_open(const char *name, const char *container);

/* A tensor that must be there with this dtype and shape, and a ramp's
 * elements; "shape" as tomevit_shape_text has it. */
void check_ramp(const vit_tensors *tensors, const char *name,
                const char *dtype, const char *shape);

/* The same elements within `tolerance`. */
void check_ramp_near(const vit_tensors *tensors, const char *name,
                     const char *dtype, const char *shape, double tolerance);

/* The names of all tensors, in order, separated by blanks. */
void check_names(const vit_tensors *tensors, const char *names);

/* The bytes are refused as a file with EFORMAT and these words. */
void refuse_bytes(const unsigned char *bytes, size_t count, const char *words);

/* The fixture with every `from` replaced by `to`, of the same length, is
 * refused with these words. */
void refuse_changed(const char *fixture, const char *from, const char *to,
                    size_t length, const char *words);

/* Every beginning of the fixture is refused, step by step of `step` bytes, up
 * to one without its last `spare` bytes. */
void refuse_cuts(const char *fixture, size_t step, size_t spare);

/* With `times` bytes changed in turn, all tensors can be read, or the file is
 * refused in one line; at least `least` times it is. */
void survive_damage(const char *fixture, size_t times, size_t least);

/* With one byte changed, every `step`th in turn, no tensor is read with other
 * elements than before: for containers with sums. */
void notice_damage(const char *fixture, size_t step);

#endif

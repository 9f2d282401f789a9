/* SPDX-License-Identifier: MIT */
/*
 * tomevit_methods.h - ways to need fewer tokens, by name: the library's
 * matching, combining, importance and counts for each layer put together as
 * their authors' code has it, or as this project has it where that is said. The
 * formulas, their sources and every option are in tomerge(1), METHODS.
 *
 * Errors and versions are those of tomevit.h.
 */
#ifndef TOMEVIT_METHODS_H
#define TOMEVIT_METHODS_H

#include "tomevit.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* A method; the struct may grow at its end. */
typedef struct tomevit_method {
    const char *name;      /* "tome", "evit", "upward", ... */
    int method;            /* enum tomerge_method, of most layers */
    const char *keys;      /* of its options, with blanks between */
    const char *knob;      /* the key that says how many tokens go; NULL: r is
                            * what does */
    const char *what;      /* whose it is and what it does, in a line */
} tomevit_method;

/* Method `index`, which lasts as long as the library; NULL past the last, and
 * below 0. Their order is no promise. */
const tomevit_method *tomevit_method_at(int index);

/* EINVAL: no such name. */
int tomevit_method_from_name(const char *name, int *index);

/*
 * Options are "key=value,key=value", or NULL for none; lists have ':' between
 * their numbers, one of which stands for all layers. A key file=PATH names a
 * JSON file of counts in DiffRate's format.
 *
 * 1 if the method or these options say how many tokens go, so that there is no
 * r to be given; else 0. EINVAL: no such method, or an option that is none of
 * its; EIO, EFORMAT, ENOMEM of a file; `why` says which.
 */
int tomevit_method_decides(int index, const char *options,
                           tomevit_message *why);

/*
 * Sets what the method is in `merging`, which has been initialised: matching's
 * method, combine, metric, prop_attn, importance, sizes, weights, where, and
 * what the options say. The rest of it, such as similarity, seed and stride,
 * stays.
 *
 * wanted  [depth]: r of the layers, of which the method makes its own; a method
 *         that decides by itself does so whatever they are. NULL: nothing goes
 * r       [depth], layers [depth]: the caller's memory, that `merging` points
 *         at from then on
 *
 * EINVAL: also options that do not fit the model, such as more values than it
 * has layers; methods that rank tokens by attention, in models whose attention
 * does not tell; and models of more than 256 layers. Other errors as of
 * tomevit_method_decides. Whether the head is left something to read says
 * tomevit_schedule_tokens.
 */
int tomevit_method_merging(const tomevit_description *description, int index,
                           const char *options, const size_t *wanted,
                           tomevit_merging *merging, size_t *r,
                           tomevit_layer_merging *layers, tomevit_message *why);

/*
 * Reads a file that says how tokens merge, and sets all of `merging` by it;
 * r and layers [depth] as above. The file is text: words KEY=VALUE with blanks,
 * commas or line ends between, and comments from # to the line's end. The keys:
 *
 *     method      its name, which must be there
 *     r           tokens that go in each layer, with ':' between, or one number
 *                 for all; for a method that leaves that open, and no other
 *     combine, metric, similarity, rope-merge, ema-merge
 *                 names, as their functions have them; unsaid: the method's
 *                 own, and what tomevit_merging_init sets
 *     seed, stride
 *                 whole numbers
 *     others      options of the method, but for file=PATH
 *
 * EIO; EFORMAT for what is no such file, a key that is there twice included;
 * EINVAL for what does not fit the model or leaves the head nothing to read;
 * ENOMEM; `why` says which.
 */
int tomevit_merging_read(const char *path,
                         const tomevit_description *description,
                         tomevit_merging *merging, size_t *r,
                         tomevit_layer_merging *layers, tomevit_message *why);

/* The same of the text that such a file would hold. */
int tomevit_merging_parse(const char *text,
                          const tomevit_description *description,
                          tomevit_merging *merging, size_t *r,
                          tomevit_layer_merging *layers, tomevit_message *why);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif

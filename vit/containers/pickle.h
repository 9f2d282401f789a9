/* SPDX-License-Identifier: MIT */
/*
 * Pickles, read without running anything. A pickle is a program for a stack
 * machine that builds values and calls functions by name. Here only the names
 * of one table have a meaning (pickle_names.c): those that tensors and the
 * dicts around them are rebuilt with. Whatever others name or call becomes an
 * opaque value. Nothing is ever imported or called.
 * [Python 3, Lib/pickletools.py: opcodes of protocols 2 to 5]
 *
 * Memory goes with the number of values, which is limited; nothing recurses.
 */
#ifndef TOMEVIT_PICKLE_H
#define TOMEVIT_PICKLE_H

#include "../base/message.h"
#include "pickle_value.h"

/* Reads one pickle from the start of `bytes`. `name` is what messages call
 * it. EFORMAT, ENOMEM; to be freed even then. */
int tomevit_pickle_read(vit_pickle *pickle, const char *name,
                        const unsigned char *bytes, size_t count,
                        const vit_report *report);
void tomevit_pickle_free(vit_pickle *pickle);

/* A name that is not known makes opaque values: *known is 0. Never NULL. */
const vit_global *tomevit_pickle_global(const char *module,
                                        size_t module_length,
                                        const char *name, size_t name_length,
                                        int *known);

/* The value of a text key of a dict, NULL if there is none. */
const vit_value *tomevit_pickle_get(const vit_value *dict, const char *key);

/* 1 if it is this text. */
int tomevit_pickle_is(const vit_value *value, const char *text);

#endif

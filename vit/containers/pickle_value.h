/* SPDX-License-Identifier: MIT */
/* The values that a pickle builds, and what its names mean. */
#ifndef TOMEVIT_PICKLE_VALUE_H
#define TOMEVIT_PICKLE_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "region.h"

enum {
    VIT_PICKLE_BYTES = 64 * 1024 * 1024,    /* longer pickles are refused */
    VIT_PICKLE_STEPS = 1 << 22              /* and those with more opcodes */
};

enum vit_value_kind {
    VIT_NONE, VIT_BOOL, VIT_INT, VIT_TEXT,
    VIT_TUPLE, VIT_LIST,
    VIT_DICT,                               /* items: key, value, key, ... */
    VIT_GLOBAL,
    VIT_STORAGE,                            /* items: of its persistent id */
    VIT_TENSOR,                             /* items: of its rebuilding */
    VIT_OPAQUE                              /* anything else */
};

/* What a name means. */
enum vit_global_kind {
    VIT_MAKES_TENSOR, VIT_MAKES_DICT, VIT_MAKES_OBJECT, VIT_MAKES_OPAQUE,
    VIT_IS_ARGUMENT,                        /* its first argument */
    VIT_IS_CALL,                            /* its first, with its third */
    VIT_IS_STORAGE,                         /* the type of a storage */
    VIT_IS_BYTES                            /* that of one without a type */
};

typedef struct vit_global {
    const char *module;                     /* "a.*": any below a */
    const char *name;                       /* "*": any, "_x*": that start so */
    int kind;                               /* enum vit_global_kind */
    const char *dtype;                      /* of a storage, or the one meant */
} vit_global;

typedef struct vit_value {
    int kind;                               /* enum vit_value_kind */
    union {
        int64_t number;                     /* BOOL, INT */
        struct {
            const char *start;              /* in the pickle, no NUL behind */
            size_t length;
        } text;
        struct {
            struct vit_value **items;
            size_t count, room;
        } list;                             /* all kinds with items */
        const vit_global *global;
    };
} vit_value;

/* A name that has no meaning here. */
typedef struct vit_unknown {
    const char *module, *name;              /* in the pickle; NULL: none */
    size_t module_length, name_length, at;
} vit_unknown;

/* The values of a pickle; all zero is empty. They live until it is freed, and
 * as long as the pickle's bytes. */
typedef struct vit_pickle {
    vit_region region;
    vit_value **lists;                      /* every one with items */
    size_t lists_count, lists_room;
    vit_value *root;
    vit_unknown unknown;                    /* the first */
    size_t used;                            /* bytes of the pickle */
} vit_pickle;

#endif

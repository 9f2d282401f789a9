/* SPDX-License-Identifier: MIT */
/* Options of a method: what is particular to one way of needing fewer
 * tokens. */
#ifndef TOMEVIT_METHOD_OPTIONS_H
#define TOMEVIT_METHOD_OPTIONS_H

#include "list.h"
#include "tomevit.h"

/* A threshold that is none: the most that there can be in a list. */
#define VIT_METHOD_UNBOUNDED 1e30

/* What MCTF's means are weighted by. */
enum vit_method_pool {
    VIT_POOL_OF_OWN,       /* not given */
    VIT_POOL_OF_IMPORTANCE, /* times size */
    VIT_POOL_OF_SIZE,
    VIT_POOL_OF_MEAN
};

/* The values, as they are or by default; NAN and count 0: not given. */
typedef struct vit_method_options {
    vit_method_list layers; /* numbers of those that reduce, from 0 */
    vit_method_list threshold, cutoff, prune, merge;
    vit_method_list tau;   /* of MCTF, 3 */
    double keep, margin;
    double fuse, tile, ahead, ways; /* whole numbers */
    int linkage;           /* enum tomerge_linkage */
    int pool;              /* enum vit_method_pool */
    double prop;           /* 0 or 1, in place of the method's */
} vit_method_options;

/* Reads "key=value,key=value" of the keys that `allowed` holds, separated by
 * spaces. text NULL gives none. EINVAL; EIO, EFORMAT of a file that they name;
 * ENOMEM. */
int tomevit_method_options_read(const char *text, const char *method,
                                const char *allowed,
                                vit_method_options *options,
                                tomevit_message *why);

#endif

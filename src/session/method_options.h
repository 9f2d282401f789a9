/* SPDX-License-Identifier: MIT */
/* --method-options: what is particular to one way of needing fewer tokens. */
#ifndef TOMERGE_METHOD_OPTIONS_H
#define TOMERGE_METHOD_OPTIONS_H

#include <stddef.h>

enum { METHOD_LAYERS = 256 };

/* A threshold that is none: the most that there can be in a list. */
#define METHOD_UNBOUNDED 1e30

/* What MCTF's means are weighted by. */
enum method_pool {
    METHOD_POOL_OWN,       /* not given */
    METHOD_POOL_IMPORTANCE, /* times size */
    METHOD_POOL_SIZE,
    METHOD_POOL_MEAN
};

/* Numbers for the layers; one stands for all of them. */
typedef struct method_list {
    size_t count;          /* 0: not given */
    double value[METHOD_LAYERS];
} method_list;

/* The values, as they are or by default; NAN and count 0: not given. */
typedef struct method_options {
    method_list layers;    /* numbers of those that reduce, from 0 */
    method_list threshold, cutoff, prune, merge;
    method_list tau;       /* of MCTF, 3 */
    double keep, margin;
    double fuse, tile, ahead, ways; /* whole numbers */
    int linkage;           /* enum tomerge_linkage */
    int pool;              /* enum method_pool */
    double prop;           /* 0 or 1, in place of the method's */
} method_options;

/* Reads "key=value,key=value" of the keys that `allowed` holds, separated by
 * spaces. 0, or -1 with a line in why[256]. text NULL gives none. */
int method_options_read(const char *text, const char *method,
                        const char *allowed, method_options *options,
                        char *why);

/* The file of counts that the options name, to be freed; NULL: none. */
char *method_options_file(const char *text);

enum { METHOD_TARGET = 64 };

/* The name of target `index` in the file of counts that the options name; 0, or
 * -1 past the last and for a file that cannot be read. */
int method_options_target(const char *text, size_t index,
                          char name[METHOD_TARGET]);

#endif

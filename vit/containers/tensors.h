/* SPDX-License-Identifier: MIT */
/*
 * The tensors of a checkpoint, whatever holds them: a list by name, the
 * file's metadata, and a way to read one tensor at a time as f32.
 *
 * A container's reader fills a vit_tensors and checks the file whole: what is
 * listed lies inside the file with the size that its shape says. A view over
 * another vit_tensors (other names, parts of tensors) is one more of these.
 */
#ifndef TOMEVIT_TENSORS_H
#define TOMEVIT_TENSORS_H

#include "dtype.h"
#include "mapping.h"
#include "region.h"
#include "../base/message.h"

enum { VIT_DIMS = 8 };                      /* more dimensions are refused */

struct json_t;

typedef struct vit_stored {
    const char *name;                       /* UTF-8, without NUL */
    const vit_dtype *dtype;
    size_t dims, shape[VIT_DIMS];
    size_t elements;
    size_t begin, end;                      /* its own reader's: where it is */
    const void *more;                       /* and how; or NULL */
} vit_stored;

typedef struct vit_tensors vit_tensors;

struct vit_tensors {
    const char *path;                       /* for messages */
    const char *container;                  /* "safetensors", ... */
    vit_stored *list;                       /* [count], by name */
    size_t count;
    struct json_t *metadata;                /* an object of strings, or NULL */
    char prefix[96];                        /* taken off the names, see below */

    /* Writes all elements of a listed tensor with a readable dtype, from any
     * number of threads at once. 0, or an error that `report` explains. */
    int (*read)(const vit_tensors *tensors, const vit_stored *tensor,
                float *out, const vit_report *report);
    /* NULL, or: `count` elements of a tensor from number `first` on; 1 if this
     * one's do not lie in their order. What had to be made of the file first
     * is in *made afterwards, which was NULL: for further calls with the same
     * tensor, and the caller's to free. */
    int (*read_range)(const vit_tensors *tensors, const vit_stored *tensor,
                      size_t first, size_t count, float *out, void **made,
                      const vit_report *report);
    /* NULL, or: a listed matrix as it is stored, if that is int8 with a scale
     * for each row. 1, or 0 if it is not, or `out` is NULL. As `read` from any
     * number of threads. */
    int (*read_int8)(const vit_tensors *tensors, const vit_stored *tensor,
                     signed char *out, float *scale);
    /* Frees what `self` holds; NULL if there is nothing to free. */
    void (*release)(vit_tensors *tensors);
    void *self;                             /* the reader's own */
    vit_region region;                          /* names that were made anew */
    vit_mapping mapping;                    /* the file; empty for a view */
};

/* EIO, EFORMAT or ENOMEM; *tensors is NULL then. */
int tomevit_tensors_open(const char *path, vit_tensors **tensors,
                         tomevit_message *why);

/* The same with names as they stand in the file, which must not be an index
 * of other files. */
int tomevit_tensors_open_shard(const char *path, vit_tensors **tensors,
                               tomevit_message *why);

/* As tomevit_tensors_open from memory, which stays the caller's and must
 * outlive *tensors; `path` is only a name for messages. */
int tomevit_tensors_parse(const char *path, const void *bytes, size_t count,
                          vit_tensors **tensors, tomevit_message *why);

/* An empty list with a copy of `path`, for a reader or a view to fill; to be
 * closed. NULL without memory. */
vit_tensors *tomevit_tensors_new(const char *path);

/* NULL is allowed. */
void tomevit_tensors_close(vit_tensors *tensors);

/* Puts the list in the order of names' bytes, as a reader has to leave it. */
void tomevit_tensors_sort(vit_tensors *tensors);

/* Takes off what stands before the names of the model's tensors: wrappers
 * ("model.", "state_dict.module.") and the model's place in a larger one
 * ("backbone.", "visual.trunk."). It is found by the patch embedding; of more
 * than one, averaged weights ("model_ema.") win, then a teacher's, then
 * others, a student's last. Of tensors outside, those beside the model or
 * beside one of its wrappers ("teacher.head." for "teacher.backbone.") lose
 * the part of the prefix they share, unless the name is taken then. What
 * wrappers of modules put inside a name goes first. EFORMAT if two tensors
 * would have one name. */
int tomevit_tensors_unwrap(vit_tensors *tensors, const vit_report *report);

/* NULL if there is none of that name. */
const vit_stored *tomevit_tensors_find(const vit_tensors *tensors,
                                       const char *name);
const char *tomevit_tensors_metadata(const vit_tensors *tensors,
                                     const char *key);

/* Adds a key to the metadata of a view, unless it is there, and notes where
 * the value is from; a source that begins with '?' is a default that nothing
 * in the file confirms. 0 or ENOMEM. */
int tomevit_tensors_say(vit_tensors *tensors, const char *key,
                        const char *value, const char *from);

/* Where the value of a key is from: "metadata" if it is the file's own. NULL
 * if there is no such key. */
const char *tomevit_tensors_from(const vit_tensors *tensors, const char *key);

/* Writes all elements as f32; the tensor's dtype must be readable. */
int tomevit_tensors_read(const vit_tensors *tensors, const vit_stored *tensor,
                         float *out, tomevit_message *why);

/* As the function of the same name above; 1 also where there is none. */
int tomevit_tensors_read_range(const vit_tensors *tensors,
                               const vit_stored *tensor, size_t first,
                               size_t count, float *out, void **made,
                               tomevit_message *why);

/* As the function of the same name above; 0 also where there is none, and for
 * bytes that are gone: reading them as f32 says so. */
int tomevit_tensors_read_int8(const vit_tensors *tensors,
                              const vit_stored *tensor, signed char *out,
                              float *scale);

#endif

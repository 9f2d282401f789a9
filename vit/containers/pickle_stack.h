/* SPDX-License-Identifier: MIT */
/*
 * The stack of the machine that reads a pickle, and what opcodes do to it.
 * Functions return 0, or the error they have reported.
 */
#ifndef TOMEVIT_PICKLE_STACK_H
#define TOMEVIT_PICKLE_STACK_H

#include "../base/message.h"
#include "pickle_value.h"

typedef struct vit_pk {
    vit_pickle *pickle;
    const char *name;
    const unsigned char *bytes;
    size_t count, at;
    size_t opcode;                          /* where the current one is */
    size_t steps;                           /* opcodes, and values appended */
    vit_value **stack;                      /* NULL is a mark */
    size_t depth, stack_room;
    vit_value **memo;
    size_t memo_count, memo_room;           /* memo_count: those in use */
    const vit_report *report;
} vit_pk;

int tomevit_pk_no_memory(const vit_pk *m);
int tomevit_pk_wrong(const vit_pk *m, const char *what);

/* One more step; too many are refused. */
int tomevit_pk_step(vit_pk *m, size_t steps);

/* NULL pushes a mark. */
int tomevit_pk_push(vit_pk *m, vit_value *value);
int tomevit_pk_push_new(vit_pk *m, vit_value value);
int tomevit_pk_push_kind(vit_pk *m, int kind);

/* The value on top, NULL if a mark or nothing is there. */
vit_value *tomevit_pk_top(const vit_pk *m);
vit_value *tomevit_pk_pop(vit_pk *m);

/* The number of values above the topmost mark; 0 if there is no mark. */
int tomevit_pk_above_mark(const vit_pk *m, size_t *count);

/* Copies `count` values to the end of a list. */
int tomevit_pk_append(vit_pk *m, vit_value *list, vit_value *const *from,
                      size_t count);

/* The values above a mark, or the top `count`, become one. */
int tomevit_pk_gather_marked(vit_pk *m, int kind);
int tomevit_pk_gather_top(vit_pk *m, int kind, size_t count);

/* They go to the end of the list or dict below them. */
int tomevit_pk_extend_marked(vit_pk *m, int kind);
int tomevit_pk_extend_top(vit_pk *m, int kind, size_t count);

/* Remembers the value on top; recalls one. */
int tomevit_pk_put(vit_pk *m, uint64_t index);
int tomevit_pk_get(vit_pk *m, uint64_t index);

#endif

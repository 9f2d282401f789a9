/* SPDX-License-Identifier: MIT */
/* --per-class and --confusion: how the classes fared, as CSV. */
#ifndef TOMERGE_CLASS_TABLES_H
#define TOMERGE_CLASS_TABLES_H

#include "dataset.h"

typedef struct class_tables {
    output per_class, confusion;
} class_tables;

/* Opens what the options ask for, before the work begins. 0, or -1 after a
 * message. */
int class_tables_open(class_tables *t, const options *o);

/* Writes them, if `o` is not NULL, and as far as they are worth it, for all
 * runs of the sessions and closes them; messages say what could not be written.
 * With several sessions the rows begin with the model's file. */
void class_tables_close(class_tables *t, const dataset *d, const session *s,
                        size_t count, const outcomes *o);

#endif

/* SPDX-License-Identifier: MIT */
/* What is known of a model beside its tensors' shapes, and from where. */
#ifndef TOMEVIT_FACTS_H
#define TOMEVIT_FACTS_H

#include "../containers/tensors.h"

enum { VIT_FACTS = 28 };

typedef struct vit_fact {
    const char *what;      /* "heads" */
    char value[128];       /* "12" */
    char from[64];         /* "config.json" */
    int guessed;           /* nothing says so: the usual was taken */
} vit_fact;

typedef struct vit_facts {
    vit_fact list[VIT_FACTS];
    size_t count;
} vit_facts;

/* From a view whose metadata are complete, and what was made of them; `resized`
 * are positions, and `asked` for is the image's size. */
void tomevit_facts_find(vit_facts *facts, const vit_tensors *view,
                        const tomevit_description *d, int resized, int asked);

/* EMODEL, naming them, if any are guessed. */
int tomevit_facts_strict(const vit_facts *facts, const vit_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* How a checkpoint's patches are told apart: see rope.c. */
#ifndef TOMEVIT_CHECKPOINT_ROPE_H
#define TOMEVIT_CHECKPOINT_ROPE_H

#include "../containers/tensors.h"
#include "tomevit.h"

/* The rule as metadata have it. */
void tomevit_positions_text(const tomevit_description *d, char text[96]);

/* The heads that its tensors tell, 0 if they do not; and what models with these
 * rules are called. */
size_t tomevit_rope_heads(const vit_tensors *file,
                          const tomevit_description *d);
const char *tomevit_rope_family(const tomevit_description *d);

/* Sets d->heads to those, if its tensors tell them; EMODEL if one should. */
int tomevit_check_rates(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report);

/* d->rope, from metadata or as usual; then what does not fit the tensors, once
 * d->heads is known. EFORMAT, EMODEL. */
int tomevit_metadata_rope(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report);
int tomevit_check_rope(const vit_tensors *file, const tomevit_description *d,
                       const vit_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* The model in a tokenizer.json: pieces, and their merges or scores. */
#ifndef TOMEVIT_TOKENIZER_MODEL_H
#define TOMEVIT_TOKENIZER_MODEL_H

#include "tokenizer.h"

/* Fills what the tokenizer has of it. `merges` is the list that was cut out of
 * the JSON; its text NULL: none was. EFORMAT, EMODEL for one that is not run,
 * ENOMEM. */
int tomevit_tokenizer_model(vit_tokenizer *t, const json_t *model,
                            vit_json_list *merges, const vit_report *report);

#endif

/* SPDX-License-Identifier: MIT */
/* The subcommands. Each says on stderr what goes wrong, which also sets the
 * exit status (see message.h). */
#ifndef TOMERGE_COMMANDS_H
#define TOMERGE_COMMANDS_H

#include "session/options.h"

#include <jansson.h>

void command_eval(const options *o);
void command_sweep(const options *o);
void command_classify(const options *o);
void command_bench(const options *o);
void command_inspect(const options *o);
/* inspect --cpu */
void inspect_cpu(const options *o);
/* What is known of the text tower in the model's file, the caller's: "missing"
 * says why it does not run. NULL: there is none. */
json_t *inspect_text(const options *o);
void command_visualize(const options *o);
void command_convert(const options *o);
void command_tune(const options *o);
void command_join(const options *o);
void command_embed(const options *o);
void command_knn(const options *o);
void command_density(const options *o);
void command_compress(const options *o);
void command_expand(const options *o);

#endif

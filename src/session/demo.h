/* SPDX-License-Identifier: MIT */
/* The demonstration's model: what runs when no other is named. */
#ifndef TOMERGE_DEMO_H
#define TOMERGE_DEMO_H

/* Where its checkpoint is, or NULL if it is nowhere to be found. The text
 * stays valid until the next call. */
const char *demo_model_path(void);

#endif

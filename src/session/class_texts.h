/* SPDX-License-Identifier: MIT */
/* Classes by their names: --classes, --template, --tokenizer. */
#ifndef TOMERGE_CLASS_TEXTS_H
#define TOMERGE_CLASS_TEXTS_H

#include "session.h"

/* Reads the names, has the model's text tower make embeddings of them, and puts
 * both into the session; nothing without --classes. 0, or -1 after a
 * message. */
int class_texts_open(session *s);
void class_texts_close(session *s);

/* The model's classes are those of the names. */
void class_texts_name_classes(session *s);

#endif

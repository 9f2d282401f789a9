/* SPDX-License-Identifier: MIT */
/* The images of a folder and the names in a list, brought together. */
#ifndef TOMERGE_NAMES_H
#define TOMERGE_NAMES_H

#include "folder.h"
#include "pairs.h"

/* For each file the line of the list that means it, NULL where none does; in
 * an array of f->count, to be freed. Names are compared as they are; or with
 * folders before them left out, on the one side or the other; or without the
 * ending of an image; whichever of these finds most. None is used under which
 * two files, or two lines with other classes, would be one. */
const pair **names_match(const pairs *list, const folder *f);

#endif

/* SPDX-License-Identifier: MIT */
/* How a model is to be opened. */
#ifndef TOMEVIT_OPTIONS_H
#define TOMEVIT_OPTIONS_H

#include "tomevit.h"

/* 1 if a model can be opened with these options; NULL means the defaults. */
int tomevit_open_options_valid(const tomevit_open_options *options);

#endif

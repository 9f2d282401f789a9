/* SPDX-License-Identifier: MIT */
/* What reports as pages share: one file, no script, nothing from outside. */
#ifndef TOMERGE_PAGE_H
#define TOMERGE_PAGE_H

#include <stdio.h>

/* Up to its title, text of which may follow. */
void page_begin(FILE *out);

/* After the title: the rules that pages and plots share. Rules of the page's
 * own follow, and then </style></head> and <body>. */
void page_style(FILE *out);

#endif

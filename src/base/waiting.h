/* SPDX-License-Identifier: MIT */
/* How threads wait for one another. */
#ifndef TOMERGE_WAITING_H
#define TOMERGE_WAITING_H

/*
 * Has threads that wait spin for a moment and then sleep, or sleep at once
 * where others have all CPUs, unless the environment says how they are to
 * wait. Called first in main() with its arguments; it may begin the program
 * anew, and else returns.
 */
void waiting_choose(char **argv);

/* Whether as many threads as there are CPUs want to run, besides this one.
 * `root` stands before the name of the file read, "" but in a test. */
int waiting_cpus_taken(const char *root, long cpus);

/* What the OpenMP runtime is told about it, as "NAME=VALUE"; NULL if nothing.
 * Valid until the next call. */
const char *waiting_chosen(void);

#endif

/* SPDX-License-Identifier: MIT */
/* How many threads have a CPU to run on. */
#ifndef TOMERGE_CPUS_H
#define TOMERGE_CPUS_H

/*
 * The threads that a run has unless --threads says otherwise: as many as
 * OMP_NUM_THREADS asks for, or else the CPUs this process may run on, of which
 * a control group's quota may leave fewer. At least 1; 1 without OpenMP.
 */
int cpus_available(void);

/*
 * The CPUs' worth of time that control groups, of version 1 or 2, leave this
 * process: the least of its group and those around it, such as 1.5; 0 where
 * there is no limit or none to be found. `root` stands before the names of all
 * files read, such as "" and, in a test, a folder.
 */
double cpus_quota(const char *root);

#endif

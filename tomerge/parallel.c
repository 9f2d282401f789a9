/* SPDX-License-Identifier: MIT */
/* Whole sequences over an OpenMP team: see batch.h. */
#include "build.h"

#include "batch.h"

#ifdef _OPENMP
#include <omp.h>
#endif

void tomerge_for_sequences(size_t sequences, int threads, tomerge_task *task,
                           void *context)
{
#ifdef _OPENMP
    if (sequences < (size_t)threads)
        threads = (int)sequences;
    if (threads > 1) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t s = 0; s < sequences; s++)
            task(context, s, (size_t)omp_get_thread_num());
        return;
    }
#else
    (void)threads;
#endif
    for (size_t s = 0; s < sequences; s++)
        task(context, s, 0);
}

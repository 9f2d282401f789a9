/* SPDX-License-Identifier: MIT */
/*
 * The command, with a forward pass of known cost: the model's own, which should
 * be small, and then sleep until FORWARD_MS milliseconds an image are over. So
 * more ranks than the machine has CPUs stand for ranks of as many machines:
 * everything but the forward is the command's own. bench/ranks.py runs it.
 */
#include "config.h"

#include "tomevit.h"

#include <stdlib.h>
#include <time.h>

int __real_tomevit_forward(tomevit_context *context,
                           const tomevit_merging *merging, size_t batch,
                           const tomevit_image *images,
                           const tomevit_output *output);
int __wrap_tomevit_forward(tomevit_context *context,
                           const tomevit_merging *merging, size_t batch,
                           const tomevit_image *images,
                           const tomevit_output *output);

int __wrap_tomevit_forward(tomevit_context *context,
                           const tomevit_merging *merging, size_t batch,
                           const tomevit_image *images,
                           const tomevit_output *output)
{
    const char *text = getenv("FORWARD_MS");
    double cost = (text ? atof(text) : 0) * (double)batch * 1e6;
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(cost / 1e9);
    end.tv_nsec += (long)(cost - 1e9 * (double)(time_t)(cost / 1e9));
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    int error = __real_tomevit_forward(context, merging, batch, images, output);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0)
        ;
    return error;
}

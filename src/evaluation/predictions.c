/* SPDX-License-Identifier: MIT */
/* --predictions: what the model said about every image, as CSV. */
#include "predictions.h"

#include "../base/output.h"

void predictions_header(FILE *out)
{
    fputs("file,label", out);
    for (int i = 1; i <= PREDICTIONS_TOP; i++)
        fprintf(out, ",class%d,prob%d", i, i);
    fputc('\n', out);
}

void predictions_line(FILE *out, const char *file, int32_t label,
                      const top_class top[PREDICTIONS_TOP])
{
    output_csv_field(out, file);
    fprintf(out, ",%d", label);
    for (int i = 0; i < PREDICTIONS_TOP; i++) {
        if (top[i].index < 0)
            fputs(",,", out);
        else
            fprintf(out, ",%d,%.6g", top[i].index,
                    (double)(float)top[i].probability);
    }
    fputc('\n', out);
}

/* SPDX-License-Identifier: MIT */
/* Any bytes as a .npy file: a matrix or a vector read whole, or refused in one
 * line. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/embeddings/npy_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    char why[NPY_WHY] = "";
    size_t rows = 0, columns = 0, count = 0;
    float *x = npy_read_matrix(path, &rows, &columns, why);
    int64_t *y;

    require(x || (why[0] && !strchr(why, '\n')));
    require(!x || npy_is(path));
    for (size_t i = 0; x && i < rows * columns; i++)
        require(isfinite(x[i]));
    free(x);
    why[0] = '\0';
    y = npy_read_integers(path, &count, why);
    require(y || (why[0] && !strchr(why, '\n')));
    require(!y || count <= size);
    free(y);
    return 0;
}

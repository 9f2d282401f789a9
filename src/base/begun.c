/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "begun.h"

#include <string.h>
#include <unistd.h>

int begun_only(int descriptor, const char *start)
{
    size_t length = strlen(start);
    char block[4096];
    off_t at = 0;
    ssize_t got;

    while ((got = pread(descriptor, block, sizeof(block), at)) > 0) {
        size_t same = (size_t)got < length ? (size_t)got : length;

        if ((at == 0 && memcmp(block, start, same) != 0) ||
                memchr(block, '\n', (size_t)got))
            return 0;
        at += got;
    }
    return got < 0 ? -1 : at > 0;
}

/* SPDX-License-Identifier: MIT */
/* Reserved fields of the public structs: what later versions will fill is
 * refused here, rather than overlooked. */
#ifndef TOMEVIT_RESERVED_H
#define TOMEVIT_RESERVED_H

#include <stddef.h>
#include <stdint.h>

static inline int vit_unused(const uint64_t *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (reserved[i])
            return 0;
    return 1;
}

#define VIT_UNUSED(array) vit_unused(array, sizeof(array) / sizeof(*(array)))

#endif

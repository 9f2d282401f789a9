/* SPDX-License-Identifier: MIT */
/* Little-endian numbers at any alignment, as all containers hold them. */
#ifndef TOMEVIT_BYTES_H
#define TOMEVIT_BYTES_H

#include <stdint.h>

static inline uint16_t vit_le16(const unsigned char *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t vit_le32(const unsigned char *b)
{
    return vit_le16(b) | (uint32_t)vit_le16(b + 2) << 16;
}

static inline uint64_t vit_le64(const unsigned char *b)
{
    return vit_le32(b) | (uint64_t)vit_le32(b + 4) << 32;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Zip archives: the bytes of an entry, checked by their sum. */
#include "config.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "zip.h"

/* zlib counts in unsigned int. */
static unsigned piece(size_t bytes)
{
    const size_t most = 1u << 30;

    return (unsigned)(bytes < most ? bytes : most);
}

#ifdef HAVE_LIBDEFLATE
static uint32_t sum_of(const unsigned char *bytes, size_t count)
{
    return libdeflate_crc32(0, bytes, count);
}
#else
static uint32_t sum_of(const unsigned char *bytes, size_t count)
{
    uLong sum = crc32(0, Z_NULL, 0);

    while (count > 0) {
        unsigned now = piece(count);

        sum = crc32(sum, bytes, now);
        bytes += now;
        count -= now;
    }
    return (uint32_t)sum;
}
#endif

static int check_sum(const vit_zip_entry *entry, const unsigned char *bytes,
                     const vit_report *report)
{
    uint32_t found;

    /* PyTorch writes 0 where it is told to leave the sums out.
     * [torch.serialization.set_crc32_options] */
    if (!entry->crc && !entry->deflated)
        return 0;
    found = sum_of(bytes, entry->size);
    if (found == entry->crc)
        return 0;
    return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": "
                        "expected CRC-32 %08x, found %08x: the file is "
                        "damaged", entry->name, (unsigned)entry->crc,
                        (unsigned)found);
}

int tomevit_zip_check(const vit_zip *zip, const vit_zip_entry *entry,
                      const vit_report *report)
{
    atomic_uchar *checked = &zip->checked[entry - zip->entries];
    int code = 0;

    if (entry->deflated || atomic_load(checked))
        return 0;
    code = check_sum(entry, entry->bytes, report);
    if (!code)
        atomic_store(checked, 1);
    return code;
}

int tomevit_zip_check_at(const vit_zip *zip, const unsigned char *byte,
                         const vit_report *report)
{
    size_t low = 0, high = zip->count;

    /* The last entry that begins there or before. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zip->places[middle]->bytes <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? tomevit_zip_check(zip, zip->places[low - 1], report) : 0;
}

/* Runs until `out` is full; Z_OK or Z_STREAM_END if it is. */
static int run(z_stream *z, const vit_zip_entry *entry, size_t size,
               unsigned char *out)
{
    size_t in_left = entry->packed, out_left = size;
    int result = Z_OK;

    z->next_in = entry->bytes;
    z->next_out = out;
    do {
        unsigned in = piece(in_left), room = piece(out_left);

        z->avail_in = in;
        z->avail_out = room;
        result = inflate(z, Z_NO_FLUSH);
        in_left -= in - z->avail_in;
        out_left -= room - z->avail_out;
        if (result == Z_OK && in == z->avail_in && room == z->avail_out)
            result = Z_BUF_ERROR;
    } while (result == Z_OK && out_left > 0);
    return out_left > 0 && result != Z_MEM_ERROR ? Z_DATA_ERROR : result;
}

/* The first `size` bytes: Z_OK or Z_STREAM_END if there are as many. */
static int inflate_start(const vit_zip_entry *entry, size_t size, void *out)
{
    z_stream z = {0};
    int result = size == 0 ? Z_STREAM_END : inflateInit2(&z, -MAX_WBITS);

    if (size > 0 && result == Z_OK) {
        result = run(&z, entry, size, out);
        inflateEnd(&z);
    }
    return result;
}

#ifdef HAVE_LIBDEFLATE
/* The same for all of them, which takes less than half of the time. */
static int inflate_all(const vit_zip_entry *entry, void *out)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    enum libdeflate_result result;

    if (!d)
        return Z_MEM_ERROR;
    result = libdeflate_deflate_decompress(d, entry->bytes, entry->packed, out,
                                           entry->size, NULL);
    libdeflate_free_decompressor(d);
    return result == LIBDEFLATE_SUCCESS ? Z_OK : Z_DATA_ERROR;
}
#else
static int inflate_all(const vit_zip_entry *entry, void *out)
{
    return inflate_start(entry, entry->size, out);
}
#endif

int tomevit_zip_inflate(const vit_zip_entry *entry, size_t size, void *out,
                        const vit_report *report)
{
    int result = size < entry->size ? inflate_start(entry, size, out)
                                    : inflate_all(entry, out);

    if (result == Z_MEM_ERROR)
        return tomevit_fail(report, TOMEVIT_ENOMEM,
                            "out of memory to inflate \"%.80s\"", entry->name);
    if (result != Z_OK && result != Z_STREAM_END)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "zip entry \"%.80s\": its "
                            "compressed data do not give %zu bytes: the file "
                            "is damaged", entry->name, size);
    return size < entry->size ? 0 : check_sum(entry, out, report);
}

int tomevit_zip_bytes(const vit_zip_entry *entry, const unsigned char **bytes,
                      void **inflated, const vit_report *report)
{
    int code;

    *bytes = entry->bytes;
    *inflated = NULL;
    if (!entry->deflated)
        return check_sum(entry, entry->bytes, report);
    *inflated = malloc(entry->size ? entry->size : 1);
    if (!*inflated)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for "
                            "\"%.80s\" of %zu bytes", entry->name,
                            entry->size);
    *bytes = *inflated;
    code = tomevit_zip_inflate(entry, entry->size, *inflated, report);
    if (code) {
        free(*inflated);
        *inflated = NULL;
    }
    return code;
}

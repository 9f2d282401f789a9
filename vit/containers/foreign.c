/* SPDX-License-Identifier: MIT */
/* Files that are no checkpoints, told by how they begin: what people have in
 * place of one when a download went wrong or a name was mistaken. */
#include "config.h"

#include <string.h>

#include "containers.h"

/* Whitespace and a byte order mark before texts are passed over, and the case
 * of their letters. */
static const struct {
    size_t at, length;
    const char *bytes;
    int text;
    const char *what;
} known[] = {
#define BYTES(at, bytes, what) {at, sizeof(bytes) - 1, bytes, 0, what}
#define TEXT(bytes, what) {0, sizeof(bytes) - 1, bytes, 1, what}
    TEXT("version https://git-lfs",
         "a git-lfs pointer in place of the file: git lfs pull brings it"),
    TEXT("<!doctype html", "an HTML page in place of a file"),
    TEXT("<html", "an HTML page in place of a file"),
    TEXT("<?xml", "an XML text"),
    BYTES(0, "\x89PNG\r\n", "a PNG image"),
    BYTES(0, "\xff\xd8\xff", "a JPEG image"),
    BYTES(0, "GIF8", "a GIF image"),
    BYTES(8, "WEBP", "a WebP image"),
    BYTES(4, "ftypavif", "an AVIF image"),
    BYTES(4, "ftypheic", "a HEIC image"),
    BYTES(4, "ftypmif1", "a HEIF image"),
    BYTES(0, "%PDF-", "a PDF document"),
    BYTES(0, "\x89HDF\r\n", "an HDF5 file (Keras)"),
    BYTES(0, "\x1f\x8b", "a gzip file: unpack it first"),
    BYTES(0, "\xfd" "7zXZ", "an xz file: unpack it first"),
    BYTES(0, "\x28\xb5\x2f\xfd", "a zstd file: unpack it first"),
    BYTES(0, "BZh", "a bzip2 file: unpack it first"),
    BYTES(0, "7z\xbc\xaf", "a 7z archive: unpack it first"),
    BYTES(0, "Rar!", "a RAR archive: unpack it first"),
    BYTES(257, "ustar", "a tar archive: unpack it first"),
    BYTES(4, "TFL3", "a TensorFlow Lite model"),
};

static int starts(const unsigned char *bytes, size_t count, const char *text,
                  size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t i = count >= 3 && !memcmp(bytes, mark, 3) ? 3 : 0, j;

    while (i < count && i < 64 && memchr(" \t\r\n", bytes[i], 4))
        i++;
    for (j = 0; j < length && i + j < count; j++) {
        unsigned char c = bytes[i + j];

        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) !=
            (unsigned char)text[j])
            return 0;
    }
    return j == length;
}

const char *tomevit_foreign(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t at = known[i].at, length = known[i].length;

        if (known[i].text ? starts(bytes, count, known[i].bytes, length)
                          : count >= at + length &&
                                !memcmp(bytes + at, known[i].bytes, length))
            return known[i].what;
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* Texts in UTF-8: what their characters are, and texts made of others. */
#ifndef TOMEVIT_UNICODE_H
#define TOMEVIT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* A text that grows; `bytes` is the owner's to free. All zero is an empty one.
 * Once memory was refused `failed` stays 1, and nothing is added any more. */
typedef struct vit_string {
    char *bytes;           /* [count], and a NUL behind them once there are
                            * any */
    size_t count, room;
    int failed;
} vit_string;

void tomevit_string_add(vit_string *s, const char *bytes, size_t count);
void tomevit_string_put(vit_string *s, int32_t code);
void tomevit_string_free(vit_string *s);

/* 1 if texts can be read at all: there is a library of Unicode's tables. */
int tomevit_unicode_is_there(void);

/* 1 if these bytes are UTF-8 throughout, without NUL. */
int tomevit_utf8_valid(const char *bytes, size_t count);

/* The length of the character that begins here, and in *code which it is; of
 * valid UTF-8. */
size_t tomevit_utf8_next(const char *bytes, size_t count, int32_t *code);

enum vit_character {
    VIT_OTHER_CHARACTER, VIT_LETTER, VIT_NUMBER,   /* \p{L}, \p{N} */
    VIT_WHITE                                      /* \s: White_Space */
};

enum vit_character tomevit_character(int32_t code);

/* Canonical composition (NFC) and compatibility composition (NFKC). -1 without
 * memory. */
int tomevit_compose(const char *bytes, size_t count, int compatible,
                    vit_string *out);

/* Lower case; `in_words` as whole texts have it, which end words with another
 * sigma. */
void tomevit_lower(const char *bytes, size_t count, int in_words,
                   vit_string *out);

/* The text without white space at its ends, runs of it inside replaced by one
 * blank each. As str.split() of Python has it, the separators of ASCII are
 * white. */
void tomevit_collapse(const char *bytes, size_t count, vit_string *out);

#endif

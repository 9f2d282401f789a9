/* SPDX-License-Identifier: MIT */
/* Pieces that are found in texts whole, as the marks of their ends. */
#include "config.h"

#include "tokenizer.h"

#include <string.h>

const vit_special *tomevit_special_at(const vit_tokenizer *t, int evened,
                                      const char *text, size_t count)
{
    const vit_special *best = NULL;

    for (size_t i = 0; i < t->special_count; i++) {
        const vit_special *s = &t->specials[i];

        if (s->evened == evened && s->length <= count &&
            memcmp(s->text, text, s->length) == 0 &&
            (!best || s->length > best->length))
            best = s;
    }
    return best;
}

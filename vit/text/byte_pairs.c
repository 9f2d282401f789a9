/* SPDX-License-Identifier: MIT */
/*
 * Byte-pair encoding with a fallback to bytes, as Gemma's tokenizer has it:
 * the characters of a word, those that are no piece as the pieces of their
 * bytes, merge by pairs. [huggingface/tokenizers,
 * tokenizers/src/models/bpe/model.rs: merge_word]
 */
#include "config.h"

#include "tokenizer.h"

static int encode_word(const vit_tokenizer *t, const char *word, size_t length,
                       vit_ids *ids)
{
    size_t first = ids->count;
    int32_t code;

    for (size_t i = 0, n; i < length; i += n) {
        int32_t id;

        n = tomevit_utf8_next(word + i, length - i, &code);
        id = tomevit_vocabulary_find(&t->words, word + i, n);
        if (id >= 0)
            tomevit_ids_add(ids, id);
        for (size_t j = 0; id < 0 && j < n; j++)
            tomevit_ids_add(ids, t->bytes[(unsigned char)word[i + j]]);
    }
    return tomevit_merge_ids(&t->merges, ids, first);
}

int tomevit_byte_pairs(const vit_tokenizer *t, const char *text, size_t count,
                       vit_ids *ids)
{
    size_t from = 0;

    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || (t->by_blank && text[i] == ' ')) {
            if (encode_word(t, text + from, i + 1 - from, ids) != 0)
                return -1;
            from = i + 1;
        }
    return 0;
}

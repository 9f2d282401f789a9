/* SPDX-License-Identifier: MIT */
/*
 * Tokenizers: from a text to the numbers that a text tower has embeddings of.
 * A tokenizer is what a file says: how the text is made even, cut into words,
 * and its words into pieces.
 */
#ifndef TOMEVIT_TOKENIZER_H
#define TOMEVIT_TOKENIZER_H

#include "json_list.h"
#include "unicode.h"
#include "vocabulary.h"
#include "../base/message.h"

#include <jansson.h>

enum { VIT_TEXT_BYTES = 16384 };           /* longer texts are refused */

/* What is done to a text, in the order in which a tokenizer lists it. */
enum vit_even {
    VIT_EVEN_NFC, VIT_EVEN_NFKC, VIT_EVEN_LOWER,
    VIT_EVEN_BLANKS,       /* runs of white space become a blank each */
    VIT_EVEN_RUNS,         /* several blanks become `to` */
    VIT_EVEN_PUNCTUATION,  /* that of ASCII goes */
    VIT_EVEN_STRIP,        /* white space at the ends goes */
    VIT_EVEN_STRIP_RIGHT,  /* that at the end */
    VIT_EVEN_MAPPED,       /* as a table of SentencePiece's says */
    VIT_EVEN_REPLACE       /* one text by another, wherever it stands */
};

typedef struct vit_even_step {
    enum vit_even what;
    char *from, *to;       /* VIT_EVEN_REPLACE; of the tokenizer's region */
} vit_even_step;

/* What a library does to a text before its tokenizer sees it. */
enum vit_cleaning {
    VIT_CLEAN_NOTHING,
    VIT_CLEAN_LOWER,       /* open_clip's and OpenAI's */
    VIT_CLEAN_WHITE,       /* open_clip's, without lower case */
    VIT_CLEAN_CANONICAL,   /* open_clip's for SigLIP, after big_vision:
                            * punctuation goes as well */
    VIT_CLEAN_SIGLIP       /* transformers' for SigLIP: lower case, no
                            * punctuation, and nothing is repaired */
};

/* A piece that is found in texts whole, before they are cut. */
typedef struct vit_special {
    const char *text;
    size_t length;
    int32_t id;
    int evened;            /* looked for once the text is even; 0: before */
    int strip_left, strip_right; /* with the white space beside it */
} vit_special;

enum vit_cut {
    VIT_CUT_CLIP,          /* CLIP's words, byte-pair encoding of their bytes */
    VIT_CUT_PAIRS,         /* Gemma's: byte-pair encoding of characters */
    VIT_CUT_UNIGRAM        /* SentencePiece's most likely pieces */
};

/* What transformers knows it as, as far as that changes anything. */
enum vit_tokenizer_class {
    VIT_CLASS_OTHER, VIT_CLASS_SIGLIP, VIT_CLASS_SIGLIP2, VIT_CLASS_GEMMA
};

enum {
    VIT_EVEN_STEPS = 16, VIT_SPECIALS = 512, VIT_ENDS = 4, VIT_MERGES = 1 << 20
};

typedef struct vit_tokenizer {
    char path[192];        /* of its file, as far as it fits */
    enum vit_cut cut;
    vit_even_step even[VIT_EVEN_STEPS];
    size_t even_count;
    vit_special specials[VIT_SPECIALS];
    size_t special_count;
    int specials_by_word;  /* as OpenAI's pattern has it: where a word could
                            * begin; 0: wherever they stand */
    int32_t before[VIT_ENDS], after[VIT_ENDS]; /* of every text */
    size_t before_count, after_count;
    int32_t unknown, pad, end; /* -1: none */
    int32_t most;          /* the highest number that can come out */
    vit_vocabulary words;
    vit_merges merges;
    /* Of VIT_CUT_UNIGRAM. */
    double *scores;        /* [score_count], ln of how likely a piece is */
    size_t score_count;
    double unknown_score;
    unsigned char *charsmap; /* SentencePiece's table, or NULL */
    size_t charsmap_bytes;
    enum vit_tokenizer_class named;
    int lower_case;        /* "do_lower_case" is said to be true */
    int pad_left;          /* what pads a text comes before it */
    int32_t bytes[256];    /* of VIT_CUT_PAIRS: the numbers of bytes */
    int prefix_blank;      /* words begin with one, if they do not anyhow; 1:
                            * every stretch of the text does, 2: the first */
    int by_white;          /* white space parts words, and goes */
    int by_blank;          /* every blank begins a word; of VIT_CUT_PAIRS it
                            * ends one */
    vit_region region;
} vit_tokenizer;

/*
 * Opens the tokenizer in a file, or in a folder, or beside the weights if
 * `given` is NULL: tokenizer.json, vocab.json with merges.txt, or the list of
 * merges that OpenAI and open_clip bring (.txt, .txt.gz), the last under its
 * own name alone. EIO, EFORMAT, EMODEL for one that is not run, ENOMEM.
 */
int tomevit_tokenizer_open(const char *weights, const char *given,
                           vit_tokenizer **tokenizer, tomevit_message *why);
void tomevit_tokenizer_close(vit_tokenizer *tokenizer);

/* A tokenizer.json from memory, for which `path` is only a name. */
int tomevit_tokenizer_parse(const char *path, const char *bytes, size_t count,
                            vit_tokenizer **tokenizer, tomevit_message *why);

/* EINVAL, with a line in `why`, for a text that is not UTF-8 or too long. */
int tomevit_tokenizer_check(const char *text, tomevit_message *why);

/* Appends a text's numbers, without those before and after. EINVAL for a text
 * that is not UTF-8 or too long, ENOMEM; both with a line in `why`. */
int tomevit_tokenizer_encode(const vit_tokenizer *t, const char *text,
                             vit_ids *ids, tomevit_message *why);

/* clean.c: the text as a library hands it to its tokenizer. EMODEL for an
 * HTML entity that is not known here. */
int tomevit_clean(enum vit_cleaning how, const char *text, size_t count,
                  vit_string *out, tomevit_message *why);

/* even.c */
int tomevit_even(const vit_tokenizer *t, const char *text, size_t count,
                 vit_string *out);

/* charsmap.c: the text as SentencePiece's table has it, a grapheme at a time
 * as the tokenizers library goes through it. */
void tomevit_charsmap(const unsigned char *map, size_t bytes, const char *text,
                      size_t count, vit_string *out);

/* even.c: puts lower case before all else. EMODEL, or ENOMEM. */
int tomevit_even_lower(vit_tokenizer *t, const vit_report *report);

/* clip_words.c, byte_pairs.c, unigram.c: a text without specials; `first` if it
 * is the beginning of the whole. -1 without memory. */
int tomevit_clip_words(const vit_tokenizer *t, const char *text, size_t count,
                       vit_ids *ids);
int tomevit_byte_pairs(const vit_tokenizer *t, const char *text, size_t count,
                       vit_ids *ids);
int tomevit_unigram(const vit_tokenizer *t, const char *text, size_t count,
                    int first, vit_ids *ids);

/* specials.c: the special that begins here, NULL if none does; the longest of
 * several. */
const vit_special *tomevit_special_at(const vit_tokenizer *t, int evened,
                                      const char *text, size_t count);

/* tokenizer_json.c, tokenizer_bpe.c: fill what is all zero. `merges` is the
 * list that was cut out of the JSON; its text NULL: none was. */
int tomevit_tokenizer_json(vit_tokenizer *t, json_t *json,
                           vit_json_list *merges, const vit_report *report);
int tomevit_tokenizer_vocab(vit_tokenizer *t, json_t *vocab,
                            const char *merges, size_t count,
                            const vit_report *report);
int tomevit_tokenizer_merges(vit_tokenizer *t, const char *merges,
                             size_t count, const vit_report *report);

#endif

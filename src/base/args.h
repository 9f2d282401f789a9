/* SPDX-License-Identifier: MIT */
/* Command lines from a table of options: parsing, errors and help. */
#ifndef TOMERGE_ARGS_H
#define TOMERGE_ARGS_H

#include <stddef.h>
#include <stdio.h>

enum { ARGS_WHY = 256 };

enum args_kind {
    ARGS_SECTION,          /* no option: a heading in the help */
    ARGS_HELP,
    ARGS_FLAG,             /* int field, set to 1 */
    ARGS_TEXT,             /* const char * field: the argument itself */
    ARGS_SIZE,             /* size_t field, min .. max */
    ARGS_REAL,             /* double field, min .. max */
    ARGS_PARSE             /* `parse` fills the field */
};

/* What an option acts on. Every option is one of the first two, so that none
 * can be forgotten where results are kept to be gone on with. */
enum args_effect {
    ARGS_RESULT = 1,       /* the numbers of a report depend on it */
    ARGS_REPORT = 2,       /* only what is told of them, and where, does */
    ARGS_READS = 4,        /* its value is a file that is read */
    ARGS_WRITES = 8        /* its value is a file that is written */
};

typedef struct args_option {
    const char *name;      /* without dashes; the heading of a section */
    char letter;           /* short form, or 0 */
    const char *value;     /* what the help calls its value */
    unsigned commands;     /* bits of the subcommands that take it */
    unsigned effect;       /* bits of enum args_effect */
    int kind;              /* enum args_kind */
    size_t offset;         /* of the field in the settings */
    double min, max;
    /* Returns 0, or -1 with what was expected in why[ARGS_WHY]. */
    int (*parse)(const char *text, void *field, char *why);
    const char *help;
    const char *(*names)(int index); /* values that the help ends with, if they
                            * are a list kept elsewhere; NULL after the last */
} args_option;

typedef struct args_command {
    const char *name;
    unsigned bit;
    const char *operands;  /* as the usage line has them */
    size_t least, most;    /* number of operands */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs, or NULL */
    const char *examples;  /* lines, or NULL */
} args_command;

enum args_result { ARGS_DONE = 0, ARGS_SHOW_HELP = 1, ARGS_WRONG = -1 };

/* Parses argv[0 .. argc) (without program and subcommand). Operands move to
 * the front of argv, in order, and *operands is their number. The table ends
 * with a row whose name is NULL. given[rows], if it is not NULL, gets each
 * option's value as it was given, "" of a flag. ARGS_WRONG: one line in
 * why[ARGS_WHY]. */
int args_parse(const args_option *table, const args_command *command,
               int argc, char **argv, void *settings, const char **given,
               size_t *operands, char *why);

/* 1 if it is an option, not a heading, and the subcommand takes it. */
int args_applies(const args_option *option, const args_command *command);

/* The words as a shell would read them, to be freed. */
char *args_quote(int argc, char **argv);

/* The help of one subcommand: at most 80 columns. */
void args_help(FILE *out, const args_option *table,
               const args_command *command);

/* The one of count names nearest to `word` in spelling, NULL if none is
 * near. */
const char *args_nearest(const char *word, const char *const *names,
                         size_t count);

/* Whole numbers and reals that make up all of `text`: 0, or -1. */
int args_size(const char *text, size_t *out);
int args_real(const char *text, double *out);

/* Sets *field from a name, by from_name; name(0), name(1), ... are those there
 * are, NULL after the last. 0, or -1 with all of them in why[256]. */
int args_name(const char *text, int *field,
              int (*from_name)(const char *, int *), const char *(*name)(int),
              char *why);

#endif

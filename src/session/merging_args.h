/* SPDX-License-Identifier: MIT */
/* How tokens merge: from command-line text to what the model runs with. */
#ifndef TOMERGE_MERGING_ARGS_H
#define TOMERGE_MERGING_ARGS_H

#include "tomevit.h"

enum merging_kind {
    MERGING_UNSET = 0,
    MERGING_R,             /* --r: entries of r and inflection */
    MERGING_SCHEDULE,      /* --schedule: one list of r per layer */
    MERGING_RATIO          /* --merge-ratio: entries of a ratio */
};

typedef struct merging_entry {
    size_t r;              /* for MERGING_R; MERGING_SCHEDULE: of one layer */
    double inflection;     /* for MERGING_R */
    double ratio;          /* for MERGING_RATIO */
} merging_entry;

/* A method as --method names it, with options of its own: "ppt[layers=3]". */
typedef struct merging_method {
    int row;               /* as of tomevit_method_at */
    char *text, *options;  /* owned; options NULL: none */
    char *said;            /* of "@FILE": what is in it, owned; else NULL */
} merging_method;

enum { MERGING_METHODS = 16 }; /* the most in one list */

/* The options as given. */
typedef struct merging_args {
    int kind;              /* enum merging_kind */
    merging_entry *entries;
    size_t count;
    merging_method *methods; /* of --method, owned */
    size_t method_count;   /* 0: not given; the first is `row` as well */
    int any_method;        /* 1: they are all that tune can have */
    double *budgets;       /* GMACs of --budget, owned */
    size_t budget_count;
    int method;            /* enum tomerge_method */
    int row;               /* as of tomevit_method_at */
    const char *options;   /* of --method-options, or of the method itself;
                            * NULL: none */
    char *from_file;       /* if they are, their memory */
    const merging_method *file; /* the method, if a file says it; else NULL */
    int similarity, rope_merge, ema_merge;
    int combine, metric, prop_attn; /* -1: as the method has it */
    uint64_t seed;
    size_t stride;
} merging_args;

/* One resolved way to run the model. */
typedef struct merging_run {
    char label[64];        /* "8", "13:-1", "0.4", "4,4,2" */
    char series[64];       /* which of several methods: as it was given */
    const char *method, *options; /* as they were given; NULL: no options */
    char *found;           /* owned: options that meet a budget, or NULL */
    size_t place;          /* of its method in the list of them */
    double budget;         /* GMACs that were asked for; 0: none were */
    int measured;          /* whether only images show what meets that */
    double knob;           /* then: what is to be turned until it does */
    size_t *r;             /* [depth], owned; `merging` points at it */
    tomevit_layer_merging *layers; /* [depth], owned; likewise */
    size_t *tokens;        /* [depth], owned: leaving each layer */
    double ratio;          /* merge ratio */
    double gmacs;          /* as publications count */
    double gmacs_computed; /* for logits alone: see tomevit_macs_unread */
    tomevit_merging merging;
} merging_run;

void merging_args_init(merging_args *args);
void merging_args_free(merging_args *args);

/* Parsers of option values (see args_option): each takes the whole
 * merging_args, so that options that exclude each other can say so. */
int merging_parse_r(const char *text, void *args, char *why);
int merging_parse_r_list(const char *text, void *args, char *why);
int merging_parse_schedule(const char *text, void *args, char *why);
int merging_parse_ratio(const char *text, void *args, char *why);
int merging_parse_ratio_list(const char *text, void *args, char *why);
int merging_parse_method(const char *text, void *args, char *why);
int merging_parse_method_list(const char *text, void *args, char *why);
int merging_parse_tuned(const char *text, void *args, char *why);
int merging_parse_budgets(const char *text, void *args, char *why);
int merging_parse_method_options(const char *text, void *args, char *why);
int merging_parse_similarity(const char *text, void *args, char *why);
int merging_parse_combine(const char *text, void *args, char *why);
int merging_parse_metric(const char *text, void *args, char *why);
int merging_parse_rope_merge(const char *text, void *args, char *why);
int merging_parse_ema_merge(const char *text, void *args, char *why);
int merging_parse_prop_attn(const char *text, void *args, char *why);
int merging_parse_seed(const char *text, void *args, char *why);

/* 1 if the method or its options say how many tokens go: there is no r. */
int merging_decides(const merging_args *args);

/* 1 if there is an r that tune may look for. */
int merging_has_r(const merging_args *args);

/* The arguments with method `index` of the list as the only one: a view, not
 * to be freed. */
merging_args merging_of_method(const merging_args *args, size_t index);

/* Visits the files that methods' own options are read from, "[@FILE]" and
 * "file=FILE". Returns what `each` returned at last. */
int merging_files_each(const merging_args *args,
                       int (*each)(void *data, const char *path), void *data);

/* What no single option shows. 0, or -1 with a line in why[256]. */
int merging_check_lists(const merging_args *args, char *why);

/* Sets the entries as --r TEXT would, if no option has set them and a method
 * takes them. */
void merging_args_default(merging_args *args, const char *text);

/* How many runs the arguments ask for: 1 if nothing merges. */
size_t merging_run_count(const merging_args *args);

/* Run `index` of them for a model. 0, or -1 with a line in why[256]. */
int merging_resolve(const merging_args *args,
                    const tomevit_description *model, size_t index,
                    merging_run *run, char *why);
/* Run `index` of arguments with one method and no budgets. Likewise. */
int merging_resolve_one(const merging_args *args,
                        const tomevit_description *model, size_t index,
                        merging_run *run, char *why);
/* The same arguments with nothing merged. */
void merging_resolve_none(const merging_args *args,
                          const tomevit_description *model, merging_run *run);
/* With r[depth] merged in the layers; NULL: nothing. 0, or -1 if that leaves
 * the head nothing to read; there is a run to be freed all the same. */
int merging_resolve_layers(const merging_args *args,
                           const tomevit_description *model, const char *label,
                           const size_t *r, merging_run *run);
/* Of one method, with what it offers turned until the arithmetic is as near to
 * `gmacs` as it comes. If only images show the arithmetic, run->measured is
 * set, and nothing is turned yet. 0, or -1 with a line in why[256]. */
int merging_resolve_budget(const merging_args *args,
                           const tomevit_description *model, double gmacs,
                           merging_run *run, char *why);
/* The same with what is turned at `knob`; 0, or -1 likewise. */
int merging_resolve_knob(const merging_args *args,
                         const tomevit_description *model, double gmacs,
                         double knob, merging_run *run, char *why);
/* From where to where that may be. */
void merging_knob_range(const merging_args *args, double *least, double *most);
void merging_run_free(merging_run *run);

/* 1 if no layer merges anything. */
int merging_run_is_none(const merging_run *run,
                        const tomevit_description *model);

#endif

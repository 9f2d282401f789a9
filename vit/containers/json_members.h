/* SPDX-License-Identifier: MIT */
/* Members of JSON objects that nobody vouches for: what each of them may be. */
#ifndef TOMEVIT_JSON_MEMBERS_H
#define TOMEVIT_JSON_MEMBERS_H

#include <jansson.h>

/* A value of another kind than its reader's would look to it like none. */
enum vit_json_kind {
    VIT_JSON_COUNT = 1,                     /* a whole number above 0 */
    VIT_JSON_INDEX = 2,                     /* one from 0 to INT32_MAX */
    VIT_JSON_NUMBER = 4,
    VIT_JSON_TRUTH = 8,
    VIT_JSON_TEXT = 16,
    VIT_JSON_LIST = 32,
    VIT_JSON_COUNTS = 64,                   /* a list of them, not empty */
    VIT_JSON_THREE = 128,                   /* a list of three numbers */
    VIT_JSON_TEXTS = 256,
    VIT_JSON_OBJECT = 512
};

typedef struct vit_json_member {
    const char *name;
    int kinds;                              /* a sum of them */
} vit_json_member;

enum { VIT_JSON_WHY = 240 };

/* 1 if every member of the object that `members` names, which end with a name
 * NULL, is of one of its kinds, null or not there; 0 with a line in `why`,
 * such as: "heads": expected a whole number above 0, found "12". */
int tomevit_json_fits(const json_t *object, const vit_json_member *members,
                      char why[VIT_JSON_WHY]);

/* A member that is read, or that is looked past on purpose. */
typedef struct vit_known {
    const char *name;
    const char *only;      /* the one value that it may have here, as JSON;
                            * NULL: any */
} vit_known;

/* What members may be that a list does not name. null is as not there. */
enum vit_others {
    VIT_OTHERS_ANY,        /* the library passes over them, too */
    VIT_OTHERS_OFF,        /* null or false */
    VIT_OTHERS_NONE        /* null */
};

/* The name of a member that could not be obeyed: one that `known`, which ends
 * with a name NULL, gives one value and that has another, or one that it does
 * not name. NULL if there is none. */
const char *tomevit_json_stranger(const json_t *object, const vit_known *known,
                                  enum vit_others others);

#endif

/* SPDX-License-Identifier: MIT */
/* What those who read a tokenizer.json share: looking into it, and refusing. */
#ifndef TOMEVIT_TOKENIZER_MEMBERS_H
#define TOMEVIT_TOKENIZER_MEMBERS_H

#include "tokenizer.h"
#include "../containers/json_members.h"

#include <string.h>

/* "" if there is no such text. */
static inline const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static inline int is(const json_t *object, const char *type)
{
    return strcmp(text_of(object, "type"), type) == 0;
}

static inline int refuse(const vit_report *report, const char *what,
                         const char *name)
{
    return tomevit_fail(report, TOMEVIT_EMODEL, "a tokenizer with %s \"%.60s\" "
                        "is not run", what, name);
}

static inline int no_memory(const vit_report *report)
{
    return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
}

/* EFORMAT for a member that is of none of its kinds. */
static inline int check_members(const json_t *object,
                                const vit_json_member *members,
                                const vit_report *report)
{
    char why[VIT_JSON_WHY];

    return tomevit_json_fits(object, members, why)
               ? 0 : tomevit_fail(report, TOMEVIT_EFORMAT, "%s", why);
}

/* 1 if it is the number of a piece; *id is -1 otherwise. */
static inline int id_of(const json_t *value, int32_t *id)
{
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

    *id = number >= 0 && number < INT32_MAX ? (int32_t)number : -1;
    return *id >= 0;
}

static inline void note_id(vit_tokenizer *t, int32_t id)
{
    if (id > t->most)
        t->most = id;
}

#endif

/* SPDX-License-Identifier: MIT */
/* tomerge inspect: the text tower beside an image tower, of which --classes
 * makes the classes. */
#include "config.h"

#include "commands.h"

#include "base/report.h"

#include <string.h>

static void add_fact(void *known, const tomevit_fact *fact)
{
    json_t *value = json_object();

    json_object_set_new(value, "value", report_string(fact->value));
    json_object_set_new(value, "from", report_string(fact->from));
    json_object_set_new(value, "guessed", json_boolean(fact->guessed));
    json_object_set_new(known, fact->what, value);
}

json_t *inspect_text(const options *o)
{
    tomevit_text_options with;
    const tomevit_text_description *d;
    tomevit_text *text;
    tomevit_message why;
    json_t *object, *known;

    tomevit_text_options_init(&with);
    if (tomevit_text_open(o->model, &with, &text, &why) != 0) {
        /* Most models have none, of which nothing is to be said. */
        if (strstr(why.text, "expected a text tower"))
            return NULL;
        object = json_object();
        json_object_set_new(object, "missing", report_string(why.text));
        return object;
    }
    d = tomevit_text_describe(text);
    object = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "layout",
                       d->layout, "parameters", (json_int_t)d->parameters,
                       "depth", (json_int_t)d->depth,
                       "dim", (json_int_t)d->dim,
                       "heads", (json_int_t)d->heads,
                       "mlp_dim", (json_int_t)d->mlp_dim,
                       "context", (json_int_t)d->context,
                       "vocabulary", (json_int_t)d->vocabulary,
                       "embedding", (json_int_t)d->embedding);
    known = json_object();
    tomevit_text_each_fact(text, add_fact, known);
    json_object_set_new(object, "known", known);
    tomevit_text_close(text);
    return object;
}

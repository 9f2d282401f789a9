/* SPDX-License-Identifier: MIT */
/*
 * --resume of tune: a journal with a section for every evaluation.
 *
 * What the search asks for follows from what it was told before, times
 * included. Told the same again it asks the same again, so that nothing of its
 * own has to be kept: a search that goes on is one that finds its first answers
 * in the journal.
 */
#include "config.h"

#include "tune_journal.h"

#include "evaluation/journal_settings.h"

int tune_journal_open(journal *j, const dataset *all, const session *s)
{
    const options *o = s->options;
    json_t *settings = journal_settings(all, s, 1);

    if (!settings)
        return -1;
    json_t *command = journal_command(o);
    int result = journal_open(j, o->resume, settings, command,
                              s->classes.count, 0, s->description->depth);
    json_decref(settings);
    json_decref(command);
    return result;
}

static json_t *layers_json(const session *s, const merging_run *run)
{
    json_t *r = json_array();
    size_t before = s->description->tokens;

    for (size_t i = 0; i < s->description->depth; i++) {
        json_array_append_new(r, json_integer(
            (json_int_t)(before - run->tokens[i])));
        before = run->tokens[i];
    }
    return r;
}

/* With what else it goes by, if that is not the same for all. */
static json_t *schedule_json(const session *s, const merging_run *run)
{
    json_t *layers = layers_json(s, run), *all;

    if (!run->options && s->options->merging.method_count < 2)
        return layers;
    all = json_pack("{s:o}", "r", layers);
    if (run->options)
        json_object_set_new(all, "options", json_string(run->options));
    if (s->options->merging.method_count > 1)
        json_object_set_new(all, "method", json_string(run->method));
    return all;
}

int tune_journal_section(journal *j, const char *name, const dataset *part,
                         const session *s)
{
    json_t *schedules = json_array();

    for (size_t i = 0; i < s->run_count; i++)
        json_array_append_new(schedules, schedule_json(s, &s->runs[i]));
    json_t *asked = json_pack("{s:s,s:o}", "evaluate", name, "schedules",
                              schedules);
    int result = journal_section(j, asked, part->files.count, s->run_count);
    json_decref(asked);
    return result;
}

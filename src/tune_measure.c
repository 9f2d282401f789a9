/* SPDX-License-Identifier: MIT */
/* What schedules and thresholds come to on a part of the images. */
#include "config.h"

#include "tune.h"

#include "base/memory.h"
#include "base/message.h"
#include "tune_journal.h"

#include <stdlib.h>
#include <string.h>

static void clear_runs(session *s)
{
    for (size_t i = 0; i < s->run_count; i++)
        merging_run_free(&s->runs[i]);
    free(s->runs);
    s->runs = NULL;
    s->run_count = s->reference = 0;
}

void tune_add_run(tune *t, const char *label, const size_t *r)
{
    session *s = t->s;
    merging_run *run = &s->runs[s->run_count++];

    merging_resolve_layers(&t->merging, s->description, label, r, run);
}

void tune_begin_runs(tune *t, size_t count)
{
    session *s = t->s;

    clear_runs(s);
    s->runs = memory_zero(count + 1, sizeof(*s->runs));
    tune_add_run(t, "0", NULL);
}

int tune_evaluate(tune *t, int part, outcomes *o)
{
    static const char *const names[] = {"calibration", "held out"};
    dataset *d = &t->parts[part];

    memset(o, 0, sizeof(*o));
    if (d->journal &&
        tune_journal_section(d->journal, names[part], d, t->s) != 0)
        return -1;
    if (dataset_evaluate(d, t->s, 1, o, NULL, NULL) != 0)
        return -1;
    t->stopped = outcomes_are_partial(o);
    if (!outcomes_are_partial(o) && o->images == 0)
        message_failed("none of the %zu images could be used",
                       d->files.count);
    return outcomes_are_partial(o) || o->images == 0 ? -1 : 0;
}

void tune_leave_out_refused(tune *t, const outcomes *o)
{
    dataset *part = &t->parts[TUNE_CALIBRATION];

    for (size_t i = 0; i < o->images; i++)
        part->files.files[i] = part->files.files[o->file[i]];
    part->files.count = o->images;
}

/* What run `index` made of each image. */
static void set_trial(const tune *t, const outcomes *o, size_t index,
                     tune_trial *trial)
{
    const dataset *part = &t->parts[TUNE_CALIBRATION];

    trial->images = o->images;
    trial->divergence = 0;
    for (size_t i = 0; i < o->images; i++) {
        int32_t label = part->files.files[o->file[i]].label;
        const outcome *base = outcomes_at(o, i, 0);
        const outcome *tried = outcomes_at(o, i, index);
        trial->divergence += (double)tried->divergence / (double)o->images;
        if (t->by_drift) {
            trial->lost[i] = trial->moved[i] = 1 - (double)tried->cosine;
            continue;
        }
        trial->lost[i] = outcome_score(base, label) -
                         outcome_score(tried, label);
        trial->moved[i] = outcome_distance(base, tried);
    }
    trial->speedup = dataset_tally(part, t->s, o, 0).forward /
                     dataset_tally(part, t->s, o, index).forward;
}

void tune_set_best(tune *t, const outcomes *o, size_t run)
{
    set_trial(t, o, run, &t->best);
    tune_trial_mean(&t->best);
}

double tune_moved(const tune *t, const outcomes *o, size_t index, size_t run)
{
    const outcome *tried = outcomes_at(o, index, run);

    return t->by_drift ? 1 - (double)tried->cosine : (double)tried->divergence;
}

int tune_measure(void *data, tune_trial *trials, size_t count)
{
    tune *t = data;
    outcomes o;

    tune_begin_runs(t, count);
    for (size_t i = 0; i < count; i++)
        tune_add_run(t, "trial", trials[i].r);
    int result = tune_evaluate(t, TUNE_CALIBRATION, &o);
    for (size_t i = 0; i < count && result == 0; i++)
        set_trial(t, &o, i + 1, &trials[i]);
    if (result == 0)
        tune_leave_out_refused(t, &o);
    t->trials += count;
    outcomes_free(&o);
    return result;
}

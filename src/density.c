/* SPDX-License-Identifier: MIT */
/* tomerge density: how many bits each picture is worth to a model of bytes. */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/progress.h"
#include "base/ranks.h"
#include "base/signals.h"
#include "density/density.h"
#include "evaluation/join.h"
#include "evaluation/journal_settings.h"
#include "evaluation/ranked.h"

#include <stdlib.h>
#include <string.h>

/* ---- pictures ------------------------------------------------------------ */

static int measure(density *p)
{
    int result = 0;
    size_t count = p->to - p->from;

    progress_start(count, p->m.s.options->quiet);
    for (size_t i = p->done, now; i < count && result == 0 && !signals_stop();
         i += now) {
        size_t first = p->from + i;

        now = count - i < p->pictures.most ? count - i : p->pictures.most;
        result = density_measure(p, first, now);
        for (size_t k = 0; k < now && result == 0; k++) {
            if (p->pictures.why[k][0] != '\0')
                message_refused("%s: %s", p->files->files[first + k].path,
                                p->pictures.why[k]);
            result = byte_journal_add(&p->journal,
                                      p->worth + (first + k) * p->width);
        }
        result |= byte_journal_flush(&p->journal);
        p->done += result == 0 ? now : 0;
        progress_show(p->done, -1);
    }
    progress_end();
    return result;
}

/* ---- the command --------------------------------------------------------- */

static int check_map(const density *p)
{
    const options *o = p->m.s.options;

    if (o->map && p->files->count != 1)
        message_usage("--map is of one image, found %zu", p->files->count);
    else if (o->map && ranks_count() > 1)
        message_usage("--map is drawn by one process");
    else if (o->map && o->resume)
        message_usage("--map and --resume exclude each other");
    else
        return 0;
    return -1;
}

/* What was refused in an earlier run, or another's, is told again. */
static void retell(const density *p)
{
    for (size_t i = p->from; i < p->from + p->done; i++)
        if (p->worth[i * p->width] < 0)
            message_refused("%s: refused, by the journal",
                            p->files->files[i].path);
}

static int go_through(density *p)
{
    const options *o = p->m.s.options;
    json_t *command;

    if (o->resume && ranked_check_alone(o->resume) != 0)
        return -1;
    command = journal_command(o);
    int result = byte_journal_open(&p->journal, o->resume, p->settings,
                                   command, p->width,
                                   p->worth + p->from * p->width,
                                   p->to - p->from, &p->done);

    json_decref(command);
    if (result == 0) {
        retell(p);
        result = measure(p);
    }
    return byte_journal_close(&p->journal) | result;
}

static void remark(const density *p, size_t known)
{
    size_t count = p->to - p->from;

    if (p->done < count)
        message_refused("stopped: the result is partial, %zu of %zu images",
                        p->done, count);
    else if (count == 0)
        message_note("there is no image in this part");
    else if (known == 0)
        message_failed("none of the %zu images could be used", count);
}

static void run(density *p)
{
    const options *o = p->m.s.options;
    size_t known = 0;
    int result = density_set_settings(p);

    join_part(p->files->count, o->part, &p->from, &p->to);
    p->worth = memory_zero(p->files->count * p->width, sizeof(*p->worth));
    p->bits = memory_zero(o->batch * p->m.d->length, sizeof(*p->bits));
    byte_pictures_begin(&p->pictures, &p->m, 0);
    p->mapped = o->map == NULL;
    if (ranks_on() && !o->joined) {
        result = density_ranks(p, result);
    } else if (result == 0 && o->joined) {
        result = density_join(p, o->joined, o->joined_count);
        retell(p);
    } else if (result == 0) {
        result = go_through(p);
    }
    for (size_t i = p->from; i < p->from + p->done; i++)
        known += p->worth[i * p->width] >= 0;
    p->m.s.worth = result < 0 ? OUTPUT_FAILED
                   : known > 0 ? OUTPUT_WHOLE : OUTPUT_EMPTY;
    if (result == 0 && known > 0) {
        density_report(p);
        output_end(&p->html, p->m.s.worth);
    }
    if (result == 0)
        remark(p, known);
    byte_pictures_end(&p->pictures);
}

void command_density(const options *o)
{
    byte_model_how how = {o->dtype, 0, o->window, o->group};
    density p;

    memset(&p, 0, sizeof(p));
    if (o->past.count) {
        how.window = o->past.window[0];
        how.group = o->past.group[0];
    }
    p.files = &p.images.files;
    if (byte_model_open(&p.m, o, how) == 0 && density_open_ways(&p) == 0 &&
        output_open(&p.html, o->html) == 0 &&
        dataset_open_images(&p.images, &p.m.s) == 0 && check_map(&p) == 0)
        run(&p);
    output_abandon(&p.html);
    dataset_close(&p.images);
    density_close_ways(&p);
    json_decref(p.settings);
    json_decref(p.computed);
    free(p.worth);
    free(p.bits);
    byte_model_close(&p.m);
}

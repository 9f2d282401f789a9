/* SPDX-License-Identifier: MIT */
/* An evaluation of which this process is one of several ranks. */
#include "config.h"

#include "ranked.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../base/ranks.h"
#include "journal_settings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FILE.K */
static char *path_of(const char *file, size_t rank)
{
    size_t size = strlen(file) + 24;
    char *path = memory_zero(size, 1);

    snprintf(path, size, "%s.%zu", file, rank);
    return path;
}

static const char mark[] = "several processes (mpirun)";

/* ---- that all do the same ------------------------------------------------ */

void ranked_mark(json_t *settings)
{
    json_object_set_new(settings, mark, json_object());
}

/* Ranks may have any number of threads. */
static json_t *settings_of(const dataset *d, const session *s, size_t count)
{
    json_t *out = journal_settings(d, s, count);

    if (!out)
        return NULL;
    json_object_set_new(out, "--threads", json_null());
    ranked_mark(out);
    return out;
}

int ranked_compare(json_t *own)
{
    static const char *const none[] = {NULL};
    char *mine = json_dumps(own, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *text = ranks_share(ranks_rank() == 0 ? mine : NULL);
    json_t *first = json_loads(text, 0, NULL);
    int result = !mine || !first ? -1
        : journal_compare("ranks differ", "rank 0", first, own, none);

    if (!mine || !first)
        message_failed("out of memory");
    json_decref(first);
    free(mine);
    free(text);
    return result;
}

/* ---- journals ------------------------------------------------------------ */

/* All lines of an open journal, which are in any order. */
static int replay(ranked *k, journal *j, const evaluate_request *r,
                  size_t number)
{
    outcomes found;
    int result;

    journal_of(j, r->from, r->to, r->files->count, r->width);
    j->scattered = 1;
    while ((result = journal_next(j, &found)) > 0) {
        dealing_known(k->dealt, number, &found);
        outcomes_free(&found);
    }
    return result;
}

/* Whether a file beside `base` is the journal of a rank, and of which. */
static int is_of_rank(const char *name, const char *base, size_t *rank)
{
    size_t length = strlen(base);
    char *end;

    if (strncmp(name, base, length) != 0 || name[length] != '.' ||
        name[length + 1] < '0' || name[length + 1] > '9' ||
        (name[length + 1] == '0' && name[length + 2] != '\0'))
        return 0;
    *rank = strtoul(name + length + 1, &end, 10);
    return *end == '\0';
}

/* Opens the journal of a rank and takes in what it knows. */
static int open_journal(ranked *k, const char *path, json_t *settings,
                        const session *s, const evaluate_request *r,
                        size_t number, journal *j)
{
    json_t *command = journal_command(s->options);
    int result = journal_open(j, path, settings, command, s->classes.count,
                              r->run_count, r->depth);

    json_decref(command);
    return result != 0 ? -1 : replay(k, j, r, number);
}

int ranked_each(const char *file, int (*call)(void *data, size_t rank),
                void *data)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    char *around = memory_text(slash ? file : ".");
    struct dirent *entry;
    int result = 0;
    size_t rank;

    if (slash)
        around[slash == file ? 1 : (size_t)(slash - file)] = '\0';
    DIR *dir = opendir(around);
    while (dir && result == 0 && (entry = readdir(dir)) != NULL)
        if (is_of_rank(entry->d_name, base, &rank))
            result = call(data, rank);
    if (dir)
        closedir(dir);
    free(around);
    return result;
}

/* What is asked of a journal. */
typedef struct reading {
    ranked *k;
    json_t *settings;
    const session *s;
    const evaluate_request *r;
} reading;

/* Of the journals that ranks of an earlier and larger run left, each rank of
 * this one reads its share. */
static int read_other(void *data, size_t rank)
{
    const reading *a = data;
    const evaluate_sink *sink = a->r->sink;
    char *path = path_of(a->s->options->resume, rank);
    int result = 0;
    journal j;

    if (rank >= ranks_count() && rank % ranks_count() == ranks_rank() &&
        (!sink || sink->has(sink->data, rank))) {
        result = open_journal(a->k, path, a->settings, a->s, a->r, rank, &j);
        if (result == 0)
            result = journal_close(&j);
    }
    free(path);
    return result;
}

char *ranked_path(const char *file, size_t rank)
{
    if (rank == ranks_rank() && access(file, F_OK) == 0) {
        message_usage("--resume: %s is of one process, and ranks of mpirun "
                      "each keep a file beside it", file);
        return NULL;
    }
    return path_of(file, rank);
}

static int open_journals(ranked *k, json_t *settings, const session *s,
                         evaluate_request *r)
{
    const char *file = s->options->resume;

    if (!file)
        return 0;
    k->path = ranked_path(file, ranks_rank());
    if (!k->path)
        return -1;
    if (open_journal(k, k->path, settings, s, r, ranks_rank(),
                     &k->journal) != 0)
        return -1;
    k->writes = 1;
    r->journal = &k->journal;
    if (r->sink && r->sink->begin(r->sink->data, dealing_own(k->dealt)) != 0)
        return -1;
    reading others = {k, settings, s, r};
    return ranked_each(file, read_other, &others);
}

int ranked_is_of_rank(const json_t *settings)
{
    return json_object_get(settings, mark) != NULL;
}

int ranked_check_alone(const char *file)
{
    char *path = path_of(file, 0), line[65536] = "";
    FILE *first = access(file, F_OK) == 0 ? NULL : fopen(path, "r");
    int result = 0;

    if (first && fgets(line, sizeof(line), first) && strstr(line, mark)) {
        message_usage("--resume: %s and others beside it are of %s: mpirun -n "
                      "1 goes on from them, or more", path, mark);
        result = -1;
    }
    if (first)
        fclose(first);
    free(path);
    return result;
}

/* ---- the evaluation ------------------------------------------------------ */

int ranked_begin(ranked *k, const dataset *d, const session *s, size_t count,
                 evaluate_request *r)
{
    json_t *settings = settings_of(d, s, count);
    int ready = settings != NULL, result = -1;

    memset(k, 0, sizeof(*k));
    k->dealt = dealing_begin(r->from, r->to, r->batch);
    r->dealt = k->dealt;
    r->quiet |= ranks_rank() > 0;
    if (ranks_agree(ready, 0) && settings &&
        ranks_agree(ranked_compare(settings) == 0, 0)) {
        k->works = 1;
        result = open_journals(k, settings, s, r);
    }
    json_decref(settings);
    return result;
}

static void note_known(const ranked *k, const evaluate_request *r)
{
    size_t known;

    dealing_done(k->dealt, &known);
    if (known > 0)
        message_note("%zu of %zu images are done", known, r->to - r->from);
}

int ranked_start(ranked *k, const evaluate_request *r, int result)
{
    if (!k->works)                      /* all know */
        return -1;
    dealing_gather(k->dealt);
    k->works = ranks_agree(result == 0, 1);
    if (!k->works)
        return -1;
    if (ranks_rank() == 0)
        note_known(k, r);
    /* What is refused is said in the end, in order. */
    message_drop(0, 1);
    return dealing_serve(k->dealt);
}

int ranked_end(ranked *k, const evaluate_request *r, outcomes *o, int result)
{
    if (k->writes)
        result |= journal_close(&k->journal);
    if (result != 0 && k->works)
        ranks_abort();
    message_drop(ranks_rank() > 0, ranks_rank() > 0);
    if (result == 0 && ranks_rank() > 0)
        result = 1;
    if (result == 0)
        result = dealing_collect(k->dealt, r, o);
    if (result == 0)
        evaluate_retell(r, o);
    dealing_end(k->dealt);
    free(k->path);
    return result;
}

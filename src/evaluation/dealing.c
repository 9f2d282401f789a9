/* SPDX-License-Identifier: MIT */
/* One evaluation by several ranks. */
#include "dealing.h"

#include "../base/clock.h"
#include "../base/memory.h"
#include "../base/message.h"
#include "../base/ranks.h"
#include "../base/signals.h"
#include "journal_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What messages are about: KNOWN and FOUND are lines, ASK and STOP are lines
 * and ask for more or say that a signal has come, GIVE is a piece. */
enum { KNOWN = 1, GATHERED, FOUND, ASK, STOP, GIVE };

/* Lines that are sent before the piece is through. */
enum { MUCH = 1 << 26 };

struct dealing {
    double began;
    size_t from, to;
    size_t number, taken;  /* the journal at hand, and its images so far; in
                            * the end this rank's own */
    size_t own;            /* images of that */
    /* Of other ranks: lines that are to be sent. */
    char *text;
    size_t used, capacity;
    /* Of rank 0, while it serves by those who hold the lock. */
    pieces left;
    dealing_line *lines;
    size_t count, line_capacity;
    size_t done, known;    /* files */
    size_t away;           /* ranks that will still ask */
    int stopped, serves;
};

dealing *dealing_begin(size_t from, size_t to, size_t batch)
{
    dealing *d = memory_zero(1, sizeof(*d));

    d->began = clock_seconds();
    d->from = from;
    d->to = to;
    d->away = ranks_count() - 1;
    d->number = ranks_rank();
    pieces_begin(&d->left, from, to, batch, ranks_count());
    return d;
}

void dealing_end(dealing *d)
{
    if (!d)
        return;
    pieces_end(&d->left);
    for (size_t i = 0; i < d->count; i++)
        free(d->lines[i].json);
    free(d->lines);
    free(d->text);
    free(d);
}

/* ---- lines --------------------------------------------------------------- */

/* json[length] is a line of files from .. to - 1. */
static void keep(dealing *d, const dealing_line *about, const char *json,
                 size_t length)
{
    dealing_line *l;

    d->lines = memory_grow(d->lines, d->count, &d->line_capacity,
                           sizeof(*d->lines));
    l = &d->lines[d->count++];
    *l = *about;
    l->json = memory_zero(length + 1, 1);
    memcpy(l->json, json, length);
    d->done += l->to - l->from;
}

/* What is known twice is left out. */
static void keep_known(dealing *d, const dealing_line *about,
                       const char *json, size_t length)
{
    if (pieces_done(&d->left, about->from, about->to) != 0)
        return;
    d->known += about->to - about->from;
    keep(d, about, json, length);
}

/* Lines "JOURNAL FIRST FROM TO {...}" of a message. */
static void keep_all(dealing *d, const char *text, int known)
{
    for (const char *next; *text != '\0'; text = next) {
        size_t length = strcspn(text, "\n");
        dealing_line about = {.known = known};
        int at = 0;
        next = text + length + (text[length] != '\0');
        if (sscanf(text, "%zu %zu %zu %zu %n", &about.journal, &about.first,
                   &about.from, &about.to, &at) != 4)
            continue;
        if (known)
            keep_known(d, &about, text + at, length - (size_t)at);
        else
            keep(d, &about, text + at, length - (size_t)at);
    }
}

static void append(dealing *d, const char *text)
{
    size_t length = strlen(text);

    while (d->capacity < d->used + length + 1)
        d->text = memory_grow(d->text, d->capacity, &d->capacity, 1);
    memcpy(d->text + d->used, text, length + 1);
    d->used += length;
}

static void send_lines(dealing *d, int tag)
{
    ranks_send(0, tag, d->used > 0 ? d->text : "", d->used);
    d->used = 0;
}

/* Takes `object` over. */
static void add(dealing *d, piece files, size_t images, json_t *object,
                int known)
{
    char *json = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    dealing_line about = {files.from, files.to, d->number, d->taken, known,
                          NULL};
    char head[100];

    json_decref(object);
    if (!json)
        memory_exhausted();
    if (ranks_rank() > 0) {
        snprintf(head, sizeof(head), "%zu %zu %zu %zu ", d->number, d->taken,
                 files.from, files.to);
        append(d, head);
        append(d, json);
        append(d, "\n");
        if (d->used >= MUCH)
            send_lines(d, known ? KNOWN : FOUND);
    } else if (known) {
        keep_known(d, &about, json, strlen(json));
    } else {
        ranks_lock();
        keep(d, &about, json, strlen(json));
        ranks_unlock();
    }
    d->taken += images;
    free(json);
}

static void add_known(dealing *d, size_t number, piece files, size_t images,
                      json_t *object)
{
    if (number != d->number)
        d->taken = 0;
    d->number = number;
    add(d, files, images, object, 1);
    if (number == ranks_rank())
        d->own = d->taken;
}

void dealing_known(dealing *d, size_t number, const outcomes *o)
{
    piece files = {o->from, o->to};

    add_known(d, number, files, o->images, journal_line_write(o));
}

void dealing_known_line(dealing *d, size_t number, piece files, json_t *line)
{
    add_known(d, number, files, files.to - files.from, line);
}

size_t dealing_own(const dealing *d)
{
    return d->own;
}

void dealing_found(dealing *d, const outcomes *o)
{
    piece files = {o->from, o->to};

    add(d, files, o->images, journal_line_write(o), 0);
}

void dealing_found_line(dealing *d, piece files, json_t *line)
{
    add(d, files, files.to - files.from, line, 0);
}

void dealing_gather(dealing *d)
{
    size_t missing = ranks_count() - 1;
    ranks_message m;

    d->number = ranks_rank();
    d->taken = d->own;
    if (ranks_rank() > 0) {
        send_lines(d, GATHERED);
        return;
    }
    for (; missing > 0; missing -= m.tag == GATHERED) {
        ranks_take(&m);
        keep_all(d, m.bytes, 1);
        free(m.bytes);
    }
}

/* ---- dealing ------------------------------------------------------------- */

/* 1, or 0 if there is none. */
static int deal(dealing *d, piece *out)
{
    if (!d->stopped && !signals_stop() && pieces_next(&d->left, out))
        return 1;
    *out = (piece){0, 0};
    return 0;
}

/* 1 while others will still ask. */
static int handle(void *data, const ranks_message *m)
{
    dealing *d = data;
    char text[48];
    piece next;

    keep_all(d, m->bytes, 0);
    d->stopped |= m->tag == STOP;
    if (m->tag == FOUND)
        return 1;
    d->away -= !deal(d, &next);
    snprintf(text, sizeof(text), "%zu %zu", next.from, next.to);
    ranks_send(m->from, GIVE, text, strlen(text));
    return d->away > 0;
}

int dealing_serve(dealing *d)
{
    d->serves = ranks_rank() == 0 && d->away > 0;
    return d->serves ? ranks_serve(handle, d) : 0;
}

int dealing_next(dealing *d, piece *out)
{
    ranks_message m;
    int more;

    if (ranks_rank() == 0) {
        ranks_lock();
        more = deal(d, out);
        ranks_unlock();
        if (!more && d->serves)
            ranks_served();
        d->serves &= more;
        return more;
    }
    send_lines(d, signals_stop() ? STOP : ASK);
    ranks_take(&m);
    more = sscanf(m.bytes, "%zu %zu", &out->from, &out->to) == 2 &&
           out->to > out->from;
    free(m.bytes);
    return more;
}

size_t dealing_done(dealing *d, size_t *known)
{
    ranks_lock();
    size_t done = d->done;
    *known = d->known;
    ranks_unlock();
    return done;
}

/* ---- what was found ------------------------------------------------------ */

static int by_files(const void *a, const void *b)
{
    const dealing_line *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

int dealing_damaged(const dealing_line *l)
{
    message_failed("what a rank says of image %zu is damaged", l->from + 1);
    return -1;
}

int dealing_each(dealing *d, dealing_take *take, void *data)
{
    size_t at = d->from;
    int result = 0;

    qsort(d->lines, d->count, sizeof(*d->lines), by_files);
    for (size_t i = 0; i < d->count && result == 0; i++) {
        const dealing_line *l = &d->lines[i];

        if (l->from != at)
            break;
        json_t *object = json_loads(l->json, 0, NULL);
        result = object ? take(data, l, object) : dealing_damaged(l);
        json_decref(object);
        at = l->to;
    }
    if (result == 0 && at < d->to && !d->stopped && !signals_stop()) {
        message_failed("no rank says anything of image %zu", at + 1);
        result = -1;
    }
    return result;
}

/* Outcomes that are put together. */
typedef struct collecting {
    const evaluate_sink *sink;
    outcomes *o;
    journal j;
    double *walls;         /* of each journal */
} collecting;

/* The seconds of the journal that has most. */
static double longest(const double *walls, size_t count)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = walls[i] > most ? walls[i] : most;
    return most;
}

static int collect(void *data, const dealing_line *l, json_t *object)
{
    collecting *c = data;
    double before = c->o->wall;
    outcomes next;

    c->j.next = l->from;
    c->j.files = l->to;
    if (journal_line_read(&c->j, object, &next) != 0)
        return dealing_damaged(l);
    int result = outcomes_append(c->o, &next);
    if (result == 0 && c->sink && c->sink->gather && next.images > 0)
        result = c->sink->gather(c->sink->data, l->journal, l->first,
                                 next.images);
    outcomes_free(&next);
    if (l->known)
        c->walls[l->journal] += c->o->wall - before;
    return result == 0 ? 0 : -1;
}

int dealing_collect(dealing *d, const evaluate_request *r, outcomes *o)
{
    collecting c = {r->sink, o,
                    {.classes = r->classes->count, .run_count = r->run_count,
                     .depth = r->depth, .width = r->width,
                     .all = r->files->count}, NULL};
    size_t journals = 0;

    outcomes_begin(o, r->run_count, r->depth, r->width);
    outcomes_clear(o, r->from);
    o->end = r->to;
    o->ranks = ranks_count();
    for (size_t i = 0; i < d->count; i++)
        if (d->lines[i].journal >= journals)
            journals = d->lines[i].journal + 1;
    c.walls = memory_zero(journals, sizeof(*c.walls));
    int result = dealing_each(d, collect, &c);
    o->wall = longest(c.walls, journals) + clock_seconds() - d->began;
    free(c.walls);
    return result;
}

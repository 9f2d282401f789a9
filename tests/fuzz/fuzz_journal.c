/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a journal: gone on with, joined, or refused in one line. The
 * first letter says whose: E of an evaluation, K of one that keeps embeddings,
 * R of one of several ranks, S of a search, B of pictures as bytes; the lines
 * behind its first follow. An input that begins with '{' is the whole file.
 * What was read is read again the same, with nothing left to cut.
 */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/base/message.h"
#include "../../src/bytes/byte_journal.h"
#include "../../src/evaluation/join.h"
#include "../../src/evaluation/journal.h"
#include "../../src/evaluation/journal_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 6, CLASSES = 7, RUNS = 2, DEPTH = 3, WIDTH = 2 };

static void require(int condition)
{
    if (!condition)
        abort();
}

/* What the first line has. */
static json_t *new_settings(void)
{
    return json_pack("{s:i,s:s,s:n}", "--seed", 1, "--cpu", "scalar",
                     "--part");
}

static json_t *new_command(void)
{
    return json_pack("[s,s]", "eval", "val");
}

/* A file with the first line and what follows the letter. */
static const char *write_journal(const uint8_t *data, size_t size)
{
    json_t *settings = new_settings(), *command = new_command();
    char *first = json_dumps(settings, JSON_COMPACT | JSON_SORT_KEYS);
    char *last = json_dumps(command, JSON_COMPACT), *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    const char *path;

    require(file != NULL);
    fprintf(file, "{\"tomerge_journal\":%d,\"settings\":%s,\"command\":%s}\n",
            JOURNAL_FORMAT, first, last);
    fwrite(data + 1, 1, size - 1, file);
    fclose(file);
    path = fuzz_file((const uint8_t *)text, length);
    json_decref(settings);
    json_decref(command);
    free(first);
    free(last);
    free(text);
    return path;
}

static void remove_rest(const char *path)
{
    char rest[300];

    snprintf(rest, sizeof(rest), "%s.rest", path);
    unlink(rest);
}

/* ---- evaluations --------------------------------------------------------- */

static void check(const outcomes *o, size_t from)
{
    require(o->from >= from && o->from < o->to && o->to <= FILES);
    require(o->images + o->refused_count == o->to - o->from);
    for (size_t i = 0; i < o->images; i++)
        require(o->file[i] >= o->from && o->file[i] < o->to);
    for (size_t i = 0; i < o->refused_count; i++)
        require(o->refused[i].file >= o->from && o->refused[i].file < o->to);
    for (size_t i = 0; i < o->images * RUNS; i++)
        for (size_t k = 0; k < OUTCOME_TOP; k++)
            require(o->items[i].index[k] < CLASSES &&
                    o->items[i].index[k] >= (k ? -1 : 0));
    for (size_t i = 0; i < o->kept_count * RUNS * o->width; i++)
        require(isfinite(o->kept[i]));
}

/* Written and read, a line stays what it is. */
static void check_line(const journal *j, const outcomes *o)
{
    json_t *line = journal_line_write(o), *same;
    journal at = *j;
    outcomes again;

    at.next = o->from;
    require(journal_line_read(&at, line, &again) == 0);
    same = journal_line_write(&again);
    require(json_equal(line, same));
    json_decref(line);
    json_decref(same);
    outcomes_free(&again);
}

/* How many lines were taken. */
static size_t read_lines(journal *j, char kind)
{
    size_t lines = 0, from = kind == 'R' ? 2 : 0;
    outcomes o;

    journal_of(j, from, FILES, FILES, kind == 'K' ? WIDTH : 0);
    j->scattered = kind == 'R';
    for (; journal_next(j, &o) > 0; lines++) {
        check(&o, kind == 'R' ? 0 : from);
        check_line(j, &o);
        from = o.to;
        outcomes_free(&o);
    }
    return lines;
}

/* Three evaluations of a search, of fewer and fewer files. */
static size_t read_sections(journal *j)
{
    size_t lines = 0;
    outcomes o;

    for (size_t i = 0; i < 3; i++) {
        json_t *asked = json_pack("{s:i}", "evaluate", (int)i);
        int begun = journal_section(j, asked, FILES - i, RUNS);

        json_decref(asked);
        if (begun != 0)
            break;
        while (journal_next(j, &o) > 0) {
            check(&o, 0);
            outcomes_free(&o);
            lines++;
        }
    }
    return lines;
}

static int go_on(const char *path, char kind, size_t *lines)
{
    json_t *settings = new_settings(), *command = new_command();
    journal j;
    int opened = journal_open(&j, path, settings, command, CLASSES,
                              RUNS, DEPTH) == 0;

    if (opened) {
        *lines = kind == 'S' ? read_sections(&j) : read_lines(&j, kind);
        journal_is_due(&j);
        journal_close(&j);
    }
    json_decref(settings);
    json_decref(command);
    return opened;
}

static void join(const char *path)
{
    char *paths[] = {strdup(path)};
    classes c = {.count = CLASSES};
    json_t *settings = new_settings();
    outcomes o;
    folder f;

    memset(&f, 0, sizeof(f));
    for (size_t i = 0; i < FILES; i++)
        folder_add(&f, "a.png");
    evaluate_request r = {.files = &f, .classes = &c, .run_count = RUNS,
                          .depth = DEPTH, .topk = OUTCOME_TOP, .to = FILES};
    if (join_outcomes(paths, 1, settings, &r, &o) == 0)
        require(o.from == 0 && o.to == FILES);
    outcomes_free(&o);
    json_decref(join_computed(settings));
    json_decref(settings);
    folder_free(&f);
    free(paths[0]);
}

/* ---- pictures as bytes --------------------------------------------------- */

static int go_on_bytes(const char *path, size_t *done)
{
    json_t *settings = new_settings(), *command = new_command();
    double worth[FILES * WIDTH] = {0};
    byte_journal j;
    int opened = byte_journal_open(&j, path, settings, command, WIDTH, worth,
                                   FILES, done) == 0;

    require(*done <= FILES);
    if (opened && *done < FILES) {      /* and one more */
        require(byte_journal_add(&j, worth) == 0 &&
                byte_journal_flush(&j) == 0);
        ++*done;
    }
    byte_journal_close(&j);
    json_decref(settings);
    json_decref(command);
    return opened;
}

static void join_bytes(const char *path)
{
    byte_journal j;
    json_t *settings = byte_journal_begin(&j, path, WIDTH);
    double worth[FILES * WIDTH] = {0};
    range r = {path, 0, 0, 0};

    if (settings && join_part_of(settings, FILES, &r) == 0) {
        require(r.from <= r.to && r.to <= FILES);
        byte_journal_read(&j, worth + r.from * WIDTH, r.to - r.from, &r.done);
        require(r.done <= r.to - r.from);
    }
    json_decref(settings);
    if (j.file)
        fclose(j.file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char kind = size ? (char)data[0] : 'E';
    size_t first = 0, again = 0;
    const char *path;

    message_hold("fuzz");
    if (size == 0 || kind == '{')
        path = fuzz_file(data, size);
    else
        path = write_journal(data, size);
    join(path);
    join_bytes(path);
    json_decref(join_command(path));
    if (kind == 'B' && go_on_bytes(path, &first))
        require(go_on_bytes(path, &again) &&
                again == (first < FILES ? first + 1 : first));
    else if (kind != 'B' && go_on(path, kind, &first))
        require(go_on(path, kind, &again) && first == again);
    remove_rest(path);
    message_release(0);
    return 0;
}

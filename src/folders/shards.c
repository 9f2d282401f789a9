/* SPDX-License-Identifier: MIT */
/* The images of archives, as a folder of them. */
#include "config.h"

#include "shards.h"

#include "../base/memory.h"
#include "../base/texts.h"
#include "archive.h"
#include "label_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { LABEL_BYTES = 1 << 16, MOST_SHARDS = 100000 };

/* What a file beside an image says of it. */
typedef struct label {
    const char *stem;      /* archive, folders and name up to the first dot */
    const char *text;      /* NULL: what it says cannot be used */
    const char *why;       /* of such a one */
    int json;              /* 1: counts only where no other does */
} label;

/* Another name for an image that came before, whose place is kept. */
typedef struct hard_link {
    size_t file;           /* in the folder */
    char *target;          /* "archive/folder/name" */
} hard_link;

typedef struct listing {
    folder *out;
    folder_refuse *refuse;
    void *data;
    int classes;           /* labels are wanted */
    label *labels;         /* of one archive */
    size_t label_count, label_capacity;
    texts label_texts;
    hard_link *links;      /* of one archive */
    size_t link_count, link_capacity;
} listing;

static void refuse(listing *l, const char *path, const char *name,
                   const char *reason)
{
    char line[FOLDER_WHY];

    snprintf(line, sizeof(line), "%.250s%s%.150s: %.100s", path,
             name[0] != '\0' ? "/" : "", name, reason);
    l->refuse(l->data, line);
}

/* ---- names --------------------------------------------------------------- */

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

/* Names with "./" or "/" before them are those without. */
static const char *plain(const char *name)
{
    while (name[0] == '/' || strncmp(name, "./", 2) == 0)
        name += name[0] == '/' ? 1 : 2;
    return name;
}

/* A part of it begins with a dot. */
static int is_hidden(const char *name)
{
    return name[0] == '.' || strstr(name, "/.");
}

/* A part of it goes up, to where there is nothing of the archive. */
static int goes_up(const char *name)
{
    size_t length;

    for (; *name != '\0'; name += length + (name[length] == '/')) {
        length = strcspn(name, "/");
        if (length == 2 && name[0] == '.' && name[1] == '.')
            return 1;
    }
    return 0;
}

/* "archive/folder/name" up to the first dot in the name. */
static char *stem_of(const char *path)
{
    char *stem = memory_text(path), *dot = strchr(base_name(stem), '.');

    if (dot)
        *dot = '\0';
    return stem;
}

/* ---- labels in the archive ----------------------------------------------- */

/* What a member says, or why that cannot be used; neither if it is of other
 * things. */
static char *read_label(archive_reader *r, int json, char why[LABEL_WHY])
{
    char reason[SOURCE_WHY];
    size_t count;
    char *bytes = (char *)archive_read_member(r, LABEL_BYTES, &count, reason);

    if (!bytes) {
        snprintf(why, LABEL_WHY, "%.100s", reason);
        return NULL;
    }
    char *whole = memory_zero(count + 1, 1);
    memcpy(whole, bytes, count);
    free(bytes);
    char *text = json ? label_in_json(whole, count, why)
                      : label_in_text(whole, why);
    free(whole);
    return text;
}

/* A file beside images that may say what one of them shows. */
static void take_label(listing *l, archive_reader *r, const char *path)
{
    int json = strcasecmp(strrchr(path, '.'), ".json") == 0;
    char why[LABEL_WHY];
    char *text = read_label(r, json, why);

    if (!text && why[0] == '\0')
        return;
    l->labels = memory_grow(l->labels, l->label_count, &l->label_capacity,
                            sizeof(*l->labels));
    char *stem = stem_of(path);
    label *to = &l->labels[l->label_count++];
    *to = (label){texts_keep(&l->label_texts, stem, strlen(stem)), NULL, NULL,
                  json};
    if (text)
        to->text = texts_keep(&l->label_texts, text, strlen(text));
    else
        to->why = texts_keep(&l->label_texts, why, strlen(why));
    free(stem);
    free(text);
}

static int compare_labels(const void *a, const void *b)
{
    const label *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);

    return order != 0 ? order : x->json - y->json;
}

static int is_label(const char *name)
{
    const char *ending = strrchr(base_name(name), '.');

    return ending && (strcasecmp(ending, ".cls") == 0 ||
                      strcasecmp(ending, ".json") == 0);
}

/* The label of an image in a file of one kind; NULL: there is none. */
static const label *find_label(const listing *l, const char *stem, int json)
{
    label wanted = {stem, NULL, NULL, json};

    return bsearch(&wanted, l->labels, l->label_count, sizeof(*l->labels),
                   compare_labels);
}

/* Gives every image of an archive, those from `first` on, the text that was
 * found for it, and names those whose label cannot be used; what was found goes
 * then. */
static void give_labels(listing *l, size_t first)
{
    folder *f = l->out;

    if (l->label_count > 1)
        qsort(l->labels, l->label_count, sizeof(*l->labels), compare_labels);
    for (size_t i = first; i < f->count && l->label_count > 0; i++) {
        char *stem = stem_of(f->files[i].path);
        const label *text = find_label(l, stem, 0);
        const label *json = find_label(l, stem, 1);
        const label *found = json && (!text || (!text->text && json->text))
                                 ? json : text;
        char line[FOLDER_WHY];

        if (found && found->text)
            f->files[i].given = texts_keep(&f->names, found->text,
                                           strlen(found->text));
        else if (found && l->classes) {
            snprintf(line, sizeof(line), "%.250s.%s: %.200s", stem,
                     found->json ? "json" : "cls", found->why);
            l->refuse(l->data, line);
        }
        free(stem);
    }
    l->label_count = 0;
    texts_free(&l->label_texts);
}

/* ---- members ------------------------------------------------------------- */

static void take_link(listing *l, source *from, const archive_member *member,
                      const char *path, const char *name)
{
    hard_link *link;

    l->links = memory_grow(l->links, l->link_count, &l->link_capacity,
                           sizeof(*l->links));
    link = &l->links[l->link_count++];
    link->file = l->out->count;
    link->target = memory_path(from->path, plain(member->same_as));
    folder_add_member(l->out, from, member->index, path, name);
}

static void take_member(listing *l, archive_reader *r, source *from,
                        const archive_member *member)
{
    const char *name = plain(member->name);
    int image = *folder_ending(name) != '\0';
    char *path = memory_path(from->path, name);

    if (image && goes_up(name))
        refuse(l, from->path, name, "its name leads out of the archive");
    else if (name[0] == '\0' || is_hidden(name))
        ;
    else if (image && member->same_as)
        take_link(l, from, member, path, name);
    else if (image && member->regular)
        folder_add_member(l->out, from, member->index, path, name);
    else if (member->regular && is_label(name))
        take_label(l, r, path);
    else
        l->out->skipped += member->regular || image;
    free(path);
}

/* ---- hard links ---------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const folder_file *x = *(folder_file *const *)a;
    const folder_file *y = *(folder_file *const *)b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : (x > y) - (x < y);
}

/* The first image of that path among sorted[count]; NULL if there is none. */
static folder_file *find_image(folder_file **sorted, size_t count,
                               const char *path)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(sorted[low]->path, path) == 0 ? sorted[low]
                                                               : NULL;
}

/* Of the archive whose images are those from `first` on: a link has the bytes
 * of what it names, which may be a link that came before; those of none go. */
static void resolve_links(listing *l, size_t first)
{
    folder *f = l->out;
    size_t count = f->count - first, kept = first, next = 0;
    folder_file **sorted = memory_zero(count + 1, sizeof(*sorted));

    for (size_t i = 0; i < count && l->link_count > 0; i++)
        sorted[i] = &f->files[first + i];
    if (l->link_count > 0)
        qsort(sorted, count, sizeof(*sorted), compare_places);
    for (size_t i = 0; i < l->link_count; i++) {
        folder_file *file = &f->files[l->links[i].file];
        folder_file *target = find_image(sorted, count, l->links[i].target);
        if (target && target < file)
            file->member = target->member;
        else
            file->member = SIZE_MAX;
    }
    for (size_t i = first; i < f->count && l->link_count > 0; i++) {
        int link = next < l->link_count && l->links[next].file == i;
        if (link && f->files[i].member == SIZE_MAX) {
            refuse(l, f->files[i].path, "", "a link to no image before it");
        } else {
            f->files[kept++] = f->files[i];
        }
        next += (size_t)link;
    }
    f->count = l->link_count > 0 ? kept : f->count;
    for (size_t i = 0; i < l->link_count; i++)
        free(l->links[i].target);
    l->link_count = 0;
    free(sorted);
}

/* One archive; 0 if it cannot be opened, or nothing of it be read. */
static int list_one(listing *l, const char *path, char *why)
{
    char reason[SOURCE_WHY];
    archive_reader *r = archive_open(path, reason);
    archive_member member;
    size_t first = l->out->count;
    int result = 1, any = 0;

    if (!r) {
        snprintf(why, FOLDER_WHY, "%.250s: %s", path, reason);
        return 0;
    }
    source *from = archive_source(path);
    folder_own(l->out, from);
    while ((result = archive_next(r, &member, reason)) > 0) {
        any = 1;
        take_member(l, r, from, &member);
    }
    archive_close(r);
    resolve_links(l, first);
    give_labels(l, first);
    if (result < 0 && any)
        refuse(l, path, "", reason);
    if (result < 0 && !any)
        snprintf(why, FOLDER_WHY, "%.250s: %s", path, reason);
    return any || result == 0;
}

/* "a-{08..11}.tar" is four paths, each given to list_one. */
static int list_all(listing *l, const char *path, char *why)
{
    const char *open = strchr(path, '{');
    unsigned long long first, last;
    int begin = 0, end = 0, done = 0;

    if (!open ||
        sscanf(open, "{%llu%n..%llu}%n", &first, &begin, &last, &done) != 2 ||
        done == 0)
        return list_one(l, path, why);
    end = begin - 1;           /* digits of the first number */
    if (first > last || last - first >= MOST_SHARDS) {
        snprintf(why, FOLDER_WHY, "%.400s: not a range of archives", path);
        return 0;
    }
    for (unsigned long long i = first; i <= last; i++) {
        size_t size = strlen(path) + 32;
        char *one = memory_zero(size, 1);
        snprintf(one, size, "%.*s%0*llu%s", (int)(open - path), path, end, i,
                 open + done);
        int listed = list_one(l, one, why);
        free(one);
        if (!listed)
            return 0;
    }
    return 1;
}

/* ---- folders in the archive ---------------------------------------------- */

/* How many of the first `count` bytes two names have in common, whole folders
 * with their slashes only. */
static size_t common_folders(const char *a, const char *b, size_t count)
{
    size_t same = 0;

    for (size_t i = 0; i < count && a[i] != '\0' && a[i] == b[i]; i++)
        if (a[i] == '/')
            same = i + 1;
    return same;
}

/* Where the last folder of a name begins; 0 of none. */
static size_t last_folder(const char *name)
{
    const char *slash = strrchr(name, '/');

    while (slash && slash > name && slash[-1] != '/')
        slash--;
    return slash ? (size_t)(slash - name) : 0;
}

/* Takes the folders off that all names begin with, but so that each keeps its
 * last one if there are to be `groups`. */
static void strip_common(folder *f, int groups)
{
    size_t length = f->count > 0 ? strlen(f->files[0].name) : 0;

    for (size_t i = 0; i < f->count && length > 0; i++) {
        const char *name = f->files[i].name;
        length = common_folders(f->files[0].name, name, length);
        if (groups && length > last_folder(name))
            length = last_folder(name);
    }
    for (size_t i = 0; i < f->count; i++)
        f->files[i].name += length;
}

/* Groups are the first folders; images in none are strays. */
static void make_groups(folder *f)
{
    const char **names = memory_zero(f->count + 1, sizeof(*names));
    const char *last = "";
    texts kept = {0};

    for (size_t i = 0; i < f->count; i++) {
        const char *name = f->files[i].name;
        size_t length = strcspn(name, "/");
        if (name[length] == '\0')
            continue;
        if (strlen(last) != length || memcmp(last, name, length) != 0)
            last = texts_keep(&kept, name, length);
        names[i] = last;
    }
    folder_group(f, names);
    free(names);
    texts_free(&kept);
}

static int gives_labels(const folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->files[i].given)
            return 1;
    return 0;
}

int shards_are(const char *path)
{
    struct stat s;

    return archive_recognised(path) ||
           (strchr(path, '{') && stat(path, &s) != 0);
}

int shards_list(const char *path, int classes, folder *out,
                folder_refuse *say, void *data, char *why)
{
    listing l = {.out = out, .refuse = say, .data = data,
                 .classes = classes};

    memset(out, 0, sizeof(*out));
    why[0] = '\0';
    int listed = list_all(&l, path, why);
    free(l.links);
    free(l.labels);
    int grouped = classes && !gives_labels(out);
    strip_common(out, grouped);
    if (listed && grouped)
        make_groups(out);
    if (listed && out->count > 0)
        return 0;
    if (why[0] == '\0')
        snprintf(why, FOLDER_WHY, "%.400s: %s", path, out->strays > 0
                 ? "no class folders in it (images without need --labels)"
                 : "no images in it");
    folder_free(out);
    return -1;
}

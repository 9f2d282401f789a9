/* SPDX-License-Identifier: MIT */
/* Pickles: the stack, the lists made from it, the memo. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pickle_stack.h"

enum { MEMO_MOST = VIT_PICKLE_STEPS };

int tomevit_pk_no_memory(const vit_pk *m)
{
    return tomevit_fail(m->report, TOMEVIT_ENOMEM, "%s: out of memory",
                        m->name);
}

int tomevit_pk_wrong(const vit_pk *m, const char *what)
{
    return tomevit_fail(m->report, TOMEVIT_EFORMAT, "%s: byte %zu: %s",
                        m->name, m->opcode, what);
}

int tomevit_pk_step(vit_pk *m, size_t steps)
{
    if (steps > VIT_PICKLE_STEPS - m->steps)
        return tomevit_pk_wrong(m, "more values than any checkpoint has");
    m->steps += steps;
    return 0;
}

/* Room for one more of `count` pointers. 1, or 0 without memory. */
static int make_room(vit_value ***list, size_t count, size_t *room)
{
    size_t more = *room ? 2 * *room : 8;
    vit_value **bigger;

    if (count < *room)
        return 1;
    bigger = realloc(*list, more * sizeof(**list));
    if (!bigger)
        return 0;
    *list = bigger;
    *room = more;
    return 1;
}

/* ---- values -------------------------------------------------------------- */

int tomevit_pk_push(vit_pk *m, vit_value *value)
{
    if (!make_room(&m->stack, m->depth, &m->stack_room))
        return tomevit_pk_no_memory(m);
    m->stack[m->depth++] = value;
    return 0;
}

int tomevit_pk_push_new(vit_pk *m, vit_value value)
{
    vit_value *place = tomevit_region_take(&m->pickle->region, sizeof(*place));

    if (!place)
        return tomevit_pk_no_memory(m);
    *place = value;
    return tomevit_pk_push(m, place);
}

int tomevit_pk_push_kind(vit_pk *m, int kind)
{
    return tomevit_pk_push_new(m, (vit_value){.kind = kind});
}

vit_value *tomevit_pk_top(const vit_pk *m)
{
    return m->depth ? m->stack[m->depth - 1] : NULL;
}

vit_value *tomevit_pk_pop(vit_pk *m)
{
    vit_value *value = tomevit_pk_top(m);

    m->depth -= value != NULL;
    return value;
}

/* Without the step a small pickle could copy a long list for ever. */
int tomevit_pk_append(vit_pk *m, vit_value *list, vit_value *const *from,
                  size_t count)
{
    vit_pickle *p = m->pickle;
    size_t i;
    int code = tomevit_pk_step(m, count);

    if (code)
        return code;
    if (count && !list->list.items) {
        if (!make_room(&p->lists, p->lists_count, &p->lists_room))
            return tomevit_pk_no_memory(m);
        p->lists[p->lists_count++] = list;
    }
    for (i = 0; i < count; i++) {
        if (!make_room(&list->list.items, list->list.count, &list->list.room))
            return tomevit_pk_no_memory(m);
        list->list.items[list->list.count++] = from[i];
    }
    return 0;
}

/* Makes a list of the `count` values on top, in their place. */
static int gather(vit_pk *m, int kind, size_t count)
{
    vit_value **from;
    int code;

    if (kind == VIT_DICT && count % 2)
        return tomevit_pk_wrong(m, "a dict with a key that has no value");
    code = tomevit_pk_push_kind(m, kind);
    if (code)
        return code;
    from = m->stack + m->depth - 1 - count;
    code = tomevit_pk_append(m, tomevit_pk_top(m), from, count);
    *from = tomevit_pk_top(m);
    m->depth -= count;
    return code;
}

int tomevit_pk_above_mark(const vit_pk *m, size_t *count)
{
    for (*count = 0; *count < m->depth; ++*count)
        if (!m->stack[m->depth - 1 - *count])
            return 1;
    return 0;
}

int tomevit_pk_gather_marked(vit_pk *m, int kind)
{
    size_t count;
    int code;

    if (!tomevit_pk_above_mark(m, &count))
        return tomevit_pk_wrong(m, "expected a mark on the stack, found none");
    code = gather(m, kind, count);
    if (!code) {
        m->stack[m->depth - 2] = m->stack[m->depth - 1];
        m->depth--;
    }
    return code;
}

int tomevit_pk_gather_top(vit_pk *m, int kind, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (i >= m->depth || !m->stack[m->depth - 1 - i])
            return tomevit_pk_wrong(m, "expected more values on the stack");
    return gather(m, kind, count);
}

/* The top `count` values go to the end of the list or dict below them. */
static int extend(vit_pk *m, int kind, size_t count, size_t marks)
{
    vit_value *list;
    int code = 0;

    if (m->depth < count + marks + 1 ||
        !(list = m->stack[m->depth - count - marks - 1]))
        return tomevit_pk_wrong(m, "expected something to add to, found none");
    if (list->kind != kind && list->kind != VIT_OPAQUE)
        return tomevit_pk_wrong(m, "what is added to is neither list nor dict");
    if (kind == VIT_DICT && count % 2)
        return tomevit_pk_wrong(m, "a dict with a key that has no value");
    if (list->kind == kind)
        code = tomevit_pk_append(m, list, m->stack + m->depth - count, count);
    m->depth -= count + marks;
    return code;
}

int tomevit_pk_extend_marked(vit_pk *m, int kind)
{
    size_t count;

    if (!tomevit_pk_above_mark(m, &count))
        return tomevit_pk_wrong(m, "expected a mark on the stack, found none");
    return extend(m, kind, count, 1);
}

int tomevit_pk_extend_top(vit_pk *m, int kind, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (i >= m->depth || !m->stack[m->depth - 1 - i])
            return tomevit_pk_wrong(m, "expected more values on the stack");
    return extend(m, kind, count, 0);
}

/* ---- memo ---------------------------------------------------------------- */

int tomevit_pk_put(vit_pk *m, uint64_t index)
{
    vit_value *value = tomevit_pk_top(m);

    if (!value)
        return tomevit_pk_wrong(m, "expected a value to remember");
    if (index >= MEMO_MOST)
        return tomevit_pk_wrong(m, "too many values to remember");
    if (index >= m->memo_room) {
        size_t room = (size_t)index + 1 > 2 * m->memo_room
                          ? (size_t)index + 1 : 2 * m->memo_room;
        vit_value **bigger = realloc(m->memo, room * sizeof(*bigger));

        if (!bigger)
            return tomevit_pk_no_memory(m);
        memset(bigger + m->memo_room, 0,
               (room - m->memo_room) * sizeof(*bigger));
        m->memo = bigger;
        m->memo_room = room;
    }
    m->memo_count += !m->memo[index];
    m->memo[index] = value;
    return 0;
}


int tomevit_pk_get(vit_pk *m, uint64_t index)
{
    if (index >= m->memo_room || !m->memo[index])
        return tomevit_pk_wrong(m, "it recalls a value that was not "
                                "remembered");
    return tomevit_pk_push(m, m->memo[index]);
}

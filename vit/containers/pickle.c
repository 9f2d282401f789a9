/* SPDX-License-Identifier: MIT */
/* Pickles: the stack machine. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "pickle.h"
#include "pickle_stack.h"

/* ---- arguments of opcodes ------------------------------------------------ */

static int skip(vit_pk *m, size_t count)
{
    if (count > m->count - m->at)
        return tomevit_pk_wrong(m, "the pickle is cut short");
    m->at += count;
    return 0;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static int take_number(vit_pk *m, size_t width, uint64_t *number)
{
    const unsigned char *b = m->bytes + m->at;
    int code = skip(m, width);

    if (!code)
        *number = width == 1 ? b[0] : width == 2 ? vit_le16(b)
                : width == 4 ? vit_le32(b) : vit_le64(b);
    return code;
}

/* As many bytes as the number of `width` bytes before them says. */
static int take_counted(vit_pk *m, size_t width, const unsigned char **bytes,
                        size_t *length)
{
    uint64_t number = 0;
    int code = take_number(m, width, &number);

    *bytes = m->bytes + m->at;
    *length = (size_t)number;
    if (!code && number > m->count - m->at)
        return tomevit_pk_wrong(m, "the pickle is cut short");
    return code ? code : skip(m, *length);
}

static int take_text(vit_pk *m, size_t width, int kind)
{
    const unsigned char *b;
    size_t length;
    int code = take_counted(m, width, &b, &length);

    if (code)
        return code;
    return tomevit_pk_push_new(m, kind == VIT_TEXT
        ? (vit_value){.kind = kind, .text = {(const char *)b, length}}
        : (vit_value){.kind = kind});
}

static int push_int(vit_pk *m, int64_t number)
{
    return tomevit_pk_push_new(m, (vit_value){.kind = VIT_INT,
                                              .number = number});
}

/* A signed number of any length; opaque if it does not fit. */
static int take_long(vit_pk *m, size_t width)
{
    const unsigned char *b;
    uint64_t value = 0;
    size_t length, i;
    int code = take_counted(m, width, &b, &length);

    if (code)
        return code;
    if (length > 8)
        return tomevit_pk_push_kind(m, VIT_OPAQUE);
    for (i = 0; i < length; i++)
        value |= (uint64_t)b[i] << 8 * i;
    if (length > 0 && length < 8 && b[length - 1] & 0x80)
        value |= ~(UINT64_MAX >> (64 - 8 * length));
    return push_int(m, (int64_t)value);
}

/* Text up to the end of the line. */
static int take_line(vit_pk *m, const char **text, size_t *length)
{
    const unsigned char *start = m->bytes + m->at;
    const unsigned char *end = memchr(start, '\n', m->count - m->at);

    if (!end)
        return tomevit_pk_wrong(m, "the pickle is cut short");
    *text = (const char *)start;
    *length = (size_t)(end - start);
    m->at += *length + 1;
    return 0;
}

/* ---- names and calls ----------------------------------------------------- */

static int push_global(vit_pk *m, const char *module, size_t module_length,
                       const char *name, size_t name_length)
{
    int known;
    const vit_global *global = tomevit_pickle_global(
        module, module_length, name, name_length, &known);

    if (!known && !m->pickle->unknown.module)
        m->pickle->unknown = (vit_unknown){module, name, module_length,
                                           name_length, m->opcode};
    return tomevit_pk_push_new(m, (vit_value){.kind = VIT_GLOBAL,
                                              .global = global});
}

static int global_by_lines(vit_pk *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    int code = take_line(m, &module, &module_length);

    if (!code)
        code = take_line(m, &name, &name_length);
    return code ? code : push_global(m, module, module_length, name,
                                     name_length);
}

static int global_by_stack(vit_pk *m)
{
    const vit_value *name = tomevit_pk_pop(m), *module = tomevit_pk_pop(m);

    if (!name || !module || name->kind != VIT_TEXT ||
        module->kind != VIT_TEXT)
        return tomevit_pk_wrong(m, "expected two texts to name something by");
    return push_global(m, module->text.start, module->text.length,
                       name->text.start, name->text.length);
}

static int is_list(const vit_value *value)
{
    return value->kind == VIT_TUPLE || value->kind == VIT_LIST;
}

/* An OrderedDict of a list of pairs. */
static int push_dict_of(vit_pk *m, const vit_value *pairs)
{
    vit_value *dict;
    size_t i;
    int code = tomevit_pk_push_kind(m, VIT_DICT);

    dict = tomevit_pk_top(m);
    if (!pairs || !is_list(pairs))
        return code;
    for (i = 0; !code && i < pairs->list.count; i++) {
        const vit_value *pair = pairs->list.items[i];

        if (!is_list(pair) || pair->list.count != 2)
            return tomevit_pk_wrong(m, "expected pairs of keys and values");
        code = tomevit_pk_append(m, dict, pair->list.items, 2);
    }
    return code;
}

/* What a call of `function` with `arguments` gives. */
static int call(vit_pk *m, const vit_value *function, vit_value *arguments)
{
    vit_value **items = arguments->list.items;
    size_t count = arguments->list.count;
    int kind = function->kind == VIT_GLOBAL ? function->global->kind
                                            : VIT_MAKES_OPAQUE;
    vit_value *tensor;

    if (kind == VIT_IS_CALL && count >= 3 && items[0]->kind == VIT_GLOBAL &&
        items[0]->global->kind != VIT_IS_CALL && is_list(items[2]))
        return call(m, items[0], items[2]);
    if (kind == VIT_IS_ARGUMENT && count >= 1)
        return tomevit_pk_push(m, items[0]);
    if (kind == VIT_MAKES_DICT)
        return push_dict_of(m, count == 1 ? items[0] : NULL);
    if (kind == VIT_MAKES_OBJECT)
        return tomevit_pk_push_kind(m, VIT_DICT);
    if (kind != VIT_MAKES_TENSOR)
        return tomevit_pk_push_kind(m, VIT_OPAQUE);
    if (tomevit_pk_push_kind(m, VIT_TENSOR))
        return TOMEVIT_ENOMEM;
    tensor = tomevit_pk_top(m);
    return tomevit_pk_append(m, tensor, items, count);
}

static int reduce(vit_pk *m)
{
    vit_value *arguments = tomevit_pk_pop(m), *function = tomevit_pk_pop(m);

    if (!arguments || !function || !is_list(arguments))
        return tomevit_pk_wrong(m, "expected a name and its arguments");
    return call(m, function, arguments);
}

/* An object's state: kept of dicts that stand for TorchScript modules, whose
 * attributes it is; an OrderedDict's is of no use. */
static int build(vit_pk *m)
{
    vit_value *state = tomevit_pk_pop(m), *object = tomevit_pk_top(m);

    if (!state || !object)
        return tomevit_pk_wrong(m, "expected an object and its state");
    if (object->kind == VIT_DICT && object->list.count == 0 &&
        state->kind == VIT_DICT && state != object)
        return tomevit_pk_append(m, object, state->list.items,
                                 state->list.count);
    return 0;
}

static int persistent(vit_pk *m)
{
    vit_value *id = tomevit_pk_pop(m);

    if (!id || id->kind != VIT_TUPLE || id->list.count == 0 ||
        !tomevit_pickle_is(id->list.items[0], "storage"))
        return tomevit_pk_wrong(m, "expected the id of a storage");
    if (tomevit_pk_push_kind(m, VIT_STORAGE))
        return TOMEVIT_ENOMEM;
    return tomevit_pk_append(m, tomevit_pk_top(m), id->list.items,
                             id->list.count);
}

/* ---- memo ---------------------------------------------------------------- */

static int put_numbered(vit_pk *m, size_t width)
{
    uint64_t index = 0;
    int code = take_number(m, width, &index);

    return code ? code : tomevit_pk_put(m, index);
}

static int get_numbered(vit_pk *m, size_t width)
{
    uint64_t index = 0;
    int code = take_number(m, width, &index);

    return code ? code : tomevit_pk_get(m, index);
}

/* ---- opcodes ------------------------------------------------------------- */

static int pop_mark(vit_pk *m)
{
    size_t count;

    if (!tomevit_pk_above_mark(m, &count))
        return tomevit_pk_wrong(m, "expected a mark on the stack, found none");
    m->depth -= count + 1;
    return 0;
}

/* With arguments by name, which are of no use here, on top. */
static int new_object_named(vit_pk *m)
{
    if (!tomevit_pk_pop(m))
        return tomevit_pk_wrong(m, "expected arguments on the stack");
    return reduce(m);
}

static int copy_top(vit_pk *m)
{
    if (!tomevit_pk_top(m))
        return tomevit_pk_wrong(m, "expected a value to copy");
    return tomevit_pk_push(m, tomevit_pk_top(m));
}

static int numbers(vit_pk *m, int opcode)
{
    uint64_t number = 0;
    int code;

    switch (opcode) {
    case 'K':
        code = take_number(m, 1, &number);
        return code ? code : push_int(m, (int64_t)number);
    case 'M':
        code = take_number(m, 2, &number);
        return code ? code : push_int(m, (int64_t)number);
    case 'J':
        code = take_number(m, 4, &number);
        return code ? code : push_int(m, (int32_t)(uint32_t)number);
    case 0x8a:
        return take_long(m, 1);
    case 0x8b:
        return take_long(m, 4);
    case 'G':
        code = skip(m, 8);
        return code ? code : tomevit_pk_push_kind(m, VIT_OPAQUE);
    case 0x88: case 0x89:
        return tomevit_pk_push_new(m, (vit_value){.kind = VIT_BOOL,
                                       .number = opcode == 0x88});
    default:
        return tomevit_fail(m->report, TOMEVIT_EFORMAT, "%s: byte %zu: opcode "
                            "0x%02x is none that checkpoints are pickled with",
                            m->name, m->opcode, (unsigned)opcode);
    }
}

static int texts(vit_pk *m, int opcode)
{
    switch (opcode) {
    case 'X': return take_text(m, 4, VIT_TEXT);
    case 'T': return take_text(m, 4, VIT_TEXT);
    case 'U': return take_text(m, 1, VIT_TEXT);
    case 0x8c: return take_text(m, 1, VIT_TEXT);
    case 0x8d: return take_text(m, 8, VIT_TEXT);
    case 'B': return take_text(m, 4, VIT_OPAQUE);
    case 'C': return take_text(m, 1, VIT_OPAQUE);
    case 0x8e: return take_text(m, 8, VIT_OPAQUE);
    case 0x96: return take_text(m, 8, VIT_OPAQUE);
    default: return numbers(m, opcode);
    }
}

static int lists(vit_pk *m, int opcode)
{
    switch (opcode) {
    case ')': return tomevit_pk_push_kind(m, VIT_TUPLE);
    case ']': return tomevit_pk_push_kind(m, VIT_LIST);
    case '}': return tomevit_pk_push_kind(m, VIT_DICT);
    case 0x8f: return tomevit_pk_push_kind(m, VIT_LIST);  /* a set */
    case 't': return tomevit_pk_gather_marked(m, VIT_TUPLE);
    case 'l': return tomevit_pk_gather_marked(m, VIT_LIST);
    case 'd': return tomevit_pk_gather_marked(m, VIT_DICT);
    case 0x91: return tomevit_pk_gather_marked(m, VIT_LIST); /* frozenset */
    case 0x85: return tomevit_pk_gather_top(m, VIT_TUPLE, 1);
    case 0x86: return tomevit_pk_gather_top(m, VIT_TUPLE, 2);
    case 0x87: return tomevit_pk_gather_top(m, VIT_TUPLE, 3);
    case 'a': return tomevit_pk_extend_top(m, VIT_LIST, 1);
    case 's': return tomevit_pk_extend_top(m, VIT_DICT, 2);
    case 'e': return tomevit_pk_extend_marked(m, VIT_LIST);
    case 'u': return tomevit_pk_extend_marked(m, VIT_DICT);
    case 0x90: return tomevit_pk_extend_marked(m, VIT_LIST);
    default: return texts(m, opcode);
    }
}

static int step(vit_pk *m, int opcode)
{
    switch (opcode) {
    case 0x80: return skip(m, 1);                       /* the protocol */
    case 0x95: return skip(m, 8);                       /* a frame's length */
    case '(': return tomevit_pk_push(m, NULL);
    case '0': return tomevit_pk_pop(m) ? 0 : pop_mark(m);
    case '1': return pop_mark(m);
    case '2': return copy_top(m);
    case 'N': return tomevit_pk_push_kind(m, VIT_NONE);
    case 'q': return put_numbered(m, 1);
    case 'r': return put_numbered(m, 4);
    case 0x94: return tomevit_pk_put(m, m->memo_count);
    case 'h': return get_numbered(m, 1);
    case 'j': return get_numbered(m, 4);
    case 'c': return global_by_lines(m);
    case 0x93: return global_by_stack(m);
    case 'R': return reduce(m);
    case 0x81: return reduce(m);
    case 0x92: return new_object_named(m);
    case 'b': return build(m);
    case 'Q': return persistent(m);
    default: return lists(m, opcode);
    }
}

static int run(vit_pk *m)
{
    int code = 0;

    while (!code) {
        m->opcode = m->at;
        if (m->at == m->count)
            return tomevit_pk_wrong(m, "the pickle is cut short");
        if (m->bytes[m->at++] == '.')
            break;
        code = tomevit_pk_step(m, 1);
        if (!code)
            code = step(m, m->bytes[m->opcode]);
    }
    if (code)
        return code;
    if (m->depth != 1 || !tomevit_pk_top(m))
        return tomevit_pk_wrong(m, "expected one value at the end");
    m->pickle->root = tomevit_pk_top(m);
    m->pickle->used = m->at;
    return 0;
}

int tomevit_pickle_read(vit_pickle *pickle, const char *name,
                        const unsigned char *bytes, size_t count,
                        const vit_report *report)
{
    vit_pk m = {.pickle = pickle, .name = name, .bytes = bytes,
                 .report = report};
    int code;

    memset(pickle, 0, sizeof(*pickle));
    m.count = count < VIT_PICKLE_BYTES ? count : VIT_PICKLE_BYTES;
    code = run(&m);
    free(m.stack);
    free(m.memo);
    return code;
}

void tomevit_pickle_free(vit_pickle *pickle)
{
    size_t i;

    for (i = 0; i < pickle->lists_count; i++)
        free(pickle->lists[i]->list.items);
    free(pickle->lists);
    tomevit_region_free(&pickle->region);
    memset(pickle, 0, sizeof(*pickle));
}

/* ---- looking into values ------------------------------------------------- */

int tomevit_pickle_is(const vit_value *value, const char *text)
{
    return value->kind == VIT_TEXT && value->text.length == strlen(text) &&
           !memcmp(value->text.start, text, value->text.length);
}

const vit_value *tomevit_pickle_get(const vit_value *dict, const char *key)
{
    size_t i;

    if (dict->kind == VIT_DICT)
        for (i = 0; i + 1 < dict->list.count; i += 2)
            if (tomevit_pickle_is(dict->list.items[i], key))
                return dict->list.items[i + 1];
    return NULL;
}

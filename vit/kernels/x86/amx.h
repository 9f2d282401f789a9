/* SPDX-License-Identifier: MIT */
/*
 * Products with AMX, written once for both types. A tile register is 16 rows
 * of 64 bytes: 16 x 16 sums, 16 rows' chunk of the left side, or 16 words of
 * depth of a panel of 16 columns; each lies contiguous in memory. A tier's
 * file defines, then includes this:
 *
 *   TDP(c, a, b)     the instruction: tile c += tile a x tile b
 *   CELL             type of a sum
 *   and what amx_finish.h asks for
 *
 * Blocks are 32 x 32 sums in four tiles. Leaving the tile registers takes
 * long, and so does what comes then, GELU above all: the rows of a block are
 * finished two at a time between the instructions of the next one. What the
 * next one reads is brought to the caches meanwhile: hardware does not see
 * what loads of tiles are about to want.
 */
#include "amx_finish.h"

enum {
    TILE_ROWS = 16,
    TILE_WORDS = TILE_ROWS * VIT_CHUNK / 4,
    LINE_WORDS = VIT_CHUNK / 4,
    /* Depth of two panels that fill half of an L1 of 48 KiB, and a little. */
    KEPT_CHUNKS = 16
};

/* Where tiles 0 .. 3 hold the sums, 4 and 5 the left side, 6 and 7 the right
 * one, all of full size. */
typedef struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* A constant: gcc 12 takes _tile_loadconfig to read 8 bytes only, and may leave
 * out what was stored to the others of a variable. */
static const tile_config full_tiles = {
    .palette = 1,
    .row_bytes = {VIT_CHUNK, VIT_CHUNK, VIT_CHUNK, VIT_CHUNK,
                  VIT_CHUNK, VIT_CHUNK, VIT_CHUNK, VIT_CHUNK},
    .rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS,
             TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS},
};

/* Operands of a block: its second group of rows and its second panel follow
 * `group` and `panel` further. */
typedef struct operands {
    const unsigned char *a;
    const uint32_t *b;
    size_t group, panel;   /* from one group of rows, one panel to the next */
    size_t chunks;
} operands;

/* Parts of both panels that come next, to be brought to L2 meanwhile. */
typedef struct ahead {
    const uint32_t *panels[2];
    size_t lines;          /* of each with each chunk */
} ahead;

/* The left side comes once by every two panels, and would drive them out of an
 * L1: its loads ask not to be kept there. The panels' ask so too if they do not
 * fit. */
#define LOAD_A _tile_stream_loadd
#define LOAD_B(tile, from)                                                   \
    do {                                                                     \
        if (deep)                                                            \
            _tile_stream_loadd(tile, from, VIT_CHUNK);                       \
        else                                                                 \
            _tile_loadd(tile, from, VIT_CHUNK);                              \
    } while (0)

/* Tiles 0 .. 3 += the block's products; `before` is finished meanwhile. */
INLINE void multiply(int wide, int high, int deep, const operands *o,
                     ahead next, enum vit_finish how, enum target to,
                     pending *before)
{
    const unsigned char *a0 = o->a, *a1 = a0 + o->group;
    const uint32_t *b0 = o->b, *b1 = b0 + o->panel;
    size_t owed = 0;

    for (size_t q = 0; q < o->chunks; q++) {
        LOAD_A(4, a0, VIT_CHUNK);
        LOAD_B(6, b0);
        TDP(0, 4, 6);
        if (wide) {
            LOAD_B(7, b1);
            TDP(1, 4, 7);
        }
        if (high) {
            LOAD_A(5, a1, VIT_CHUNK);
            TDP(2, 5, 6);
            if (wide)
                TDP(3, 5, 7);
        }
        a0 += TILE_WORDS * 4, a1 += TILE_WORDS * 4;
        b0 += TILE_WORDS, b1 += TILE_WORDS;
        for (size_t i = 0; i < next.lines; i++) {
            _mm_prefetch((const char *)next.panels[0], _MM_HINT_T1);
            _mm_prefetch((const char *)next.panels[1], _MM_HINT_T1);
            next.panels[0] += LINE_WORDS;
            next.panels[1] += LINE_WORDS;
        }
        for (owed += before->pairs; owed >= o->chunks; owed -= o->chunks)
            finish_next(how, to, before);
    }
    before->pairs = 0;
}

/* The same for blocks at the edges. */
static void multiply_edge(int wide, int high, const operands *o,
                          enum vit_finish how, enum target to, pending *before)
{
    static const ahead none = {0};

    finish_rest(how, to, before);
    if (wide)
        multiply(1, 0, 0, o, none, VIT_STORE, BARE, before);
    else if (high)
        multiply(0, 1, 0, o, none, VIT_STORE, BARE, before);
    else
        multiply(0, 0, 0, o, none, VIT_STORE, BARE, before);
}

static void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

static void store_sums(void *to, size_t ldc)
{
    CELL *c = to;

    _tile_stored(0, c, ldc * sizeof(*c));
    _tile_stored(1, c + TILE_ROWS, ldc * sizeof(*c));
    _tile_stored(2, c + TILE_ROWS * ldc, ldc * sizeof(*c));
    _tile_stored(3, c + TILE_ROWS * ldc + TILE_ROWS, ldc * sizeof(*c));
}

/* The panels from column j on, to be brought to L2 by as many blocks as there
 * are for the rows. */
static ahead ahead_of(const vit_low *low, const vit_low_product *p, size_t j)
{
    size_t blocks = (p->rows + BLOCK - 1) / BLOCK;
    size_t panel = vit_low_panel(low, p->words);
    const uint32_t *first = p->panels + j / TILE_ROWS * panel;

    if (j + BLOCK > p->n)
        return (ahead){{NULL, NULL}, 0};
    return (ahead){
        {first, first + panel}, (TILE_ROWS + blocks - 1) / blocks,
    };
}

/* All rows by the two panels from column j on. `how` and `to` are constants
 * wherever this is expanded. */
INLINE void multiply_panels(const vit_low *low, const vit_low_product *p,
                            size_t j, enum vit_finish how, enum target to,
                            pending *before)
{
    int wide = j + TILE_ROWS < p->n;
    size_t chunks = p->words / LINE_WORDS;
    operands o = {
        .a = p->a, .group = chunks * TILE_WORDS * 4,
        .panel = vit_low_panel(low, p->words), .chunks = chunks,
    };
    ahead next = ahead_of(low, p, j + BLOCK);

    o.b = p->panels + j / TILE_ROWS * o.panel;
    for (size_t i = 0; i < p->rows; i += BLOCK) {
        int high = i + TILE_ROWS < p->rows;
        CELL *sums = before->ring[i / BLOCK % 2];

        zero_sums();
        if (wide && high && chunks > KEPT_CHUNKS)
            multiply(1, 1, 1, &o, next, how, to, before);
        else if (wide && high)
            multiply(1, 1, 0, &o, next, how, to, before);
        else
            multiply_edge(wide, high, &o, how, to, before);
        o.a += 2 * o.group;
        if (next.lines) {
            next.panels[0] += next.lines * chunks * LINE_WORDS;
            next.panels[1] += next.lines * chunks * LINE_WORDS;
        }
        /* A whole block whose sums are its result, as in attention, goes
         * where it belongs: copying would take as long as its products. */
        if (to == BARE && NARROWS && i + BLOCK <= p->rows &&
            j + BLOCK <= p->n) {
            store_sums(p->y + i * p->ldy + j, p->ldy);
            continue;
        }
        store_sums(sums, BLOCK);
        pending_set(before, to, i, j, sums);
    }
}

INLINE void product_as(const vit_low *low, const vit_low_product *p,
                       enum vit_finish how, enum target to)
{
    pending before;

    pending_init(&before, low, p);
    _tile_loadconfig(&full_tiles);
    for (size_t j = 0; j < p->n; j += BLOCK)
        multiply_panels(low, p, j, how, to, &before);
    finish_rest(how, to, &before);
    _tile_release();
}

typedef void product_function(const vit_low *low, const vit_low_product *p);

#define PRODUCT(name, how, to)                                               \
    static void name(const vit_low *low, const vit_low_product *p)           \
    {                                                                        \
        product_as(low, p, how, to);                                         \
    }
PRODUCT(bare, VIT_STORE, BARE)
PRODUCT(rows_store, VIT_STORE, ROWS)
PRODUCT(rows_gelu, VIT_GELU, ROWS)
PRODUCT(rows_add, VIT_ADD, ROWS)
PRODUCT(rows_gelu_tanh, VIT_GELU_TANH, ROWS)
PRODUCT(rows_quick_gelu, VIT_QUICK_GELU, ROWS)
PRODUCT(rows_silu, VIT_SILU, ROWS)
#if NARROWS
PRODUCT(chunks_store, VIT_STORE, CHUNKS)
PRODUCT(chunks_gelu, VIT_GELU, CHUNKS)
PRODUCT(chunks_gelu_tanh, VIT_GELU_TANH, CHUNKS)
PRODUCT(chunks_quick_gelu, VIT_QUICK_GELU, CHUNKS)
PRODUCT(chunks_silu, VIT_SILU, CHUNKS)
#endif

static product_function *product_for(const vit_low_product *p)
{
    static product_function *const rows[] = {
        [VIT_STORE] = rows_store, [VIT_GELU] = rows_gelu,
        [VIT_ADD] = rows_add, [VIT_GELU_TANH] = rows_gelu_tanh,
        [VIT_QUICK_GELU] = rows_quick_gelu,
        [VIT_SILU] = rows_silu,
    };
#if NARROWS
    static product_function *const chunks[] = {
        [VIT_STORE] = chunks_store, [VIT_GELU] = chunks_gelu,
        [VIT_GELU_TANH] = chunks_gelu_tanh,
        [VIT_QUICK_GELU] = chunks_quick_gelu,
        [VIT_SILU] = chunks_silu,
    };

    if (!p->y)
        return chunks[p->how];
#endif
    return p->bias ? rows[p->how] : bare;
}

static void product(const vit_low *low, const vit_low_product *p)
{
    product_for(p)(low, p);
}

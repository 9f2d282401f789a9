/* SPDX-License-Identifier: MIT */
/* A picture of what was merged. */
#include "groups.h"

#include "../base/memory.h"
#include "../images/draw.h"

#include <stdlib.h>
#include <string.h>

enum {
    HUES = 6 * 255,        /* fully saturated colours of 8 bits */
    COLOURS = 3 * HUES,    /* in three tones */
    SCATTER = 947,         /* HUES times the golden ratio's fraction, made
                            * coprime: hues in a row are far apart */
    NEXT_CHOICE = 2521,    /* coprime to COLOURS, also far along the hues */
    CHOICES = 64,          /* looked at before the best of them is taken */
    CLEAR = 50000          /* a distance that nobody overlooks */
};

static const groups_colour dark = {{26, 26, 30}};

/* ---- groups -------------------------------------------------------------- */

/* Numbers the groups by their first patch: colours then stay with a group
 * while others merge into it. */
static void number_groups(groups *g, size_t numbers, const int32_t *map)
{
    int32_t *number = memory_zero(numbers, sizeof(*number));

    for (size_t i = 0; i < numbers; i++)
        number[i] = -1;
    for (size_t p = 0; p < g->rows * g->columns; p++) {
        if (map[p] >= 0 && number[map[p]] < 0)
            number[map[p]] = (int32_t)g->count++;
        g->group[p] = map[p] < 0 ? -1 : number[map[p]];
        g->dropped += map[p] < 0;
    }
    free(number);
}

static void find_means(groups *g, const uint8_t *crop)
{
    uint64_t (*sum)[4] = memory_zero(g->count, sizeof(*sum));
    size_t width = g->columns * g->patch;

    for (size_t y = 0; y < g->rows * g->patch; y++) {
        const int32_t *group = g->group + y / g->patch * g->columns;
        for (size_t x = 0; x < width; x++) {
            int32_t i = group[x / g->patch];
            if (i < 0)
                continue;
            for (size_t c = 0; c < 3; c++)
                sum[i][c] += crop[(y * width + x) * 3 + c];
            sum[i][3]++;
        }
    }
    for (size_t i = 0; i < g->count; i++)
        for (size_t c = 0; c < 3; c++)
            g->fill[i].rgb[c] = (uint8_t)((sum[i][c] + sum[i][3] / 2) /
                                          sum[i][3]);
    free(sum);
}

/* ---- colours of lines ---------------------------------------------------- */

/* Colour `number` of COLOURS: vivid, light or deep. */
static groups_colour numbered(size_t number)
{
    unsigned hue = (unsigned)(number % HUES * SCATTER % HUES);
    unsigned rising = hue % 255, falling = 255 - rising;
    const unsigned wheel[6][3] = {
        {255, rising, 0}, {falling, 255, 0}, {0, 255, rising},
        {0, falling, 255}, {rising, 0, 255}, {255, 0, falling}
    };
    groups_colour colour;

    for (size_t c = 0; c < 3; c++) {
        unsigned v = wheel[hue / 255][c];
        switch ((number + number / HUES) % 3) {
        case 0:
            v = 255 - (255 - v) * 5 / 6;
            break;
        case 1:
            v = 255 - (255 - v) / 2;
            break;
        default:
            v = v * 4 / 5;
        }
        colour.rgb[c] = (uint8_t)v;
    }
    return colour;
}

/* Squared, with each channel's share of how different two colours look. */
static unsigned distance(groups_colour a, groups_colour b)
{
    static const int weight[3] = {2, 4, 3};
    int sum = 0;

    for (size_t c = 0; c < 3; c++) {
        int d = (int)a.rgb[c] - (int)b.rgb[c];
        sum += weight[c] * d * d;
    }
    return (unsigned)sum;
}

/* The patch `across` and `down` (-1 .. 1) of p, or -1 outside of the crop. */
static long neighbour(const groups *g, size_t p, int across, int down)
{
    long columns = (long)g->columns, rows = (long)g->rows;
    long x = (long)p % columns + across, y = (long)p / columns + down;

    return x < 0 || y < 0 || x >= columns || y >= rows ? -1 : y * columns + x;
}

/* How far a colour is from what it must be told from: half the distance
 * counts where it meets the group's own fill. */
static unsigned clearness(const groups *g, const size_t *members, size_t count,
                          int32_t group, groups_colour colour)
{
    unsigned least = 2 * distance(colour, g->fill[group]);

    for (size_t i = 0; i < count; i++) {
        for (int d = 0; d < 9; d++) {
            long p = neighbour(g, members[i], d % 3 - 1, d / 3 - 1);
            if (p < 0 || g->group[p] < 0 || g->group[p] >= group)
                continue;
            unsigned apart = distance(colour, g->line[g->group[p]]);
            least = apart < least ? apart : least;
        }
    }
    return least;
}

static int used(const groups *g, int32_t group, groups_colour colour)
{
    for (int32_t i = 0; i < group; i++)
        if (memcmp(&g->line[i], &colour, sizeof(colour)) == 0)
            return 1;
    return 0;
}

/* The first choice depends on the group's first patch alone; another is taken
 * where that one could be mistaken for a neighbour's. */
static groups_colour choose(const groups *g, const size_t *members,
                            size_t count, int32_t group)
{
    groups_colour best = numbered(members[0]);
    unsigned most = 0;
    int found = 0;

    for (size_t i = 0; i < COLOURS && !(found && i >= CHOICES); i++) {
        groups_colour colour = numbered((members[0] + i * NEXT_CHOICE) %
                                        COLOURS);
        if (used(g, group, colour))
            continue;
        unsigned clear = clearness(g, members, count, group, colour);
        if (!found || clear > most) {
            best = colour;
            most = clear;
        }
        found = 1;
        if (clear >= CLEAR)
            break;
    }
    return best;
}

static void choose_lines(groups *g)
{
    size_t patches = g->rows * g->columns, begin = 0;
    size_t *members = memory_zero(patches, sizeof(*members));
    size_t *end = memory_zero(g->count + 1, sizeof(*end));

    /* Patches sorted by group: group i's lie before end[i]. */
    for (size_t p = 0; p < patches; p++)
        if (g->group[p] >= 0)
            end[g->group[p] + 1]++;
    for (size_t i = 0; i < g->count; i++)
        end[i + 1] += end[i];
    for (size_t p = 0; p < patches; p++)
        if (g->group[p] >= 0)
            members[end[g->group[p]]++] = p;
    for (size_t i = 0; i < g->count; begin = end[i++])
        g->line[i] = choose(g, members + begin, end[i] - begin, (int32_t)i);
    free(members);
    free(end);
}

void groups_make(groups *g, size_t rows, size_t columns, size_t patch,
                 const uint8_t *crop, size_t numbers, const int32_t *map)
{
    memset(g, 0, sizeof(*g));
    g->rows = rows;
    g->columns = columns;
    g->patch = patch;
    g->group = memory_zero(rows * columns, sizeof(*g->group));
    number_groups(g, numbers, map);
    g->fill = memory_zero(g->count, sizeof(*g->fill));
    g->line = memory_zero(g->count, sizeof(*g->line));
    find_means(g, crop);
    choose_lines(g);
}

void groups_free(groups *g)
{
    free(g->group);
    free(g->fill);
    free(g->line);
    memset(g, 0, sizeof(*g));
}

/* ---- pixels -------------------------------------------------------------- */

size_t groups_line_width(size_t pixels)
{
    return pixels < 16 ? 1 : pixels / 16;
}

/* Along every side and in every corner where another group, or nothing, is. */
static void paint_lines(const groups *g, size_t p, size_t pixels, image *out,
                        size_t left, size_t top)
{
    size_t width = groups_line_width(pixels), far = pixels - width;
    const size_t begin[3] = {0, 0, far}, length[3] = {width, pixels, width};

    for (int d = 0; d < 9; d++) {
        long next = neighbour(g, p, d % 3 - 1, d / 3 - 1);
        if (next >= 0 && g->group[next] == g->group[p])
            continue;
        draw_box(out, left + begin[d % 3], top + begin[d / 3], length[d % 3],
                 length[d / 3], g->line[g->group[p]].rgb);
    }
}

static void darken(image *out, size_t left, size_t top, size_t pixels)
{
    for (size_t y = top; y < top + pixels; y++) {
        uint8_t *row = out->rgb + (y * out->width + left) * 3;
        for (size_t i = 0; i < pixels * 3; i++)
            row[i] /= 4;
    }
}

void groups_paint(const groups *g, const uint8_t *crop, int style,
                  size_t scale, image *out, size_t left, size_t top)
{
    size_t pixels = g->patch * scale;

    if (style == GROUPS_OVERLAY)
        draw_scaled(out, left, top, crop, g->columns * g->patch,
                    g->rows * g->patch, scale);
    for (size_t p = 0; p < g->rows * g->columns; p++) {
        size_t x = left + p % g->columns * pixels;
        size_t y = top + p / g->columns * pixels;
        int32_t group = g->group[p];

        if (style == GROUPS_FILL)
            draw_box(out, x, y, pixels, pixels,
                     group < 0 ? dark.rgb : g->fill[group].rgb);
        else if (group < 0)
            darken(out, x, y, pixels);
        if (group >= 0)
            paint_lines(g, p, pixels, out, x, y);
    }
}

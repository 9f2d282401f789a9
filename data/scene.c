/* SPDX-License-Identifier: MIT */
/* What is in a picture: every choice, drawn from the picture's own stream. */
#include "config.h"

#include "scene.h"

#include <stdio.h>

#include "random.h"

/* sin(i * 90 / 64 degrees) * 16384, rounded. */
static const int16_t quarter_sine[65] = {
    0, 402, 804, 1205, 1606, 2006, 2404, 2801, 3196, 3590,
    3981, 4370, 4756, 5139, 5520, 5897, 6270, 6639, 7005, 7366,
    7723, 8076, 8423, 8765, 9102, 9434, 9760, 10080, 10394, 10702,
    11003, 11297, 11585, 11866, 12140, 12406, 12665, 12916, 13160, 13395,
    13623, 13842, 14053, 14256, 14449, 14635, 14811, 14978, 15137, 15286,
    15426, 15557, 15679, 15791, 15893, 15986, 16069, 16143, 16207, 16261,
    16305, 16340, 16364, 16379, 16384
};

/* Angles are 256ths of a turn. */
static int32_t sine(int32_t angle)
{
    int32_t a = angle & 127;
    int32_t v = a <= 64 ? quarter_sine[a] : quarter_sine[128 - a];

    return (angle & 128) != 0 ? -v : v;
}

/* A turn to either side of upright, of an eleventh of a full one at most. */
static void turn(uint64_t *state, int32_t *c, int32_t *s)
{
    int32_t angle = random_range(state, -22, 22);

    *s = sine(angle);
    *c = sine(angle + 64);
}

/* ---- colours ------------------------------------------------------------- */

/* One dark and one light colour, in either order: every pattern shows in its
 * brightness, whatever its hues. */
static void draw_pair(uint64_t *state, uint8_t colour[2][3])
{
    int dark = random_range(state, 0, 1);

    for (int c = 0; c < 3; c++) {
        colour[dark][c] = (uint8_t) random_range(state, 15, 105);
        colour[!dark][c] = (uint8_t) random_range(state, 150, 240);
    }
}

/* ---- patterns and figures ------------------------------------------------ */

static void draw_pattern(uint64_t *state, int texture, scene_pattern *p)
{
    p->texture = texture;
    turn(state, &p->cosine, &p->sine);
    p->period = random_range(state, 7 * SCENE_UNIT, 12 * SCENE_UNIT);
    for (int i = 0; i < 2; i++)
        p->shift[i] = random_range(state, 0, 4 * p->period - 1);
    draw_pair(state, p->colour);
}

static scene_figure *add_figure(scene *s, uint64_t *state, int shape,
                                int texture)
{
    scene_figure *f = &s->figure[s->figures++];

    f->shape = shape;
    turn(state, &f->cosine, &f->sine);
    f->squeeze = random_range(state, 200, 256);
    draw_pattern(state, texture, &f->pattern);
    return f;
}

static void place(scene_figure *f, uint64_t *state, int32_t radius,
                  int32_t reach)
{
    f->radius = radius;
    f->x = random_range(state, -reach, reach);
    f->y = random_range(state, -reach, reach);
}

/* Small figures of any class: neither a shape nor a texture that is somewhere
 * in the picture gives the class away. */
static void add_distractors(scene *s, uint64_t *state, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        int shape = random_range(state, 0, SCENE_SHAPES - 1);
        int texture = random_range(state, 0, SCENE_TEXTURES);
        scene_figure *f = add_figure(s, state, shape, texture);

        place(f, state, random_range(state, 8 * SCENE_UNIT, 14 * SCENE_UNIT),
              62 * SCENE_UNIT);
    }
}

static void add_clutter(scene *s, uint64_t *state)
{
    int32_t count = random_range(state, 12, 24);

    for (int32_t i = 0; i < count; i++) {
        scene_figure *f = add_figure(s, state,
            random_range(state, 0, SHAPE_BAR), TEXTURE_PLAIN);

        place(f, state, random_range(state, 5 * SCENE_UNIT, 16 * SCENE_UNIT),
              80 * SCENE_UNIT);
    }
}

static void add_subject(scene *s, uint64_t *state)
{
    int32_t radius = random_range(state, 34 * SCENE_UNIT, 50 * SCENE_UNIT);
    scene_figure *f;

    s->subject = s->figures;
    f = add_figure(s, state, (int) (s->label / SCENE_TEXTURES),
                   (int) (s->label % SCENE_TEXTURES));
    place(f, state, radius, 57 * SCENE_UNIT - radius);
}

/* Plain bars and small figures in front of the subject. */
static void add_occluders(scene *s, uint64_t *state)
{
    const scene_figure *subject = &s->figure[s->subject];
    int32_t bars = random_range(state, 0, 2);

    for (int32_t i = 0; i < bars; i++) {
        scene_figure *f = add_figure(s, state, SHAPE_BAR, TEXTURE_PLAIN);

        place(f, state, random_range(state, 20 * SCENE_UNIT, 40 * SCENE_UNIT),
              24 * SCENE_UNIT);
        f->x += subject->x;
        f->y += subject->y;
    }
    add_distractors(s, state, random_range(state, 0, 1));
}

/* ---- the whole ----------------------------------------------------------- */

static void draw_size(scene *s, uint64_t *state)
{
    int32_t shorter = random_range(state, 112, 160);
    int32_t longer = shorter * random_range(state, 100, 130) / 100;
    int upright = random_range(state, 0, 1);

    s->width = upright ? shorter : longer;
    s->height = upright ? longer : shorter;
}

static void draw_ground(scene *s, uint64_t *state)
{
    s->background = random_range(state, 0, SCENE_BACKGROUNDS - 1);
    draw_pattern(state, random_range(state, 0, SCENE_TEXTURES - 1),
                 &s->ground);
    s->cloud_seed = random_next(state);
    s->cloud_cell = random_range(state, 12 * SCENE_UNIT, 36 * SCENE_UNIT);
    if (s->background == BACKGROUND_TEXTURE) {
        /* Fainter than a figure's: two thirds of the way back. */
        for (int c = 0; c < 3; c++)
            s->ground.colour[1][c] = (uint8_t) ((2 * s->ground.colour[0][c] +
                                     s->ground.colour[1][c]) / 3);
    }
}

void scene_compose(scene *s, enum scene_split split, uint64_t seed,
                   uint64_t index)
{
    uint64_t state = random_mix(seed + 0x746f6d65u);

    state = random_mix(state ^ ((uint64_t) split + 1));
    state = random_mix(state ^ (index + 1));
    s->label = (unsigned) (index % SCENE_CLASSES);
    s->figures = 0;
    draw_size(s, &state);
    draw_ground(s, &state);
    if (s->background == BACKGROUND_CLUTTER)
        add_clutter(s, &state);
    add_distractors(s, &state, random_range(&state, 0, 3));
    add_subject(s, &state);
    add_occluders(s, &state);
    for (int i = 0; i < 2; i++)
        s->light[i] = random_range(&state, -64, 64);
    s->noise = random_range(&state, 0, 24);
    s->noise_seed = random_next(&state);
}

void scene_class_name(unsigned label, char name[32])
{
    static const char *const shapes[] = {"beam", "column", "disc", "ring"};
    static const char *const textures[] = {"checks", "dots", "stripes",
                                           "zigzag"};

    snprintf(name, 32, "%s-%s", shapes[label / SCENE_TEXTURES % SCENE_SHAPES],
             textures[label % SCENE_TEXTURES]);
}

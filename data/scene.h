/* SPDX-License-Identifier: MIT */
/*
 * The pictures of the demonstration: a textured shape among others. Its class
 * is the shape and the texture of the largest figure, so it takes both the
 * outline, which no patch shows, and the pattern, which no outline shows.
 *
 * All arithmetic is on integers: a picture is the same on every machine.
 * Places are in Q8 units; 128 units are the shorter side of the picture and
 * the origin is its centre. Sines are in Q14.
 */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

#include <stddef.h>
#include <stdint.h>

enum scene_shape {
    SHAPE_BEAM, SHAPE_COLUMN, SHAPE_DISC, SHAPE_RING, SCENE_SHAPES,
    SHAPE_BAR = SCENE_SHAPES   /* only ever in the way */
};

enum scene_texture {
    TEXTURE_CHECKS, TEXTURE_DOTS, TEXTURE_STRIPES, TEXTURE_ZIGZAG,
    SCENE_TEXTURES,
    TEXTURE_PLAIN = SCENE_TEXTURES
};

enum scene_background {
    BACKGROUND_GRADIENT, BACKGROUND_CLOUDS, BACKGROUND_TEXTURE,
    BACKGROUND_CLUTTER, SCENE_BACKGROUNDS
};

enum scene_split { SPLIT_TRAIN, SPLIT_VAL, SPLIT_TEST, SCENE_SPLITS };

enum {
    SCENE_CLASSES = SCENE_SHAPES * SCENE_TEXTURES,
    SCENE_UNIT = 256,          /* Q8 */
    SCENE_SINE_ONE = 16384,    /* Q14 */
    SCENE_MAX_FIGURES = 40,
    SCENE_COVER_SIDE = 64
};

/* A pattern of two colours: turned, shifted, repeating every `period`. */
typedef struct scene_pattern {
    int texture;
    int32_t cosine, sine;
    int32_t period;
    int32_t shift[2];          /* in 0 .. 4 * period - 1 */
    uint8_t colour[2][3];
} scene_pattern;

typedef struct scene_figure {
    int shape;
    int32_t x, y;              /* centre */
    int32_t radius;            /* nothing lies further out than 1.5 radii */
    int32_t cosine, sine;
    int32_t squeeze;           /* height over width, Q8 */
    scene_pattern pattern;
} scene_figure;

typedef struct scene {
    unsigned label;            /* shape * SCENE_TEXTURES + texture */
    int32_t width, height;     /* of the picture as a file */
    int background;
    scene_pattern ground;
    uint64_t cloud_seed;
    int32_t cloud_cell;
    size_t figures;            /* in the order they are painted */
    size_t subject;            /* the one that gives the class */
    scene_figure figure[SCENE_MAX_FIGURES];
    int32_t light[2];          /* change of brightness across, Q8 */
    int32_t noise;             /* largest change of a value by noise */
    uint64_t noise_seed;
} scene;

/* Composes picture `index` of a split. Its class is index mod
 * SCENE_CLASSES; nothing else depends on how many pictures are made. */
void scene_compose(scene *s, enum scene_split split, uint64_t seed,
                   uint64_t index);

/* "beam-checks" and so on; sorted names are in the order of labels. */
void scene_class_name(unsigned label, char name[32]);

/* 1 if the point is inside the figure. */
int scene_inside(const scene_figure *f, int32_t x, int32_t y);

/* The colour of a pattern, and of the background, at a point. */
const uint8_t *scene_pattern_at(const scene_pattern *p, int32_t x, int32_t y);
void scene_background_at(const scene *s, int32_t x, int32_t y, uint8_t rgb[3]);

/* Paints a scene at any size into `rgb`, [height, width, 3], four samples a
 * pixel. Returns 0, or -1 if there is no memory. */
int scene_paint(const scene *s, int32_t width, int32_t height, uint8_t *rgb);

/* How much of each part of the middle square the subject is seen to cover, of
 * 0 .. 16 samples: `cover` is [SCENE_COVER_SIDE, SCENE_COVER_SIDE]. */
void scene_cover(const scene *s, uint8_t *cover);

#endif

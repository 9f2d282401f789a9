/* SPDX-License-Identifier: MIT */
/* One file beside a checkpoint: its JSON, and what it says of the model. */
#ifndef TOMEVIT_NEIGHBOUR_H
#define TOMEVIT_NEIGHBOUR_H

#include "../containers/json.h"
#include "../containers/json_members.h"
#include "../containers/tensors.h"

/* Of functions that return a code, whatever could not be obeyed is refused
 * with the name of the file and of the key. */
typedef struct vit_neighbour {
    vit_tensors *view;     /* its metadata get what the neighbour says */
    const char *name;      /* of the file */
    const vit_report *report;
} vit_neighbour;

/* *json is the object that the file holds, to be released; NULL if there is no
 * such file. Only a regular file is opened, and none is waited for. EIO for one
 * that is there and cannot be read, EFORMAT for other than a JSON object,
 * ENOMEM. */
int tomevit_neighbour_load(const vit_neighbour *n, json_t **json);

/* EMODEL: "NAME beside it: " and what cannot be done. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int tomevit_neighbour_refuse(const vit_neighbour *n, const char *format, ...);

/* EFORMAT, with the name of the file, for a member that is of none of its
 * kinds: see tomevit_json_fits. */
int tomevit_neighbour_members(const vit_neighbour *n, const json_t *object,
                              const vit_json_member *members);

/* EMODEL for a member by which the library would make another model, or other
 * pixels, than is made here: see tomevit_json_stranger. `where` is what the
 * object is called, or NULL for the file itself. */
int tomevit_neighbour_known(const vit_neighbour *n, const json_t *object,
                            const char *where, const vit_known *known,
                            enum vit_others others);

/* Whether the model has a tensor. */
static inline int vit_has(const vit_neighbour *n, const char *name)
{
    return tomevit_tensors_find(n->view, name) != NULL;
}

/* Sets a key of the metadata, unless it is there or the value is NULL; the
 * value is given away. */
void tomevit_neighbour_say(const vit_neighbour *n, const char *key,
                           json_t *value);

/* The same from a member of an object. */
void tomevit_neighbour_pass(const vit_neighbour *n, const char *key,
                            const json_t *object, const char *member);

/* The same of three numbers, one for each channel, or of one for all. */
void tomevit_neighbour_three(const vit_neighbour *n, const char *key,
                             const json_t *object, const char *member);

/* Says the sides of the crop, which need not be those of a square. EMODEL. */
int tomevit_neighbour_sides(const vit_neighbour *n, json_int_t height,
                            json_int_t width);

/* The crop of `crop` pixels out of an image whose shorter side (or, to
 * squash, each side) is resized to `resized`, which is not less. */
void tomevit_neighbour_crop(const vit_neighbour *n, size_t crop,
                            size_t resized, int squash);

/* A member that is a positive whole number, else 0. */
size_t tomevit_json_size(const json_t *object, const char *member);

/* A member that is a string, else NULL. */
const char *tomevit_json_text(const json_t *object, const char *member);

/* 1 if an object's member, where it is a number, is the model's width. */
int tomevit_neighbour_fits(const vit_neighbour *n, const json_t *object,
                           const char *member);

/* 1 if an MLP's first product makes two rows, of which one gates the other. */
int tomevit_neighbour_gated(const vit_neighbour *n);

/* An activation as metadata has it, whatever the library calls it; NULL if
 * there is none. */
json_t *tomevit_activation_name(const json_t *object, const char *member);

/* Says the names of classes under `member`: a list, or an object whose keys are
 * their indices; nothing where they are only LABEL_N, or not all there. EFORMAT
 * for a name that is no text. */
int tomevit_neighbour_names(const vit_neighbour *n, const json_t *object,
                            const char *member);

/* A part of a model, such as its "vision_config", if it is an object, or NULL:
 * where CLIP's kind have another with "_dict" behind its name, that takes its
 * place, and what it does not say is the class's.
 * [transformers, models/clip/configuration_clip.py] */
const json_t *tomevit_transformers_part(const json_t *config,
                                        const char *part);

/* What follows from the name of a model of timm's, made with these arguments
 * (NULL: none), and from the name of a pooling, which stands under `key`. 0, or
 * EMODEL for one that cannot be run, or whose shape the tensors contradict. */
int tomevit_say_architecture(const vit_neighbour *n, const char *name,
                             const json_t *args);
int tomevit_say_pool(const vit_neighbour *n, const char *key,
                     const char *pool);

/* What one of open_clip's own towers gives torch's LayerNorm and GELU, and the
 * activation that follows. EFORMAT, EMODEL for another argument than "eps" and
 * "approximate". */
int tomevit_open_clip_kwargs(const vit_neighbour *n, const json_t *tower,
                             int quick, const char **activation);

/* The kinds of files; each reads what says something of the view. 0, or what
 * they refused. */
int tomevit_from_preprocessor(const vit_neighbour *n, json_t *config);
int tomevit_from_transformers(const vit_neighbour *n, json_t *config);
int tomevit_from_timm(const vit_neighbour *n, json_t *config);
int tomevit_from_open_clip(const vit_neighbour *n, json_t *config);

#endif

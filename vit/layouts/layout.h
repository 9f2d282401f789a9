/* SPDX-License-Identifier: MIT */
/*
 * Key layouts: under which names, and with its axes in which order, a
 * library's checkpoints hold the tensors of a ViT.
 *
 * A layout is a table of rules from the library's names to timm's. A view of
 * a file has every tensor under timm's name and in timm's order, so that
 * nothing after it knows of any other; a tensor that no rule names keeps its
 * own name.
 */
#ifndef TOMEVIT_LAYOUT_H
#define TOMEVIT_LAYOUT_H

#include "../containers/tensors.h"

/* How a file's tensor becomes timm's. D is dim, H heads, h = D / H. */
enum vit_form {
    VIT_AS_IS,
    VIT_TRANSPOSED,        /* [in, out] -> [out, in] */
    VIT_HWIO,              /* [h, w, in, out] -> [out, in, h, w] */
    VIT_TO_HEADS,          /* [D, H, h] -> [H h, D] */
    VIT_FROM_HEADS,        /* [H, h, D] -> [D, H h] */
    VIT_VECTOR,            /* any shape -> [n] */
    VIT_TOKENS,            /* [.., D] -> [1, n / D, D] */
    VIT_FIRST_THIRD,       /* [3 n, ..] -> its first n rows */
    VIT_OTHER_THIRDS,      /* [3 n, ..] -> its other 2 n rows */
    VIT_LAST_THIRD,        /* [3 n, ..] -> its last n rows */
    VIT_PATCH_ROWS,        /* [out, h h 3], channels last -> [out, 3, h, h] */
    VIT_PATCH_PLANES,      /* [out, 3 h h], channels first -> [out, 3, h, h] */
    VIT_SUMMED             /* tensors of one shape -> their sum */
};

/* Names end with NUL or contain one '#', the number of the layer. A tensor
 * named without one for a name with one is that of all layers, stacked along
 * its first axis. Of rules for one name the first counts whose tensors the
 * file has. */
typedef struct vit_rule {
    const char *name;      /* timm's */
    const char *from[3];   /* the file's: joined along the first axis, unless
                            * the form says otherwise */
    enum vit_form form;
} vit_rule;

/* Metadata that a layout implies. */
typedef struct vit_implied {
    const char *key, *value;
    int sure;              /* all files of the layout are so; 0: its library's
                            * default, which a configuration may change */
} vit_implied;

typedef struct vit_layout {
    const char *name;      /* as people call it */
    const char *anchor;    /* how a name ends that no other layout has; what
                            * stands before it may stand before all names */
    size_t dims;           /* of the anchor's tensor; 0: any */
    const char *witness;   /* another name, behind the same or nothing */
    const char *layer;     /* how the names of a layer's tensors begin */
    const vit_rule *rules; /* the last has no name */
    const vit_implied *implied; /* the last has no key; NULL: nothing */
} vit_layout;

extern const vit_layout tomevit_layout_dinov3_masked;
extern const vit_layout tomevit_layout_dinov3;
extern const vit_layout tomevit_layout_sapiens2;
extern const vit_layout tomevit_layout_gemma4_classifier;
extern const vit_layout tomevit_layout_gemma4;
extern const vit_layout tomevit_layout_mega;
extern const vit_layout tomevit_layout_megalodon;
extern const vit_layout tomevit_layout_mobile;
extern const vit_layout tomevit_layout_mae;
extern const vit_layout tomevit_layout_dinov2_registers;
extern const vit_layout tomevit_layout_dinov2;
extern const vit_layout tomevit_layout_timm_biased;
extern const vit_layout tomevit_layout_timm;
extern const vit_layout tomevit_layout_naflex;
extern const vit_layout tomevit_layout_huggingface_dinov3_memory;
extern const vit_layout tomevit_layout_huggingface_dinov3;
extern const vit_layout tomevit_layout_huggingface_gemma4;
extern const vit_layout tomevit_layout_huggingface_internvl;
extern const vit_layout tomevit_layout_huggingface_beit;
extern const vit_layout tomevit_layout_huggingface_beit_unscaled;
extern const vit_layout tomevit_layout_huggingface_beit_memory;
extern const vit_layout tomevit_layout_huggingface_aimv2;
extern const vit_layout tomevit_layout_huggingface_registers;
extern const vit_layout tomevit_layout_huggingface_dinov2;
extern const vit_layout tomevit_layout_huggingface_short;
extern const vit_layout tomevit_layout_huggingface;
extern const vit_layout tomevit_layout_huggingface_clip;
extern const vit_layout tomevit_layout_huggingface_siglip2;
extern const vit_layout tomevit_layout_huggingface_siglip;
extern const vit_layout tomevit_layout_swag;
extern const vit_layout tomevit_layout_torchvision;
extern const vit_layout tomevit_layout_google;
extern const vit_layout tomevit_layout_openai;
extern const vit_layout tomevit_layout_coca;
extern const vit_layout tomevit_layout_clip;
extern const vit_layout tomevit_layout_mmproj_pairs;
extern const vit_layout tomevit_layout_mmproj;

/* 1 if its rules are only for other names of what has timm's. */
int tomevit_layout_is_timm(const vit_layout *layout);

/* The layout whose names the file has; timm's if it is none that is known. */
const vit_layout *tomevit_layout_of(const vit_tensors *file);

/* A view of `file` under timm's names; `layout` is to be tomevit_layout_of's.
 * The file is the view's from then on, and closed with it, also on failure.
 * The view's metadata are a copy of the file's. ENOMEM. */
int tomevit_layout_view(const vit_layout *layout, vit_tensors *file,
                        vit_tensors **view, const vit_report *report);

/* Adds what the layout implies and the metadata do not say. ENOMEM. */
int tomevit_layout_imply(vit_tensors *view, const vit_report *report);

/* Its layout's name. */
const char *tomevit_view_layout(const vit_tensors *view);

/* 1 if tensors of all layers lie in one. */
int tomevit_view_stacked(const vit_tensors *view);

/* Adds a tensor of another file to a view; both must outlive it. ENOMEM. */
int tomevit_view_add(vit_tensors *view, const char *name,
                     const vit_tensors *file, const vit_stored *from,
                     const vit_report *report);

/* Gives a tensor of the view another name. ENOMEM. */
int tomevit_view_rename(vit_tensors *view, const char *name, const char *old,
                        const vit_report *report);

/* What `name` is called in the file: of joined tensors the first, of one that
 * is missing what the layout would call it. */
void tomevit_view_origin(const vit_tensors *view, const char *name,
                         char origin[256]);

/* Notes that the model uses a tensor of the view. */
void tomevit_view_use(vit_tensors *view, const char *name);

/* Calls `each`, unless it is NULL, with the names of the file's tensors that
 * nothing uses, in their order; their number. */
size_t tomevit_view_unused(const vit_tensors *view,
                           void (*each)(void *data, const char *name),
                           void *data);

#endif

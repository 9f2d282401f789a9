/* SPDX-License-Identifier: MIT */
/* The preprocessing in force: the model's own with the user's changes. */
#ifndef TOMERGE_PREPROCESSING_H
#define TOMERGE_PREPROCESSING_H

#include "tomevit.h"

/* The options as given; zero bytes change nothing. */
typedef struct preprocessing_args {
    int has_crop_pct, has_crop_mode, has_interpolation, has_pixels,
        has_mean, has_std;
    double crop_pct;
    int crop_mode, interpolation, pixels;
    float mean[3], std[3];
} preprocessing_args;

/* Parsers of option values (see args_option). */
int preprocessing_parse_image_size(const char *text, void *sides, char *why);
int preprocessing_parse_crop_pct(const char *text, void *args, char *why);
int preprocessing_parse_crop_mode(const char *text, void *args, char *why);
int preprocessing_parse_interpolation(const char *text, void *args, char *why);
int preprocessing_parse_pixels(const char *text, void *args, char *why);
int preprocessing_parse_mean(const char *text, void *args, char *why);
int preprocessing_parse_std(const char *text, void *args, char *why);

const char *preprocessing_crop_mode_name(int mode);
const char *preprocessing_interpolation_name(int interpolation);
const char *preprocessing_pixels_name(int pixels);

/* The model's preprocessing with `args` applied; source[128] says where it
 * comes from, as in "metadata; crop-pct from the command line". */
void preprocessing_resolve(const preprocessing_args *args,
                           const tomevit_description *model,
                           tomevit_preprocessing *out, char source[128]);

#endif

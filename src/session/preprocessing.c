/* SPDX-License-Identifier: MIT */
/* The preprocessing in force: the model's own with the user's changes. */
#include "preprocessing.h"

#include "../base/args.h"

#include <stdio.h>
#include <string.h>

/* A side of 1 to 16384 pixels; 0 if it is none. */
static size_t image_side(const char *text, size_t length)
{
    size_t side = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || side > 16384)
            return 0;
        side = 10 * side + (size_t)(text[i] - '0');
    }
    return side > 16384 ? 0 : side;
}

int preprocessing_parse_image_size(const char *text, void *field, char *why)
{
    size_t *image = field, length = strcspn(text, "x");
    const char *width = text[length] == 'x' ? text + length + 1 : text;

    image[0] = image_side(text, length);
    image[1] = image_side(width, strlen(width));
    if (image[0] && image[1])
        return 0;
    snprintf(why, ARGS_WHY, "expected an integer from 1 to 16384, or a height "
             "and a width, as in 224x448, found '%.40s'", text);
    return -1;
}

int preprocessing_parse_crop_pct(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;
    double value;

    if (args_real(text, &value) == 0 && value > 1 && value <= 100) {
        snprintf(why, ARGS_WHY, "'%.40s' is not a number from 0.01 to 1: did "
                 "you mean '%g'?", text, value / 100);
        return -1;
    }
    if (args_real(text, &value) != 0 || value < 0.01 || value > 1) {
        snprintf(why, ARGS_WHY, "'%.40s' is not a number from 0.01 to 1",
                 text);
        return -1;
    }
    p->crop_pct = value;
    p->has_crop_pct = 1;
    return 0;
}

const char *preprocessing_crop_mode_name(int mode)
{
    static const char *const names[] = {"center", "squash", "border"};

    return names[mode];
}

int preprocessing_parse_crop_mode(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;

    for (int i = TOMEVIT_CENTER; i <= TOMEVIT_BORDER; i++) {
        if (strcmp(text, preprocessing_crop_mode_name(i)) == 0) {
            p->crop_mode = i;
            p->has_crop_mode = 1;
            return 0;
        }
    }
    snprintf(why, ARGS_WHY, "'%.40s' is not one of center, squash, "
             "border", text);
    return -1;
}

const char *preprocessing_interpolation_name(int interpolation)
{
    return interpolation == TOMEVIT_BILINEAR ? "bilinear" : "bicubic";
}

int preprocessing_parse_interpolation(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;

    for (int i = TOMEVIT_BICUBIC; i <= TOMEVIT_BILINEAR; i++) {
        if (strcmp(text, preprocessing_interpolation_name(i)) == 0) {
            p->interpolation = i;
            p->has_interpolation = 1;
            return 0;
        }
    }
    snprintf(why, ARGS_WHY, "'%.40s' is not one of bicubic, bilinear", text);
    return -1;
}

/* One number for all channels, or three with commas between. */
static int parse_channels(const char *text, float out[3], double least,
                          double most)
{
    char word[64];
    size_t count = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        double value;
        if (count == 3 || length >= sizeof(word))
            return -1;
        memcpy(word, text, length);
        word[length] = '\0';
        if (args_real(word, &value) != 0 || value < least || value > most)
            return -1;
        out[count++] = (float)value;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    if (count == 1)
        out[1] = out[2] = out[0];
    return count == 2 ? -1 : 0;
}

static const char *const pixels_names[] =
    {"pillow-12", "pillow-12.3", "pillow-13"};

const char *preprocessing_pixels_name(int pixels)
{
    return pixels_names[pixels];
}

int preprocessing_parse_pixels(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;

    for (int i = TOMEVIT_PILLOW_12; i <= TOMEVIT_PILLOW_13; i++)
        if (strcmp(text, pixels_names[i]) == 0) {
            p->pixels = i;
            p->has_pixels = 1;
            return 0;
        }
    snprintf(why, ARGS_WHY, "'%.40s' is not one of pillow-12, pillow-12.3, "
             "pillow-13", text);
    return -1;
}

int preprocessing_parse_mean(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;
    float mean[3];

    if (parse_channels(text, mean, -10, 10) != 0) {
        snprintf(why, ARGS_WHY, "'%.60s' is not a number from -10 to 10, or "
                 "three for red,green,blue", text);
        return -1;
    }
    memcpy(p->mean, mean, sizeof(mean));
    p->has_mean = 1;
    return 0;
}

int preprocessing_parse_std(const char *text, void *args, char *why)
{
    preprocessing_args *p = args;
    float std[3];

    if (parse_channels(text, std, 1e-4, 10) != 0) {
        snprintf(why, ARGS_WHY, "'%.60s' is not a number from 0.0001 to 10, "
                 "or three for red,green,blue", text);
        return -1;
    }
    memcpy(p->std, std, sizeof(std));
    p->has_std = 1;
    return 0;
}

void preprocessing_resolve(const preprocessing_args *args,
                           const tomevit_description *model,
                           tomevit_preprocessing *out, char source[128])
{
    char changed[64] = "";

    *out = model->preprocessing;
    if (args->has_crop_pct) {
        out->crop_pct = args->crop_pct;
        strcat(changed, ", crop-pct");
    }
    if (args->has_crop_mode) {
        out->crop_mode = args->crop_mode;
        strcat(changed, ", crop-mode");
    }
    if (args->has_interpolation) {
        out->interpolation = args->interpolation;
        strcat(changed, ", interpolation");
    }
    if (args->has_pixels) {
        out->pixels = args->pixels;
        strcat(changed, ", pixels");
    }
    if (args->has_mean) {
        memcpy(out->mean, args->mean, sizeof(out->mean));
        strcat(changed, ", mean");
    }
    if (args->has_std) {
        memcpy(out->std, args->std, sizeof(out->std));
        strcat(changed, ", std");
    }
    if (changed[0] != '\0')
        snprintf(source, 128, "%s; %s from the command line",
                 model->preprocessing_source, changed + 2);
    else
        snprintf(source, 128, "%s", model->preprocessing_source);
}

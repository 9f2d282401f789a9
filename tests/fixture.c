/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the command run on:
 *   fixture model FILE CLASSES [METADATA [SCALE]]
 *                                           a small model, random weights,
 *                                           those of patches SCALE times as
 *                                           large; of no classes it has no head
 *   fixture head FILE CLASSES SEED          a head for one without
 *   fixture image FILE WIDTH HEIGHT SEED    a PNG of blobs and noise, or black
 *                                           if SEED is 0
 *   fixture fill MODEL OUT TENSOR VALUE     a .safetensors of bf16 with all of
 *                                           a tensor this value
 *   fixture embed MODEL R IMAGE...          the library's features, pixels to
 *                                           floats, each image alone
 *   fixture same IMAGE IMAGE                succeeds if their pixels are equal
 *   fixture decode IMAGE...                 a line each: "read", width, height,
 *                                           sums of the pixels, or "refused"; a
 *                                           tab and what is said
 *   fixture rename ARCHIVE OUT LENGTH NAME  what compress wrote of pictures of
 *                                           LENGTH bytes, its first one under
 *                                           another name
 *   fixture tokens TOKENIZER TEXTS          the numbers of each text of a JSON
 *                                           list, a line each
 *   fixture json FILE KEY...                the value at a.b.0.c; fails if none
 */
#include "draws.h"
#include "model_file.h"

#include "../src/bytes/packed.h"
#include "../src/images/image.h"
#include "../vit/checkpoint/checkpoint.h"
#include "../vit/containers/tensors.h"
#include "../vit/text/tokenizer.h"

#include <jansson.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static int write_file(const char *path, const unsigned char *bytes,
                      size_t count)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    size_t written = fwrite(bytes, 1, count, file);
    return fclose(file) != 0 || written != count;
}

/* Weights larger than those training starts from, so that classes differ. */
typedef struct larger {
    vit_random random;
    float patches;         /* times as large */
} larger;

static int read_larger(void *self, enum vit_tensor t, size_t layer, float *out)
{
    larger *l = self;
    vit_random *random = &l->random;
    size_t count = tomevit_shape_in(random->description, layer, t, NULL, NULL);
    vit_source source = tomevit_random_source(random);
    int result = source.read(source.self, t, layer, out);

    for (size_t i = 0; i < count; i++)
        out[i] *= t == VIT_PATCH_WEIGHT ? 8 * l->patches : 8;
    return result;
}

/* The metadata with what they leave unsaid, so that nothing is a guess; as they
 * are if they are no JSON. To be freed. */
static char *complete(const char *metadata)
{
    json_t *given = json_loads(metadata ? metadata : "{}", 0, NULL);
    json_t *usual = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}",
        "activation", "gelu", "norm_eps", "1e-6", "pool", "class",
        "positions", "learned", "mean", "[0.5,0.5,0.5]", "std",
        "[0.5,0.5,0.5]", "crop_pct", "0.9", "crop_mode", "center",
        "interpolation", "bicubic");
    char *text = NULL;

    if (json_is_object(given) && json_object_update_missing(given, usual) == 0)
        text = json_dumps(given, JSON_COMPACT);
    json_decref(given);
    json_decref(usual);
    if (text)
        return text;
    return strcpy(malloc(strlen(metadata) + 1), metadata);
}

static int make_model(const char *path, size_t classes, const char *metadata,
                      float patches)
{
    tomevit_description d;
    larger weights = {{&d, 7}, patches};
    vit_source source = {.read = read_larger, .self = &weights};
    model_file file;
    size_t count;

    model_file_tiny(&d);
    d.dim = d.features = 24;
    d.depth = 3;
    d.heads = 3;
    d.mlp_dim = 48;
    d.patch = 8;
    d.image_size = 32;
    d.tokens = 17;
    d.classes = classes;
    memset(&file, 0, sizeof(file));
    model_file_make(&file, &d, source, "F32");
    char *whole = complete(metadata);
    file.metadata = whole;
    unsigned char *bytes = model_file_bytes(&file, &count);
    int result = write_file(path, bytes, count);
    free(bytes);
    free(whole);
    model_file_free(&file);
    return result;
}

static unsigned draw(uint32_t *state)
{
    return draw_32(state) >> 16;
}

static int make_image(const char *path, unsigned width, unsigned height,
                      unsigned seed)
{
    unsigned char *rgb = malloc((size_t)width * height * 3);
    unsigned tint[3];
    uint32_t state = (uint32_t)(seed * UINT64_C(2654435761)) + 1;
    png_image png;

    if (!rgb)
        return 1;
    for (int c = 0; c < 3; c++)
        tint[c] = draw(&state) % 200;
    unsigned step = 2 + draw(&state) % 9;
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                rgb[((size_t)y * width + x) * 3 + (size_t)c] = (unsigned char)
                    (seed == 0 ? 0 : (x / step + y / step) % 2 ? tint[c]
                                               : 255 - draw(&state) % 80);
    memset(&png, 0, sizeof(png));
    png.version = PNG_IMAGE_VERSION;
    png.width = width;
    png.height = height;
    png.format = PNG_FORMAT_RGB;
    int done = png_image_write_to_file(&png, path, 0, rgb, 0, NULL);
    free(rgb);
    return !done;
}

/* The lowest byte first, whatever the machine's order. */
static void put_float(float value, FILE *file)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    for (int shift = 0; shift < 32; shift += 8)
        putc((int)(bits >> shift & 255), file);
}

/* A .safetensors file of "head.weight" [classes, 24] and "head.bias". */
static int make_head(const char *path, size_t classes, unsigned seed)
{
    unsigned char bytes[256] = {0};
    size_t weights = classes * 24 * sizeof(float);
    size_t all = weights + classes * sizeof(float);
    uint32_t state = seed;
    FILE *file = fopen(path, "wb");

    if (!file)
        return 1;
    int length = snprintf((char *)bytes + 8, sizeof(bytes) - 8,
                          "{\"head.weight\":{\"dtype\":\"F32\",\"shape\":"
                          "[%zu,24],\"data_offsets\":[0,%zu]},\"head.bias\":{"
                          "\"dtype\":\"F32\",\"shape\":[%zu],"
                          "\"data_offsets\":[%zu,%zu]}}", classes, weights,
                          classes, weights, all);
    bytes[0] = (unsigned char)length;
    bytes[1] = (unsigned char)(length >> 8);
    fwrite(bytes, 1, 8 + (size_t)length, file);
    for (size_t i = 0; i < all / sizeof(float); i++) {
        float value = (float)(draw(&state) % 2001) / 1000 - 1;

        put_float(value, file);
    }
    return fclose(file) != 0;
}

static int fill_tensor(const char *from, const char *to, const char *name,
                       float value)
{
    tomevit_message why;
    vit_tensors *file;
    const vit_stored *t = NULL;
    size_t count, begin;
    char reason[200];
    uint32_t bits;
    uint8_t *bytes = image_load(from, (size_t)1 << 30, &count, reason);
    FILE *out = fopen(to, "wb");

    if (bytes && out && tomevit_tensors_open(from, &file, &why) == 0)
        t = tomevit_tensors_find(file, name);
    if (!t || strcmp(t->dtype->name, "BF16") != 0)
        return 1;
    begin = t->begin;
    memcpy(&bits, &value, sizeof(bits));
    for (size_t i = 0; i < t->elements; i++) {
        bytes[begin + 2 * i] = (uint8_t)(bits >> 16);
        bytes[begin + 2 * i + 1] = (uint8_t)(bits >> 24);
    }
    fwrite(bytes, 1, count, out);
    tomevit_tensors_close(file);
    free(bytes);
    return fclose(out) != 0;
}

/* Of one image to standard output: its features with r tokens merged in every
 * layer. */
static int embed_image(const tomevit_model *model, size_t r, const char *path)
{
    const tomevit_description *d = tomevit_describe(model);
    size_t side = d->preprocessing.size, layers[64];
    float *features = calloc(d->features, sizeof(*features));
    uint8_t *crop = malloc(side * side * 3);
    tomevit_image in = {.data = crop, .format = TOMEVIT_RGB8_HWC};
    tomevit_output out = {.features = features};
    tomevit_context *context;
    tomevit_merging merging;
    image_options options;
    char why[200];
    image picture;

    image_options_init(&options);
    tomevit_merging_init(&merging);
    for (size_t i = 0; i < d->depth && i < 64; i++)
        layers[i] = r;
    merging.r = layers;
    if (image_read(path, &options, &picture, why) != 0 ||
        tomevit_resize_crop(&d->preprocessing, picture.rgb, picture.width,
                            picture.height, picture.width * 3, crop) != 0 ||
        tomevit_context_create(model, 1, 1, &context) != 0)
        return 1;
    int failed = tomevit_forward(context, &merging, 1, &in, &out) != 0;
    for (size_t i = 0; i < d->features; i++)
        put_float(features[i], stdout);
    tomevit_context_free(context);
    image_free(&picture);
    free(features);
    free(crop);
    return failed;
}

static int embed_images(const char *path, size_t r, int count, char **images)
{
    tomevit_model *model;
    int failed = tomevit_open(path, NULL, &model, NULL) != 0;

    for (int i = 0; i < count && !failed; i++)
        failed = embed_image(model, r, images[i]);
    if (!failed || model)
        tomevit_close(model);
    return failed;
}

static const json_t *find(const json_t *value, const char *path)
{
    char key[64];

    while (value && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)length, path);
        value = json_is_array(value)
            ? json_array_get(value, (size_t)strtoul(key, NULL, 10))
            : json_object_get(value, key);
        path += length + (path[length] == '.');
    }
    return value;
}

/* Prints the values that the keys lead to, one a line. */
static int print_json(const char *path, int count, char **keys)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    int missing = !root;

    if (!root)
        fprintf(stderr, "%s: line %d: %s\n", path, error.line, error.text);
    for (int i = 0; root && i < count; i++) {
        const json_t *value = find(root, keys[i]);
        if (!value) {
            fprintf(stderr, "%s: no %s\n", path, keys[i]);
            missing = 1;
            continue;
        }
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT |
                                  JSON_REAL_PRECISION(9));
        putchar('\n');
    }
    json_decref(root);
    return missing;
}

static int print_tokens(const char *path, const char *texts)
{
    json_error_t error;
    json_t *list = json_load_file(texts, 0, &error), *text;
    tomevit_message why = {"no list of texts"};
    vit_tokenizer *t = NULL;
    int failed = !list || tomevit_tokenizer_open(path, path, &t, &why) != 0;
    size_t at;

    json_array_foreach(list, at, text) {
        vit_ids ids = {0};

        failed = failed || tomevit_tokenizer_encode(
            t, json_string_value(text), &ids, &why) != 0;
        if (failed)
            break;
        for (size_t i = 0; i < ids.count; i++)
            printf(i ? " %d" : "%d", (int)ids.list[i]);
        putchar('\n');
        tomevit_ids_free(&ids);
    }
    if (failed)
        fprintf(stderr, "%s\n", why.text);
    tomevit_tokenizer_close(t);
    json_decref(list);
    return failed;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

static int compare_images(const char *one, const char *other)
{
    image_options options;
    image a, b;
    char why[200];

    image_options_init(&options);
    if (image_read(one, &options, &a, why))
        return 1;
    if (image_read(other, &options, &b, why)) {
        image_free(&a);
        return 1;
    }
    int differ = a.width != b.width || a.height != b.height ||
                 memcmp(a.rgb, b.rgb, 3 * a.width * a.height) != 0;
    image_free(&a);
    image_free(&b);
    return differ;
}

static int decode_images(int count, char **paths)
{
    image_options options;
    char why[200];
    image a;

    image_options_init(&options);
    options.max_pixels = 1 << 22;
    for (int i = 0; i < count; i++) {
        if (image_read(paths[i], &options, &a, why)) {
            printf("refused\t%s\n", why);
            continue;
        }
        uInt bytes = (uInt)(3 * a.width * a.height);
        printf("read %zu %zu %08lx%08lx\t%s\n", a.width, a.height,
               crc32(0, a.rgb, bytes), adler32(1, a.rgb, bytes), why);
        image_free(&a);
    }
    return 0;
}

/* The sum of a name and what follows it, for the name alone is another: a
 * CRC is linear. */
static uint32_t renamed_sum(const packed_picture *p, const char *name,
                            size_t length)
{
    z_off_t rest = (z_off_t)(p->count + length);
    uLong old = crc32(0, (const Bytef *)p->name, (uInt)strlen(p->name));
    uLong new = crc32(0, (const Bytef *)name, (uInt)strlen(name));

    return (uint32_t)(p->sum ^ crc32_combine(old, 0, rest) ^
                      crc32_combine(new, 0, rest));
}

static int rename_first(const char *from, const char *to, size_t length,
                        const char *name)
{
    char why[200];
    size_t count;
    uint8_t *bytes = image_load(from, (size_t)1 << 30, &count, why);
    FILE *out = fopen(to, "wb");
    static packed_reader reader;
    static packed_writer writer;
    static packed_picture p;
    packed_header h;
    uint32_t sums;

    if (!bytes || !out || packed_read_begin(&reader, bytes, count, &h, why))
        return 1;
    packed_write_begin(&writer, out, &h);
    while (packed_read(&reader, &p, &sums, why) == 1) {
        if (writer.pictures == 0) {
            p.sum = renamed_sum(&p, name, length);
            snprintf(p.name, sizeof(p.name), "%s", name);
        }
        packed_write(&writer, &p);
    }
    packed_write_end(&writer);
    free(bytes);
    return fclose(out) != 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    if (strcmp(what, "model") == 0 && argc > 3)
        return make_model(argv[2], number(argv[3]),
                          argc > 4 ? argv[4] : NULL,
                          argc > 5 ? strtof(argv[5], NULL) : 1);
    if (strcmp(what, "head") == 0 && argc > 4)
        return make_head(argv[2], number(argv[3]), number(argv[4]));
    if (strcmp(what, "image") == 0 && argc > 5)
        return make_image(argv[2], number(argv[3]), number(argv[4]),
                          number(argv[5]));
    if (strcmp(what, "fill") == 0 && argc > 5)
        return fill_tensor(argv[2], argv[3], argv[4], strtof(argv[5], NULL));
    if (strcmp(what, "embed") == 0 && argc > 3)
        return embed_images(argv[2], number(argv[3]), argc - 4, argv + 4);
    if (strcmp(what, "same") == 0 && argc > 3)
        return compare_images(argv[2], argv[3]);
    if (strcmp(what, "decode") == 0)
        return decode_images(argc - 2, argv + 2);
    if (strcmp(what, "rename") == 0 && argc > 5)
        return rename_first(argv[2], argv[3], number(argv[4]), argv[5]);
    if (strcmp(what, "tokens") == 0 && argc > 3)
        return print_tokens(argv[2], argv[3]);
    if (strcmp(what, "json") == 0)
        return print_json(argv[2], argc - 3, argv + 3);
    fputs("usage: fixture model|head|image|fill|embed|same|decode|rename|"
          "tokens|json FILE ...\n", stderr);
    return 2;
}

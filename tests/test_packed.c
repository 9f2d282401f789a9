/* SPDX-License-Identifier: MIT */
/* The coder gives back what it took, in about as many bits as the probabilities
 * say; of an archive no flipped byte and no cut goes unnoticed. */
#include "config.h"

#include "draws.h"
#include "../src/bytes/packed.h"
#include "../src/bytes/range_coder.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = RANGE_VALUES, BYTES = 5000 };

static uint64_t state = 1;

static uint32_t draw(void)
{
    return (uint32_t)(draw_64(&state) >> 32);
}

/* ---- the coder ----------------------------------------------------------- */

/* Probabilities of several kinds, from flat to all but certain. */
static void some_probabilities(int kind, uint8_t byte, float *p)
{
    double sum = 0;

    for (size_t i = 0; i < VALUES; i++) {
        double x = draw() / 4294967296.0;

        p[i] = (float)(kind == 0 ? 1 : kind == 1 ? x : pow(x, 30));
        if (kind == 3)
            p[i] = i == byte ? 1.0f : 0.0f;
        if (kind == 4)          /* the byte is the unlikeliest */
            p[i] = i == byte ? 0.0f : 1.0f;
        sum += (double)p[i];
    }
    for (size_t i = 0; i < VALUES; i++)
        p[i] = (float)((double)p[i] / sum);
}

static range_part part_of(const uint32_t *frequency, uint8_t byte)
{
    range_part part = {0, frequency[byte]};

    for (size_t i = 0; i < byte; i++)
        part.before += frequency[i];
    return part;
}

static void round_trip(int kind)
{
    static uint32_t frequency[BYTES][VALUES];
    static uint8_t bytes[BYTES];
    range_encoder e;
    range_decoder d;
    double bits = 0;

    range_encode_begin(&e);
    for (size_t i = 0; i < BYTES; i++) {
        float p[VALUES];
        uint64_t sum = 0;

        bytes[i] = (uint8_t)draw();
        some_probabilities(kind == 5 ? (int)(draw() % 5) : kind, bytes[i], p);
        range_frequencies(p, frequency[i]);
        for (size_t k = 0; k < VALUES; k++) {
            cr_assert(frequency[i][k] > 0);
            sum += frequency[i][k];
        }
        cr_assert_eq(sum, 1 << RANGE_BITS);
        bits -= log2(frequency[i][bytes[i]] / (double)(1 << RANGE_BITS));
        range_encode(&e, part_of(frequency[i], bytes[i]));
    }
    range_encode_end(&e);
    cr_expect(8.0 * (double)e.count < bits * 1.0001 + 16 &&
              8.0 * (double)e.count > bits - 16,
              "kind %d: %zu bytes for %.1f bits", kind, e.count, bits);
    range_decode_begin(&d, e.bytes, e.count);
    for (size_t i = 0; i < BYTES; i++)
        cr_assert_eq(range_decode(&d, frequency[i]), bytes[i],
                     "kind %d: byte %zu", kind, i);
    free(e.bytes);
}

Test(packed, bytes_come_back_in_as_many_bits_as_they_are_worth)
{
    for (int kind = 0; kind <= 5; kind++)
        round_trip(kind);
}

Test(packed, what_is_no_probability_still_gives_frequencies)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, -1, 0, 2, 1e30f};

    for (size_t kind = 0; kind < sizeof(odd) / sizeof(*odd); kind++) {
        uint32_t frequency[VALUES];
        float p[VALUES];
        uint64_t sum = 0;

        for (size_t i = 0; i < VALUES; i++)
            p[i] = odd[kind];
        range_frequencies(p, frequency);
        for (size_t i = 0; i < VALUES; i++) {
            cr_expect(frequency[i] > 0);
            sum += frequency[i];
        }
        cr_expect_eq(sum, 1 << RANGE_BITS, "%g", (double)odd[kind]);
    }
}

/* ---- archives ------------------------------------------------------------ */

static const char *const names[] = {
    "a.png", "b/0001.png", "b/0002.png", "b/0002.png.png", "c"
};
enum { PICTURES = sizeof(names) / sizeof(*names), LENGTH = 12 };

/* The pixels of a picture: here the coder gives them as they are. */
static const uint8_t pixels[PICTURES][LENGTH] = {
    "0123456789a", "", "bits of this", "\377\376\375", "zzzzzzzzzzz"
};

static uint8_t *write_archive(size_t *count)
{
    packed_header h = {.digest = 0x0123456789abcdef, .arithmetic = 42,
                       .model = "m", .tier = "scalar", .dtype = "f32",
                       .width = 2, .height = 2};
    static packed_writer w;
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, count);

    packed_write_begin(&w, file, &h);
    for (size_t i = 0; i < PICTURES; i++) {
        static packed_picture p;

        strcpy(p.name, names[i]);
        p.bytes = pixels[i];
        p.count = LENGTH;
        p.sum = packed_sum(&p, pixels[i], LENGTH);
        packed_write(&w, &p);
    }
    packed_write_end(&w);
    fclose(file);
    return (uint8_t *)bytes;
}

/* Pictures that are whole; *sound if all was. */
static size_t read_archive(const uint8_t *bytes, size_t count, int *sound)
{
    static packed_reader r;
    static packed_picture p;
    packed_header h;
    char why[PACKED_WHY] = "";
    uint32_t sums = 0, end = 0;
    size_t whole = 0;
    int more;

    *sound = 0;
    if (packed_read_begin(&r, bytes, count, &h, why) != 0) {
        cr_expect(why[0] != '\0');
        return 0;
    }
    cr_expect_eq(h.digest, 0x0123456789abcdef);
    while ((more = packed_read(&r, &p, &end, why)) == 1) {
        uint8_t own[LENGTH] = {0};

        memcpy(own, p.bytes, p.count < LENGTH ? p.count : LENGTH);
        if (packed_sum(&p, own, LENGTH) != p.sum)
            return whole;
        cr_expect_str_eq(p.name, names[whole]);
        cr_expect_arr_eq(own, pixels[whole], LENGTH);
        sums = packed_add_sum(sums, p.sum);
        whole++;
    }
    cr_expect(more == 0 || why[0] != '\0');
    *sound = more == 0 && sums == end;
    return whole;
}

Test(packed, archives_are_read_as_they_were_written)
{
    size_t count;
    uint8_t *bytes = write_archive(&count);
    int sound;

    cr_expect_eq(read_archive(bytes, count, &sound), PICTURES);
    cr_expect(sound);
    free(bytes);
}

Test(packed, every_flipped_bit_is_noticed)
{
    size_t count;
    uint8_t *bytes = write_archive(&count);
    int sound;

    for (size_t i = 0; i < 8 * count; i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        read_archive(bytes, count, &sound);
        cr_expect_not(sound, "bit %zu of byte %zu", i % 8, i / 8);
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    free(bytes);
}

/* At any length, and what came before is there. */
Test(packed, every_cut_is_noticed)
{
    size_t count, last = 0;
    uint8_t *bytes = write_archive(&count);
    int sound;

    for (size_t i = 0; i < count; i++) {
        uint8_t *part = malloc(i + 1);
        size_t whole;

        memcpy(part, bytes, i);
        whole = read_archive(part, i, &sound);
        cr_expect_not(sound, "cut at %zu", i);
        cr_expect(whole >= last && whole <= last + 1, "cut at %zu", i);
        last = whole;
        free(part);
    }
    cr_expect_eq(last, PICTURES);
    free(bytes);
}

Test(packed, names_stay_below_their_folder)
{
    static const char *const safe[] = {"a", "a/b.png", "...", "..a/b..", "a b"};
    static const char *const unsafe[] = {
        "", "/", "/a", "a/", "..", "../a", "a/..", "a/../b", ".", "./a",
        "a/./b", "a//b"};

    for (size_t i = 0; i < sizeof(safe) / sizeof(*safe); i++)
        cr_expect(packed_name_is_safe(safe[i]), "%s", safe[i]);
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
        cr_expect_not(packed_name_is_safe(unsafe[i]), "%s", unsafe[i]);
}

/* SPDX-License-Identifier: MIT */
/* Numbers as text. strtod and printf take the point of the program's locale,
 * which is whatever the program that has linked the library set. */
#include "config.h"

#include "real.h"

#include "tomevit.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tomevit_real_read(const char *text, double *value)
{
    const char *point = localeconv()->decimal_point;
    char copy[64], *end;
    size_t length = strcspn(text, ".");
    int cut;

    if (text[0] == '\0' || isspace((unsigned char)text[0]) || length > 63)
        return TOMEVIT_EINVAL;
    cut = snprintf(copy, sizeof(copy), "%.*s%s%s", (int)length, text,
                   text[length] ? point : "",
                   text[length] ? text + length + 1 : "");
    if (cut < 0 || (size_t)cut >= sizeof(copy))
        return TOMEVIT_EINVAL;
    *value = strtod(copy, &end);
    return *end == '\0' && isfinite(*value) ? 0 : TOMEVIT_EINVAL;
}

int tomevit_count_read(const char *text, size_t *value)
{
    size_t number = 0;

    if (!*text)
        return TOMEVIT_EINVAL;
    for (; *text; text++) {
        size_t digit = (size_t)(unsigned char)*text - '0';

        if (!isdigit((unsigned char)*text) || number > (SIZE_MAX - digit) / 10)
            return TOMEVIT_EINVAL;
        number = 10 * number + digit;
    }
    *value = number;
    return 0;
}

void tomevit_real_write(double value, int digits, char *text, size_t size)
{
    const char *point = localeconv()->decimal_point;
    char *at;

    snprintf(text, size, "%.*g", digits, value);
    at = strstr(text, point);
    if (!at || !strcmp(point, "."))
        return;
    *at = '.';
    memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
}

#!/bin/sh
# SPDX-License-Identifier: MIT
# The C of tomerge/README.md compiles without a warning against the public
# headers, and merges what it says it merges.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "a sanitized library wants a sanitized program"
test -f .libs/libtomerge.a || skip "no static library was built"
sed -n '/^```c$/,/^```$/p' "$srcdir/tomerge/README.md" | grep -v '^```' \
    >"$scratch/block.c"
test -s "$scratch/block.c" || { fail "found no C in tomerge/README.md"; exit 1; }
cat >"$scratch/main.c" <<'EOT'
#include "block.c"

enum { N = 9, HEADS = 2, DIM = 4, R = 3 };
static size_t seen;

/* Tokens 1 and 2, 3 and 4, ... have the same key: the first three pairs merge. */
void attention(int layer, float *x, size_t n, const float *bias, float *keys)
{
    (void)x;
    (void)bias;
    for (size_t i = 0; i < n * DIM; i++)
        keys[i] = 0;
    for (size_t i = 0; i < n; i++)
        keys[i * DIM + (i + 1) / 2 % 2] = i < 7 ? 1 : (float)i - 8.5f;
    (void)layer;
}

void mlp(int layer, float *x, size_t n)
{
    (void)x;
    seen = seen * 10 + n + (size_t)layer;
}

int main(void)
{
    static float keys[N * DIM], x[N * DIM], size[N], bias[N], sum;
    size_t rows;

    for (int i = 0; i < N * DIM; i++)
        x[i] = (float)(i / DIM);
    rows = run_layers(2, N, DIM, HEADS, R, x, keys, size, bias);
    for (size_t i = 0; i < rows; i++)
        sum += size[i];
    return rows != N - R - 2 || sum != (float)N || x[0] != 0 ||
           seen != (N - R) * 10 + N - R - 2 + 1 || !(bias[1] > 0);
}
EOT
cp "$scratch/main.c" "$scratch/main.cpp"
for standard in c99 c11 c++17 c++20; do
    case $standard in
    c++*) compiler=${CXX:-g++} source=main.cpp
          tool "$compiler" || continue ;;
    *) compiler=${CC:-cc} source=main.c ;;
    esac
    $compiler -std=$standard -pedantic -Wall -Wextra -Wshadow -Wconversion \
        -Werror -I"$srcdir/include" -o "$scratch/main" \
        "$scratch/$source" .libs/libtomerge.a $OPENMP_CFLAGS -lm ||
        { fail "its C does not compile as $standard"; continue; }
    "$scratch/main" || fail "its C, as $standard, does not merge"
done
exit $status

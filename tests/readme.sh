#!/bin/sh
# SPDX-License-Identifier: MIT
# The README's C compiles without a warning against the public headers, and
# merges what it says it merges.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "a sanitized library wants a sanitized program"
test -f .libs/libtomerge.a || skip "no static library was built"
sed -n '/^```c$/,/^```$/p' "$srcdir/README.md" | grep -v '^```' \
    >"$scratch/block.c"
test -s "$scratch/block.c" || { fail "found no C in README.md"; exit 1; }
cat >"$scratch/main.c" <<'EOT'
#include "block.c"

/* Tokens 1 and 2, 3 and 4, ... have the same key: the first three pairs merge. */
int main(void)
{
    enum { N = 9, HEAD = 4, DIM = 2, R = 3 };
    static float keys[N][HEAD], x[N][DIM], y[N][DIM], size[N], sum;
    static char work[1 << 16];
    int32_t map[N];
    size_t rows;

    for (int i = 0; i < N; i++) {
        keys[i][(i + 1) / 2 % HEAD] = i < 7 ? 1 : (float)i - 8.5f;
        x[i][0] = (float)i;
    }
    rows = merge_tokens(N, DIM, HEAD, R, keys[0], x[0], 0, y[0], size, map,
                        work, sizeof work);
    for (size_t i = 0; i < rows; i++)
        sum += size[i];
    return rows != N - R || sum != N || map[1] != map[2] || map[0] != 0;
}
EOT
${CC:-cc} -std=c11 -pedantic -Wall -Wextra -Wshadow -Wconversion -Werror \
    -I"$srcdir/include" -o "$scratch/main" \
    "$scratch/main.c" .libs/libtomerge.a $OPENMP_CFLAGS -lm ||
    { fail "the README's C does not compile"; exit 1; }
"$scratch/main" || fail "the README's C does not merge as it says"
exit $status

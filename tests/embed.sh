#!/bin/sh
# SPDX-License-Identifier: MIT
# The lines of tomerge/README.md that compile it into someone's own tree do
# so from one header and one folder, in C and in C++, and what they make gives
# the bits of the installed library.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "a sanitized library wants a sanitized program"
test -f .libs/libtomerge.a || skip "no static library was built"
from=$(cd "$srcdir" && pwd)
build=$PWD

# Any names are fine: the lines say cc and c++ and mean what configure found.
mkdir "$scratch/bin"
printf '#!/bin/sh\nexec %s "$@"\n' "${CC:-cc}" >"$scratch/bin/cc"
printf '#!/bin/sh\nexec %s "$@"\n' "${CXX:-g++}" >"$scratch/bin/c++"
chmod +x "$scratch"/bin/*
PATH=$scratch/bin:$PATH

# Both C and C++: prints what matching, merging and the way back make.
cat >"$scratch/app.c" <<'EOT'
#include "tomerge.h"

#include <stdio.h>

enum { N = 61, C = 37 };
static float x[N][C], y[N][C], back[N][C], size[N];
static int32_t map[N];
static char work[1 << 16];

static unsigned hash(const void *data, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)data;
    unsigned sum = 5381;

    for (size_t i = 0; i < bytes; i++)
        sum = sum * 33 + p[i];
    return sum;
}

int main(void)
{
    tomerge_options options;
    tomerge_plan plan = {N, 0, map, NULL};
    tomerge_const_view in = {x, C, TOMERGE_F32}, merged = {y, C, TOMERGE_F32};
    tomerge_view out = {y, C, TOMERGE_F32}, restored = {back, C, TOMERGE_F32};
    unsigned state = 1;
    int error;

    for (int i = 0; i < N * C; i++) {
        state = state * 1664525 + 1013904223;
        x[i / C][i % C] = (float)(state >> 8) / (1 << 23) - 1;
    }
    tomerge_options_init(&options);
    options.protect = 1;
    error = tomerge_match(&options, C, in, 20, &plan, work, sizeof(work));
    error |= tomerge_merge(TOMERGE_MLERP, &plan, C, in, NULL, out, size, work,
                           sizeof(work));
    error |= tomerge_unmerge(&plan, C, merged, restored);
    printf("%s %d %d %x %x\n", tomerge_version_string(), error,
           (int)plan.rows, hash(map, sizeof(map)), hash(back, sizeof(back)));
    return error || plan.rows != N - 20;
}
EOT
cp "$scratch/app.c" "$scratch/app.cpp"
cc -std=c11 -I"$from/include" -o "$scratch/installed" "$scratch/app.c" \
    "$build/.libs/libtomerge.a" $OPENMP_CFLAGS -lm ||
    { fail "the library does not link"; exit 1; }
expected=$("$scratch/installed") || fail "the library does not merge"

machine=$(printf '#ifdef __x86_64__\nx86\n#elif defined(__aarch64__)\narm\n#endif\n' |
    cc -E -P - | tr -dc 'a-z0-9')

count=0 tiers=0 cxx=0
grep '^    cc .*tomerge/\*\.c' "$from/tomerge/README.md" >"$scratch/lines"
while read -r line; do
    count=$((count + 1))
    case $line in *TOMERGE_TIERS*)
        tiers=$((tiers + 1))
        case $line in *tomerge/${machine:-none}/*) ;; *) continue ;; esac ;;
    esac
    case $line in *app.cpp*)
        cxx=$((cxx + 1))
        tool "${CXX:-g++}" || continue ;;
    esac
    folder=$scratch/tree$count
    mkdir "$folder"
    cp -r "$from/tomerge" "$from/include/tomerge.h" "$folder"
    chmod -R u+w "$folder"
    cp "$scratch/app.c" "$scratch/app.cpp" "$folder"
    (cd "$folder" && sh -ec "$line") >"$scratch/log" 2>&1 ||
        { fail "does not compile: $line"; cat "$scratch/log"; continue; }
    test ! -s "$scratch/log" ||
        { fail "is not silent: $line"; cat "$scratch/log"; }
    found=$("$folder/app")
    test "$found" = "$expected" ||
        fail "found $found, not $expected: $line"
    case $line in *TOMERGE_TIERS*)
        ${NM:-nm} "$folder/app" | grep -q tomerge_dsp_avx512 ||
            fail "has no tiers: $line" ;;
    esac
done <"$scratch/lines"
test $count -ge 3 -a $tiers -ge 1 -a $cxx -ge 1 ||
    fail "tomerge/README.md has $count lines, $tiers with tiers, $cxx for C++"
exit $status

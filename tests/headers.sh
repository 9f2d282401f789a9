#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as strict C99 and, where a C++ compiler
# is at hand, as C++17.
. "${srcdir:-.}/tests/guard.sh"

strict="-pedantic -Wall -Wextra -Wshadow -Wundef -Werror -fsyntax-only"
for header in tomerge.h tomevit.h tomevit_bytes.h tomevit_methods.h; do
    printf '#include <%s>\n#include <%s>\ntypedef int used;\n' \
        "$header" "$header" >"$scratch/alone.c"
    ${CC:-cc} -std=c99 -Wstrict-prototypes -Wmissing-prototypes $strict \
        -I"$srcdir/include" "$scratch/alone.c" ||
        fail "$header is not C99 on its own"
    for cxx in "${CXX:-g++}" clang++; do
        tool "$cxx" || continue
        cp "$scratch/alone.c" "$scratch/alone.cpp"
        $cxx -std=c++17 $strict -I"$srcdir/include" "$scratch/alone.cpp" ||
            fail "$header is not C++17 on its own ($cxx)"
        break
    done
done
exit $status

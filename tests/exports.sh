#!/bin/sh
# SPDX-License-Identifier: MIT
# Each shared library exports exactly what its .map names, that is exactly
# what its headers declare, and every name carries the library's prefix.
. "${srcdir:-.}/tests/guard.sh"

mapped() {
    sed -e 's/#.*//' "$1" | tr -d ' \t' | sed -n '/^global:/,/^local:/p' |
        sed -n 's/^\([a-z_0-9]*\);$/\1/p' | sort -u
}

exported() {
    ${NM:-nm} -D --defined-only "$1" |
        awk '$(NF - 1) != "A" { sub(/@.*/, "", $NF); print $NF }' | sort -u
}

same() {
    diff "$1" "$2" >"$scratch/diff" && return
    fail "$3"
    cat "$scratch/diff"
}

for pair in tomerge:tomerge vit:tomevit; do
    folder=${pair%:*}
    prefix=${pair#*:}
    library=.libs/lib$prefix.so
    map=$srcdir/$folder/lib$prefix.map
    for header in "$srcdir/include/$prefix"*.h; do
        declared "$header" "$prefix"
    done | sort -u >"$scratch/declared"
    mapped "$map" >"$scratch/mapped"
    test -s "$scratch/declared" || fail "no function found in $prefix*.h"
    grep -v "^${prefix}_" "$scratch/mapped" &&
        fail "$map names what lacks the prefix ${prefix}_"
    same "$scratch/declared" "$scratch/mapped" \
        "declared in $prefix*.h (<), named in $map (>)"
    test -f "$library" || { shared=none; continue; }
    ${NM:-nm} -D --defined-only "$library" |
        grep -E " ${prefix}_" | grep -vE "@@LIB[A-Z]*_[1-9][0-9]*\.[0-9]+$" &&
        fail "$library exports the above without a version"
    exported "$library" >"$scratch/exported"
    same "$scratch/mapped" "$scratch/exported" \
        "named in $map (<), exported by $library (>)"
done
test $status = 0 || exit 1
test -z "$shared" || skip "no shared libraries were built"

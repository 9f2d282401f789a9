#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages are clean to mandoc. Each function of a library that has
# pages of section 3 is in the NAME and the SYNOPSIS of exactly one, with as
# many arguments as its header gives it, and what these pages refer to exists.
. "${srcdir:-.}/tests/guard.sh"

test -n "$MANUAL_PAGES" || skip "there are no manual pages"
names() { sed -n '/^\.Nd/q; s/^\.Nm \([a-z0-9_]*\).*/\1/p' "$srcdir/$1"; }
synopsis() { sed -n 's/^\.Fn \([a-z0-9_]*\) [v"].*/\1/p' "$srcdir/$1"; }
pages() {
    for page in $MANUAL_PAGES; do
        case ${page##*/} in "$1"*.3) echo "$page" ;; esac
    done
}

for page in $MANUAL_PAGES; do
    tool mandoc || continue
    mandoc -Tlint -Wwarning "$srcdir/$page" || fail "$page is not clean"
done
for library in tomerge tomevit; do
    test -n "$(pages $library)" || continue
    declared "$srcdir/include/$library.h" "$library" >"$scratch/declared"
    for page in $(pages $library); do names "$page"; done | sort \
        >"$scratch/names"
    for page in $(pages $library); do synopsis "$page"; done | sort \
        >"$scratch/synopsis"
    diff "$scratch/declared" "$scratch/synopsis" ||
        fail "declared in $library.h (<), in the SYNOPSIS of its pages (>)"
    # The page of the whole library is named after it, not after a function.
    grep -vx "$library" "$scratch/names" | diff "$scratch/synopsis" - ||
        fail "in the SYNOPSIS (<), in the NAME of its pages (>)"
    for page in $(pages $library); do
        sed -n 's/^\.\(It \)*Xr \([a-z0-9_]*\) 3.*/\2/p' "$srcdir/$page" |
            sort -u | comm -23 - "$scratch/names" >"$scratch/missing"
        test ! -s "$scratch/missing" ||
            { fail "$page refers to"; cat "$scratch/missing"; }
        # Arguments: those in quotes, and the commas in the header.
        sed -n 's/^\.Fn \([a-z0-9_]* ".*\)/\1/p' "$srcdir/$page" |
            awk '{ name = $1; print name, gsub(/"/, "") / 2 }' \
                >>"$scratch/arguments"
    done
    # Neither comments nor what inline functions do declare anything.
    grep -v '^ *#' "$srcdir/include/$library.h" |
        ${CC:-cc} -E -P -xc - 2>/dev/null | tr '\n' ' ' |
        sed 's/static inline [^{]*{[^}]*}//g' |
        grep -oE "${library}_[a-z0-9_]+\([^()]*\);" |
        awk -F '(' '$2 !~ /^void/ { print $1, gsub(/,/, "") + 1 }' |
        sort >"$scratch/counted"
    sort "$scratch/arguments" | diff "$scratch/counted" - ||
        fail "arguments in $library.h (<), in the SYNOPSIS of its pages (>)"
done
tool mandoc || test $status != 0 || skip "no mandoc"
exit $status

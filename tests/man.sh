#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages are clean to mandoc, and a page of section 3 that is there
# for a library has all of its functions.
. "${srcdir:-.}/tests/guard.sh"

test -n "$MANUAL_PAGES" || skip "there are no manual pages"
for page in $MANUAL_PAGES; do
    if tool mandoc; then
        mandoc -Tlint -Wwarning "$srcdir/$page" || fail "$page is not clean"
    fi
    library=$(expr "/$page" : '.*/\([^/]*\)\.3$')
    test -f "$srcdir/include/$library.h" || continue
    for function in $(declared "$srcdir/include/$library.h" "$library"); do
        grep -qw "$function" "$srcdir/$page" || fail "$page lacks $function"
    done
done
tool mandoc || test $status != 0 || skip "no mandoc"
exit $status

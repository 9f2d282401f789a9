#!/bin/sh
# SPDX-License-Identifier: MIT
# Some thousands of changed files, half of them with their sums and lengths put
# right, are read or refused by every reader that has a fuzz target
# (tests/fuzz/mutants.c). `make mutants MUTANTS=1000000` tries more.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "the fuzzers do so under the sanitizers"
found=0
for target in tests/fuzz/fuzz_*; do
    test -f "$target" && test -x "$target" || continue
    found=1
    "$target" --mutants "${MUTANTS-1000}" >"$scratch/log" 2>&1
    got=$?
    cat "$scratch/log"
    test $got = 0 || fail "$target ends with $got"
done
test $found = 1 || skip "no fuzz targets that run by themselves"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Merging as an operator of a ggml graph: equal patches merged change nothing,
# sizes add up, threads do not matter.
. "${srcdir:-.}/tests/guard.sh"

test -x tomerge/examples/ggml || skip "configure was not given --with-ggml=DIR"
expected="equal patches merged: class tokens unchanged
50 tokens -> 18 rows, of sizes that add up to 50 50 50; the same in 4 threads"
found=$(tomerge/examples/ggml) || fail "tomerge/examples/ggml failed"
test "$found" = "$expected" || fail "expected $expected, found $found"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# The example of plugging merging into other code runs, against what the
# shared library exports and nothing else, and merges 16 tokens a layer.
. "${srcdir:-.}/tests/guard.sh"

expected="197 -> 181 -> 165 -> 149 -> 133 -> 117 -> 101 rows for 197 tokens,\
 1 in the class token's row"
found=$(tomerge/examples/plug) || fail "tomerge/examples/plug failed"
test "$found" = "$expected" || fail "expected $expected, found $found"
exit $status

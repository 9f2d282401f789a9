#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples run on what the shared library exports: someone's ViT with and
# without the lines that make it merge, and dense prediction.
. "${srcdir:-.}/tests/guard.sh"

examples=tomerge/examples

# Someone's ViT is the same program where nothing merges.
$examples/vit >"$scratch/plain" || fail "vit failed"
$examples/vit_r0 >"$scratch/r0" || fail "vit with r = 0 failed"
cmp "$scratch/plain" "$scratch/r0" || fail "r = 0 changes the logits"

$examples/vit_r16 >"$scratch/r16" || fail "vit with r = 16 failed"
grep -qx '101 tokens' "$scratch/r16" || {
    fail "r = 16 does not leave 197 - 6 * 16 = 101 tokens"
    head -n 1 "$scratch/r16"
}
# The picture's patches are nearly alike in five regions, so merging them
# costs little: no logit moves by more than a hundredth.
paste -d ' ' "$scratch/plain" "$scratch/r16" |
    awk '$1 == "class" { n++; d = $3 - $6; if (d * d > 0.0001) bad = 1 }
         END { exit bad || n != 10 }' || {
    fail "r = 16 moves a logit by more than 0.01"
    cat "$scratch/r16"
}
cmp -s "$scratch/plain" "$scratch/r16" && fail "r = 16 changes nothing"

added=$(awk '/^#ifdef WITH_TOMERGE/ { on = 1; next }
             /^#(else|endif)/ { on = 0 }
             on && NF { n++ }
             END { print n }' "$srcdir/$examples/vit.c")
test "$added" = 14 || fail "$added lines plug merging in, not 14"

# All patches get a label again, and the right one.
$examples/dense >"$scratch/dense" || fail "dense failed"
expected="40 rows instead of 256, 256 of 256 labels right, 256 as without merging"
test "$(tail -n 1 "$scratch/dense")" = "$expected" ||
    { fail "dense prediction went wrong"; cat "$scratch/dense"; }
exit $status

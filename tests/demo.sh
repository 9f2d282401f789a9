#!/bin/sh
# SPDX-License-Identifier: MIT
# The demonstration end to end: the pictures that make-images draws, through
# the model that comes with the command, at four amounts of merging.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "too slow under the sanitizers"
data/make-images "$scratch/pictures" || fail "no pictures"
src/tomerge sweep --r 0,8,16,24 --csv "$scratch/sweep.csv" --quiet \
    "$scratch/pictures" >"$scratch/table" || fail "the sweep failed"
cat "$scratch/table"

# column NAME ROW: a value of the table
column() {
    awk -F, -v name="$1" -v row="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
        NR == row + 1 { print $at }' "$scratch/sweep.csv"
}
holds() {
    awk "BEGIN { exit !($1) }" || fail "not so: $2"
}
all=$(column top1 1) eight=$(column drop 2) sixteen=$(column drop 3)
most=$(column drop 4)
test "$(column images 1)" = 480 || fail "not 480 images"
holds "$all >= 90 && $all <= 98" "top-1 of $all % at r=0 is in 90 .. 98"
holds "$eight <= 1" "r=8 costs at most a point: $eight"
holds "$sixteen >= 1 && $sixteen <= 10" "r=16 costs visibly: $sixteen"
holds "$most >= 20" "r=24 leaves two tokens and shows it: $most"

# Encoders of other blocks, at r=0 and with about a sixth of the patches left.
for pair in mobile:21 mega:42 megalodon:42; do
    src/tomerge sweep --model "$srcdir/data/${pair%:*}.safetensors" \
        --r "0,${pair#*:}" --csv "$scratch/sweep.csv" --quiet \
        "$scratch/pictures" >"$scratch/table" || fail "$pair: no sweep"
    cat "$scratch/table"
    holds "$(column top1 1) >= 92" "top-1 of $pair at r=0 is 92 % or more"
    holds "$(column drop 2) <= 8" "$pair costs at most 8 points"
    holds "$(column tokens_left 2) <= 35" "$pair leaves 28 or 35 tokens"
    test "$pair" != mega:42 || whole=$(column top1 1)
done

# Relative positions, of merged tokens too: centroids' places would cost ten
# points at a tenth of the arithmetic saved.
src/tomerge sweep --model "$srcdir/data/relative.safetensors" --r 0,10,20 \
    --csv "$scratch/sweep.csv" --quiet "$scratch/pictures" \
    >"$scratch/table" || fail "relative: no sweep"
cat "$scratch/table"
holds "$(column top1 1) >= 96" "top-1 with relative positions is 96 % or more"
holds "$(column drop 2) <= 1 && $(column drop 3) <= 3" \
    "merging with relative positions costs at most 1 and 3 points"
holds "$(column tokens_left 3) == 97" "100 of 197 tokens merge"

# Mega in fewer bits: bf16 within 0.3 points of f32, int8 within one.
holds "$whole >= 95" "mega is right on 95 % or more: $whole"
for most in bf16:0.3 int8:1; do
    src/tomerge sweep --model "$srcdir/data/mega.safetensors" --r 0 \
        --dtype "${most%:*}" --csv "$scratch/sweep.csv" --quiet \
        "$scratch/pictures" >"$scratch/table" || fail "mega: no ${most%:*}"
    found=$(column top1 1)
    holds "$whole - $found <= ${most#*:}" \
        "mega in ${most%:*}: $found % is within ${most#*:} of $whole"
done
exit $status

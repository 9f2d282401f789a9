#!/bin/sh
# SPDX-License-Identifier: MIT
# The table of methods in data/README.md, made again on the demonstration's
# model: each cell's KL divergence within 5 %, its top-1 within two pictures of
# 160.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "too slow under the sanitizers"
data/make-images --count 160 "$scratch/pictures" || fail "no pictures"

# METHOD TOP1 KL TOP1 KL
awk -F'|' '/^## / { on = /Methods at equal arithmetic/ }
    on && $2 ~ /^ `[a-z]/ {
        gsub(/[ `]/, "", $2); gsub(/,/, " ", $3); gsub(/,/, " ", $4)
        print $2, $3, $4 }' "$srcdir/data/README.md" >"$scratch/table"
rows=$(wc -l <"$scratch/table")
test "$rows" -ge 13 || fail "data/README.md has no table of methods"
methods=$(cut -d' ' -f1 "$scratch/table" | tr '\n' , | sed 's/,$//')

src/tomerge sweep --quiet --calibrate 32 --budget 0.23,0.19 \
    --method "$methods" --csv "$scratch/found.csv" "$scratch/pictures" \
    >"$scratch/out" 2>&1 || fail "the sweep failed: $(tail -1 "$scratch/out")"

# A field with a comma stands in quotes. The first row is that of r = 0.
sed 's/"\([^",]*\),\([^"]*\)"/\1;\2/g' "$scratch/found.csv" | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    NR > 2 { printf "%s %s %s%s", (NR % 2 ? $at["series"] : ""), $at["top1"],
             $at["kl_mean"], (NR % 2 ? " " : "\n") }' >"$scratch/found"
test "$(wc -l <"$scratch/found")" -eq "$rows" || fail "other rows were found"
paste -d' ' "$scratch/table" "$scratch/found" >"$scratch/both"
cat "$scratch/both"
awk 'function off(a, b) { return a > b ? a - b : b - a }
    $1 != $6 { print "found " $6 " in place of " $1; bad = 1; next }
    { for (i = 2; i <= 4; i += 2) {
          if (off($i, $(i + 5)) > 1.26) {
              print $1 ": top-1 " $(i + 5) ", not " $i; bad = 1 }
          if (off($(i + 1), $(i + 6)) > 0.05 * $(i + 1) + 0.00005) {
              print $1 ": KL " $(i + 6) ", not " $(i + 1); bad = 1 } } }
    END { exit bad }' "$scratch/both" || fail "the table is another"
exit $status

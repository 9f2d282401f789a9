#!/bin/sh
# SPDX-License-Identifier: MIT
# Several methods in one sweep, each turned until a budget is met; what it finds
# is what the method does by itself.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
for class in a b c; do
    mkdir -p set/$class
    for i in 1 2 3 4; do
        "$fixture" image set/$class/$i.png $((30 + 9 * i)) $((90 - 4 * i)) $i ||
            fail "no image"
    done
done
common="--model plain.safetensors --quiet"

# column NAME ROW: a value of s.csv, which has no comma inside of a field
column() {
    awk -v name="$1" -v row="$2" '
        { n = 0; rest = $0
          while (rest != "" && match(rest, /^("[^"]*"|[^,]*)/)) {
              field[++n] = substr(rest, RSTART, RLENGTH)
              rest = substr(rest, RLENGTH + 2) } }
        NR == 1 { for (i = 1; i <= n; i++) if (field[i] == name) at = i }
        NR == row + 1 { gsub(/"/, "", field[at]); print field[at] }' s.csv
}

# ---- a list, with r

run 0 sweep $common --method 'tome,topk,threshold[threshold=0.5]' --r 1,2 \
    --csv s.csv --html s.html --svg s.svg set
lines s.csv 7
test "$(column series 1)" = r=0 || fail "r=0 is of no method"
test "$(column series 3)" = tome || fail "the second of tome is not its"
test "$(column method 5)" = topk || fail "topk is not the third"
test "$(column series 6)" = 'threshold[threshold=0.5]' ||
    fail "threshold, which needs no r, has not one run"
for word in tome topk threshold; do
    says s.svg "$word"
    says s.html "$word"
done
says out 'threshold[threshold=0.5]'

# Images of which each keeps its own number of tokens, and of no other run: a
# bar stands for some of the twelve, from the least to the most.
says s.html '<h2>Tokens an image keeps</h2>'
test "$(grep -c 'images by tokens' s.html)" = 1 || fail "not one histogram"
sed -n 's/.*images by tokens//p' s.html | sed 's/<title>/&\n/g' |
    sed -n 's/^\([0-9]*\) images*: \([0-9]*\) tokens.*/\1 \2/p' >bars
awk -v least="$(column tokens_least 6)" -v most="$(column tokens_most 6)" '
    NR == 1 && $2 != least { bad = 1 }
    { images += $1; sum += $1 * $2; last = $2 }
    END { exit bad || images != 12 || last != most ||
               (sum / 12 - '"$(column tokens_left 6)"') ^ 2 > 1e-6 }' bars ||
    fail "the histogram is of other images: $(cat bars)"
run 0 sweep $common --method tome --r 1,2 --html even.html set
test "$(grep -c 'Tokens an image keeps' even.html)" = 0 ||
    fail "a histogram of equal numbers"
grep -q '[1-9][0-9]* patches pruned' s.html || fail "nothing is pruned"
test "$(grep -c 'patches pruned' even.html)" = 0 || fail "tome prunes"

# ---- what a budget finds, and that it does as it says

all=$(column gmacs 1)
budget=$(awk "BEGIN { print $all * 0.85 }")
run 0 sweep $common --method 'tome,pitome,tofu,evit,threshold' \
    --budget "$budget" --calibrate 12 --csv s.csv --json s.json set
lines s.csv 7
cp s.csv found.csv
for row in 2 3 4 5 6; do
    cp found.csv s.csv
    gmacs=$(column gmacs $row) method=$(column method $row)
    options=$(column method_options $row) kl=$(column kl_mean $row)
    # A token of a layer of this small model is a twentieth of its cost.
    awk "BEGIN { d = $gmacs / $budget - 1; exit !(d * d < 0.06 * 0.06) }" ||
        fail "$method takes $gmacs GMACs for $budget"
    awk "BEGIN { exit !($(column budget $row) == $budget) }" || fail "budget?"
    if test "$method" = tome; then
        again="--method tome --r $(column schedule $row)"
    else
        again="--method $method --method-options $options"
    fi
    run 0 sweep $common $again --csv s.csv set
    test "$(column gmacs 2)" = "$gmacs" ||
        fail "$again takes $(column gmacs 2) GMACs, not $gmacs"
    test "$(column kl_mean 2)" = "$kl" || fail "$again: another divergence"
done

# Whatever the threads, the batch and the labels.
run 0 sweep $common --method threshold --budget "$budget" --calibrate 5 \
    --threads 1 --batch 1 --csv s.csv set
one=$(column method_options 2)
run 0 sweep $common --method threshold --budget "$budget" --calibrate 5 \
    --threads 2 --batch 5 --csv s.csv set
test "$one" = "$(column method_options 2)" || fail "threads find another"
test -n "$one" || fail "no threshold was found"

# A journal is gone on with, and is not another budget's.
run 0 sweep $common --method tome,threshold --budget "$budget" --calibrate 5 \
    --resume j --csv s.csv set
cp s.csv first.csv
run 0 sweep $common --method tome,threshold --budget "$budget" --calibrate 5 \
    --resume j --csv s.csv set
for kept in method_options kl_mean gmacs seconds.forward; do
    again=$(column $kept 3)
    cp s.csv second.csv
    cp first.csv s.csv
    test "$again" = "$(column $kept 3)" || fail "the journal says another $kept"
    cp second.csv s.csv
done
run 2 sweep $common --method tome,topk --budget "$budget" --calibrate 5 \
    --resume j set

# ---- a file of counts: the nearest of its targets

cat >counts.json <<'END'
{"small": {"0.9": {"prune_kept_num": "None", "merge_kept_num": "[16, 15, 14]"},
           "0.5": {"prune_kept_num": "None", "merge_kept_num": "[6, 4, 2]"}}}
END
run 0 sweep $common --method 'tome,diffrate[file=counts.json]' \
    --budget "$all" --csv s.csv set
test "$(column schedule 2)" = target=0.9 || fail "not the nearest target: $(column schedule 2)"

# ---- what cannot be

refused() {
    text=$1
    shift
    run 2 sweep $common "$@" set
    says err "$text"
}
refused "'tomes' is not one of" --method tome,tomes
refused 'a bracket is not closed' --method 'ppt[layers=3'
refused 'no option of method tome' --method 'tome[layer=3],topk'
refused 'each has them in brackets' --method tome,topk --method-options keep=0.5
refused 'neither --r' --method tome --budget 1 --r 3
refused 'leaves nothing to be turned' --method strided --budget "$budget"
refused 'leaves nothing to be turned' --method 'pitome[keep=0.9]' \
    --budget "$budget"
refused 'more than the' --method tome --budget 1000
refused 'is not a number above 0' --budget 0
run 2 eval $common --method tome,topk set
says err 'names several methods'
exit $status

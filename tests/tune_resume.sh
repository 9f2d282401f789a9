#!/bin/sh
# SPDX-License-Identifier: MIT
# tune --resume: whatever ends a search, the next one goes on, and finds what
# a search that nothing ended finds.
. "${srcdir:-.}/tests/guard.sh"
. "$srcdir/tests/killed.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
i=100
while test $i -lt 110; do
    for class in a b c; do
        mkdir -p pictures/$class
        "$fixture" image pictures/$class/$i.png 40 40 $i || fail "no image"
    done
    i=$((i + 1))
done
echo junk >pictures/b/105x.png
set -- --model plain.safetensors --image-size 96 --batch 4 pictures --rounds 1
goal="--max-drop 30"
counts='goal schedule gmacs gmacs_computed images refused calibration.images
    calibration.trials calibration.drop calibration.drop_interval.low
    calibration.change constant_r verdict runs.0.top1 runs.1.top1 runs.1.drop
    runs.2.top1 runs.2.gained'

# whole NAME: the report and the schedule are those of the full search
whole() {
    holds full.json $counts
    cp values wanted
    holds $1.json $counts
    cmp -s values wanted || { fail "$1: another report:"; diff wanted values; }
    cmp -s $1.r full.r || { fail "$1: another schedule"; diff full.r $1.r; }
}
# reports NAME: the options that write them
reports() { echo "--json $1.json -o $1.r"; }

run 3 tune "$@" $goal $(reports full)
run 3 tune "$@" $goal $(reports kept) --resume journal
whole kept
cp journal kept.journal
sections=$(grep -c '"evaluate"' journal)
test "$sections" -gt 5 || fail "a search of $sections evaluations is too short"
test "$(grep -c '"held out"' journal)" = 1 || fail "not one part held out"
grep '"held out"' journal >line
says line "[$(tail -n 1 full.r)]"

# What is searched on is decoded twice at most: once, and what moved when the
# images that were refused were left out.
awk '/"held out"/ { exit } /"evaluate"/ { n++; next } n > 2' kept.journal |
    grep -v '"decode":0.0,"preprocess":0.0' | grep -q . &&
    fail "images are decoded again and again"

# ---- a whole journal leaves nothing to do, and is not touched

run 3 tune "$@" $goal $(reports again) --resume journal
whole again
cmp -s journal kept.journal || fail "a whole journal was changed"

# ---- killed, again and again, after a few lines

rm journal
for line in 1 2 1 5 9 3; do
    dies_in $line journal tune "$@" $goal $(reports killed) --resume journal
    test ! -e killed.r || fail "a schedule of a search that was killed"
done
run 3 tune "$@" $goal $(reports killed) --resume journal
whole killed
cut -d '"' -f 1-6 kept.journal | sort >wanted
cut -d '"' -f 1-6 journal | sort | cmp -s - wanted ||
    fail "a killed search has another journal"

# Stopped by a signal, it leaves its best and goes on as well.
rm journal
lines=$(wc -l <kept.journal)
ASAN_OPTIONS=$no_order LD_PRELOAD=$kill KILL_SIGNAL=15 KILL_AT=$((lines / 2)) \
    "$tomerge" tune "$@" $goal -o stopped.r --resume journal \
    >out 2>err </dev/null
test "$(wc -l <journal)" = $((lines / 2)) || fail "it was not stopped"
run 3 tune "$@" $goal $(reports stopped) --resume journal
whole stopped

# ---- lines that are not whole, or not what is asked

third=$(grep -n '"evaluate"' journal | sed -n 3p | cut -d : -f 1)
inside=$((third + 2))
for edit in "$third s/calibration/held out/" "${inside}d" "$third,\$d"; do
    sed "$edit" kept.journal >journal
    run 3 tune "$@" $goal $(reports torn) --resume journal
    says err "journal: 2 evaluations are done"
    whole torn
    if test "$edit" != "$third,\$d"; then
        says err ": what follows is done again, and kept in journal.rest"
        sed "$edit" kept.journal >edited
        line=$(sed -n 's/.*journal: line \([0-9]*\) is.*/\1/p' err)
        tail -n +"$line" edited | cmp -s - journal.rest ||
            fail "$edit: what was cut off is lost"
    fi
    test "$(grep -c '"evaluate"' journal)" = "$sections" ||
        fail "$edit: another number of evaluations"
done
{ head -n $third kept.journal; sed -n "${inside}p" kept.journal |
    head -c 40; } >journal
run 3 tune "$@" $goal $(reports torn) --resume journal
says err "journal: 2 evaluations are done, and 0 of 15 images of one more"
says err "journal: line $((third + 1)) is not whole"
whole torn

# ---- other options, and other journals

cp kept.journal journal
other() {
    run 2 tune "$@" --resume journal
    says err "--resume: journal was begun with $says"
    cmp -s journal kept.journal || fail "$*: the journal was changed"
}
says='--max-drop 30.0, not 29.0' other "$@" --max-drop 29
says='--max-drop 30.0, not nothing' other "$@" --target-gmacs 2
says='--confidence 80.0, not 90.0' other "$@" $goal --confidence 90
says='--rounds 1, not 2' other "$@" $goal --rounds 2
says='--batch 4, not 5' other "$@" $goal --batch 5
says='--method "alternating", not "random"' other "$@" $goal --method random
run 2 eval --model plain.safetensors pictures --batch 4 --resume journal
says err "--resume: journal was begun with "
cmp -s journal kept.journal || fail "eval changed a journal of tune"
rm journal
run 3 eval --model plain.safetensors --image-size 96 pictures --batch 4 \
    --resume journal
cp journal kept.journal
says='--max-drop nothing, not 30.0' other "$@" $goal
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# tune as its user meets it, on the demonstration's pictures: goals are kept
# to, the report is of images that the search has not seen, and what it writes
# is a schedule for the other commands.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

test -z "$SANITIZED" || skip "too slow under the sanitizers"
"$tomerge" inspect --cpu >cpu || fail "inspect --cpu"
! grep -q '^f32 *scalar' cpu ||
    skip "minutes by scalar kernels; tune_resume.sh searches there too"
"$build/data/make-images" --count 64 pictures || fail "no pictures"

# near A B: within a thousandth
near() { awk "BEGIN { d = $1 - $2; exit !(d < 0.001 && d > -0.001) }"; }

run 0 tune pictures --target-gmacs 0.2 --rounds 1 -o found.r --json t.json \
    --csv t.csv --quiet
says out "at most 0.2 GMACs"
says out "tuned"
holds t.json goal schedule gmacs calibration.images images beats_constant \
    constant_r verdict runs.0.top1 runs.1.drop runs.2.speedup
holds t.json calibration.trials calibration.drop_interval.low gmacs_computed \
    runs.1.drop_interval.high constant_p
holds t.json calibration.images images runs.0.gmacs
head -n 2 values | tr '\n' ' ' >halves
test "$(cat halves)" = "32 32 " || fail "the halves: $(cat halves)"
lines t.csv 4
says found.r "# r of each layer of "
holds t.json schedule
test "[$(tail -n 1 found.r)]" = "$(cat values)" || fail "another schedule"
holds t.json gmacs
gmacs=$(cat values)
awk "BEGIN { exit !($gmacs <= 0.2 && $gmacs > 0.15) }" || fail "GMACs: $gmacs"

# Every command takes it, and means the same by it.
run 0 inspect --schedule @found.r --json i.json
holds i.json gmacs
near "$(cat values)" "$gmacs" || fail "inspect has $(cat values) GMACs"
run 0 eval pictures --schedule @found.r --limit 4 --json e.json
holds e.json gmacs
near "$(cat values)" "$gmacs" || fail "eval has $(cat values) GMACs"
run 0 sweep pictures --schedule @found.r --limit 4 --quiet
run 0 bench --schedule @found.r --batch 1 --seconds 0
one=$(find pictures -type f | head -n 1)
run 0 classify "$one" --schedule @found.r
run 0 visualize "$one" --schedule @found.r -o v.png
# The report is of the second, fourth, ... image.
mkdir held
(cd pictures && find . -type f | LC_ALL=C sort) | awk 'NR % 2 == 0' |
    while read -r file; do
        mkdir -p "held/${file%/*}"
        cp "pictures/$file" "held/$file"
    done
run 0 eval held --schedule @found.r --json e.json
holds e.json top1 images
cp values alone
holds t.json runs.1.top1 images
cmp -s values alone || { fail "the held-out half:"; cat values alone; }

run 0 tune pictures --max-drop 3 --rounds 1 --limit 32 --quiet --json t.json
holds t.json calibration.drop gmacs
awk 'NR == 1 && $1 > 3 { exit 1 } NR == 2 && $1 > 0.34 { exit 1 }' values ||
    fail "--max-drop: $(cat values)"
# So sure can 16 images not make one that anything is lost by nothing.
run 0 tune pictures --max-drop 0 --confidence 99 --rounds 1 --limit 32 --quiet \
    --json t.json
says out "at most 0 points of top-1 lost with 99 % confidence"
holds t.json calibration.drop
run 0 tune pictures --target-gmacs 0.2 --rounds 0 --limit 8 -o - --quiet
lines out 2

# By how far embeddings move, which takes neither labels nor a head.
run 0 tune pictures --max-drift 0.02 --rounds 0 --limit 24 --json t.json \
    -o drift.r
says out "at most 0.02 of drift with 80 % confidence"
says err "ramps: "
says err " drift 0.0"
holds t.json calibration.drift calibration.drift_interval.high gmacs \
    runs.1.drift.cosine runs.2.drift.cosine constant_difference beats_constant
awk 'NR == 1 && ($1 > 0.02 || $1 <= 0) { exit 1 } NR == 3 && $1 > 0.34 { exit 1 }
     NR == 4 { is = $1 } NR == 5 { d = is - $1 }
     NR == 6 && (d - $1 > 1e-6 || $1 - d > 1e-6) { exit 1 }' values ||
    fail "--max-drift: $(cat values)"
"$fixture" model bare.safetensors 0 '{"num_heads": "3"}' || fail "no model"
mkdir flat
for i in 1 2 3 4 5 6 7 8; do
    "$fixture" image flat/$i.png 40 4$i $i || fail "no image"
done
run 0 tune flat --model bare.safetensors --max-drift 0.01 -o bare.r \
    --json t.json
run 0 sweep flat --model bare.safetensors --schedule @bare.r --json s.json
holds s.json runs.1.drift.cosine_p1 runs.1.drift.neighbours
run 0 tune flat --model bare.safetensors --target-gmacs 0.002 --rounds 1
run 1 tune flat --model bare.safetensors --max-drop 1
says err "the model has no head, it only gives features: --max-drop is of classes"
run 1 sweep flat --model bare.safetensors --per-class x
says err "--per-class is of classes"
for run in 0 1; do
    holds s.json runs.$run.drift.cosine
    awk '$1 <= 0 || $1 > 1 { exit 1 }' values || fail "cosine $(cat values)"
done
"$fixture" json s.json runs.0.top1 >out 2>err && fail "top-1 without a head"

# Stopped while it moves tokens, it leaves the best so far.
"$tomerge" tune pictures --max-drop 3 --rounds 9 -o stopped.r >out 2>err \
    </dev/null &
pid=$!
until grep -q '^tomerge: ramps: ' err || ! kill -0 $pid 2>/dev/null; do
    sleep 0.05
done
kill -TERM $pid
wait $pid
test $? = 3 || fail "stopped: another exit status"
says err "stopped, with nothing reported: the best of"
says err "$(tail -n 1 stopped.r)"
run 0 inspect --schedule @stopped.r

# What cannot be used is named once, whichever half it is in.
mkdir few
for class in $(ls pictures); do
    mkdir "few/$class"
    echo junk >"few/$class/0.png"
    one=$(find pictures/$class -type f | head -n 1)
    cp "$one" "few/$class/1.png"
    cp "$one" "few/$class/2.png"
done
run 3 tune few --target-gmacs 0.2 --rounds 0
test "$(grep -c 'neither PNG nor JPEG' err)" = 16 || fail "not named once each"

run 2 tune pictures
says err "no goal: give one of --max-drop, --max-drift, --min-speedup and"
run 2 tune pictures --max-drop 1 --target-gmacs 2
says err "more than one goal"
run 2 tune pictures --max-drop x
says err "--max-drop: 'x' is not a number from 0 to 100"
run 2 tune pictures --max-drop 1 --r 8
says err "'tomerge tune' takes no option '--r'"
run 2 tune pictures --max-drop 1 --method strided
says err "--method strided has no r to tune"
run 1 tune pictures --target-gmacs 0.001 --limit 8
says err "no schedule is at most 0.001 GMACs"
run 1 tune pictures --target-gmacs 0.2 --limit 1
says err "1 image: one part to search on and one to report on need two"
run 1 tune nowhere --target-gmacs 0.2
says err "nowhere: No such file"
run 1 tune pictures --target-gmacs 0.2 -o nowhere/x
says err "nowhere/x: No such file or directory"
run 2 eval pictures --schedule @nowhere
says err "--schedule: nowhere: No such file or directory"
: >empty
run 2 eval pictures --schedule @empty
says err "--schedule: empty: no schedule in it"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# --resume: whatever ends a run, the next one goes on, and its counts are
# those of a run that nothing ended.
. "${srcdir:-.}/tests/guard.sh"
. "$srcdir/tests/killed.sh"
sources=$(cd "$srcdir" && pwd -P)
. "${srcdir:-.}/tests/command.sh"

# The demonstration and its pictures, fewer by scalar kernels; a smaller model
# under the sanitizers, which are slower still.
if test -z "$SANITIZED"; then
    count=500
    "$tomerge" inspect --cpu | grep -q '^f32 *scalar' && count=160
    "$build/data/make-images" --count $count pictures || fail "no pictures"
    model= batch="--batch 5"
else
    "$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
    i=100
    while test $i -lt 140; do
        for class in a b c; do
            mkdir -p pictures/$class
            "$fixture" image pictures/$class/$i.png 40 40 $i || fail "no image"
        done
        i=$((i + 1))
    done
    model="--model plain.safetensors" batch="--batch 1"
fi
with="$model $batch"
counts='images refused top1 top5 ece top1_interval.low top5_interval.high
    partial classes_by'

# whole NAME [LIKE]: the report, predictions and classes in the files of that
# name are those of the uninterrupted run, full
whole() {
    like=${2:-full}
    holds $like.json $counts
    cp values wanted
    holds $1.json $counts
    cmp -s values wanted || { fail "$1: other counts:"; diff wanted values; }
    for kind in csv classes confusion; do
        cmp -s $1.$kind $like.$kind || fail "$1: another $kind"
    done
}
# reports NAME: the options that write them
reports() {
    echo "--r 8 --json $1.json --predictions $1.csv --per-class $1.classes
        --confusion $1.confusion"
}

run 0 eval $with pictures $(reports full)
run 0 eval $with pictures $(reports kept) --resume journal
whole kept
cp journal kept.journal
lines=$(wc -l <journal)

# ---- a whole journal leaves nothing to do, and is not touched

run 0 eval $with pictures $(reports again) --resume journal
says err "images are done"
whole again
cmp -s journal kept.journal || fail "a whole journal was changed"

# ---- killed, in ten lines: the first, of settings, and those of batches

# killed LIKE ARGUMENT...: ten times, then once more until its end
killed() {
    like=$1
    shift
    rm -f journal killed.*
    for line in 1 2 1 3 1 5 2 1 4 6; do
        dies_in $line journal eval "$@" $(reports killed) --resume journal
        test ! -e killed.json || fail "a report of a run that was killed"
    done
    to=$(done_in journal)
    run 0 eval "$@" $(reports killed) --resume journal
    says err "journal: $to of"
    whole killed $like
    run 0 eval "$@" $(reports killed) --resume journal
    whole killed $like
    grep -o '"from":[0-9]*,"to":[0-9]*' journal | tr -cs '0-9\n' ' ' | awk '
        $1 != next_file || $2 <= $1 { exit 1 } { next_file = $2 }
        END { print next_file }' >covered ||
        fail "an image is twice or not in the journal"
    holds $like.json images
    cmp -s covered values || fail "the journal is about $(cat covered) images"
}
killed full $with pictures
real=$TOMERGE_SHARED/data/imagenet-sample
weights=$TOMERGE_SHARED/data/weights/vit_tiny_patch16_224.augreg.safetensors
if test -d "$real" && test -f "$weights" && test -z "$SANITIZED" &&
    ! head -n 1 kept.journal | grep -q '"scalar"'; then
    set -- --model "$weights" --batch 10 "$real"
    run 0 eval "$@" $(reports real)
    killed real "$@"
else
    echo "$name: not tried: 500 real images (no reference data, or too slow)"
fi

# ---- lines that are not whole

third=$((lines / 3))
{ head -n $third kept.journal; sed -n "$((third + 1))p" kept.journal |
    head -c 60; } >journal
run 0 eval $with pictures $(reports torn) --resume journal
says err "journal: line $((third + 1)) is not whole"
whole torn
# One that is out of place, and one that answers with no class there is.
sed "${third}d" kept.journal >journal
run 0 eval $with pictures $(reports torn) --resume journal
says err "journal: line $third is not one that can follow"
whole torn
sed "$third s/\"classes\":\[[0-9]*,/\"classes\":[99,/" kept.journal >journal
run 0 eval $with pictures $(reports torn) --resume journal
says err "journal: line $third is not one that can follow"
whole torn
tail -n +$third kept.journal | sed "1 s/\"classes\":\[[0-9]*,/\"classes\":[99,/" |
    cmp -s - journal.rest || fail "what was cut off is lost"
sed "$third s/\"probabilities\":\[[0-9.e-]*,/\"probabilities\":[null,/" \
    kept.journal >journal
run 0 eval $with pictures $(reports torn) --resume journal
says err "journal: line $third is not one that can follow"
whole torn

# A process that ended in its first line, wherever.
for bytes in 1 7 19 200; do
    head -c $bytes kept.journal >journal
    run 0 eval $with pictures $(reports torn) --resume journal
    says err "journal: its only line is not whole: it is begun anew"
    whole torn
    test "$(wc -l <journal)" = "$lines" || fail "$bytes: another journal"
done
# What may be somebody's is no journal, even if it is not a whole line.
for text in 'a note of mine' '{"other":1'; do
    printf %s "$text" >journal
    run 1 eval $with pictures --resume journal
    says err "journal: it is not a journal of tomerge"
    test "$(cat journal)" = "$text" || fail "'$text' was changed"
done

# ---- other options

cp kept.journal journal
other() {
    run 2 eval $with pictures --resume journal "$@"
    says err "--resume: journal was begun with $says"
    lines err 1
    cmp -s journal kept.journal || fail "$*: the journal was changed"
}
says='--r ["8"], not ["9"]' other --r 9
says='--schedule nothing, not' other --schedule 8,8
says='--mean [' other --r 8 --mean 0.4
says='--crop-pct 0.' other --r 8 --crop-pct 0.7
says='--batch' other --r 8 --batch 7
says='--method "alternating", not "random"' other --r 8 --method random
says='--seed 0, not 1' other --r 8 --seed 1
says='--prop-attn true, not false' other --r 8 --prop-attn off
says='--limit 0, not 5' other --r 8 --limit 5
says='--lenient false, not true' other --r 8 --lenient
says='--exif false, not true' other --r 8 --exif
if test -z "$SANITIZED" && ! head -n 1 kept.journal | grep -q '"scalar"'; then
    says='--cpu "' other --r 8 --cpu scalar
fi
echo 0 >valid
ls pictures >names
awk '{ print $1 "\t0" }' names >map
without() {
    run 2 eval $with pictures --resume journal "$@"
    says err "--resume: journal was begun without $says"
    cmp -s journal kept.journal || fail "$*: the journal was changed"
}
says='--class-map' without --r 8 --class-map map
says='--valid-labels' without --r 8 --class-map map --valid-labels valid
one=$(head -n 1 names)
cp -r pictures fewer
rm "fewer/$one/$(ls "fewer/$one" | head -n 1)"
run 2 eval $with fewer --resume journal --r 8
says err "was begun with other images"
"$fixture" model other.safetensors "$(wc -l <names)" \
    '{"num_heads": "3", "name": "other"}'
run 2 eval $batch --model other.safetensors pictures --resume journal --r 8
says err "was begun with other --model"
# Heads, text embeddings and the files behind an index are part of the model; so
# is what is configured beside it.
classes=$(wc -l <names)
begun_with() {
    rm -f journal
    run 0 eval $batch --r 8 --resume journal "$@"
    cp journal kept.journal
}
differs() {
    text=$1
    shift
    run 2 eval $batch --r 8 --resume journal "$@"
    says err "was begun with $text"
    cmp -s journal kept.journal || fail "$*: the journal was changed"
}
# One file, or another of the same shape with other numbers.
"$fixture" model bare.safetensors 0 '{"num_heads": "3"}' || fail "no model without a head"
"$fixture" head one.safetensors $classes 1 || fail "no head"
"$fixture" head two.safetensors $classes 2 || fail "no head"
begun_with --model bare.safetensors --head one.safetensors pictures
differs "--image-size nothing, not \"64\"" --model bare.safetensors \
    --head one.safetensors pictures --image-size 64
differs "other --head" --model bare.safetensors --head two.safetensors pictures
cp two.safetensors one.safetensors
differs "other --head" --model bare.safetensors --head one.safetensors pictures
mkdir parts
for seed in 1 2; do
    "$fixture" model part$seed "$classes" "{\"num_heads\": \"3\"}" $seed ||
        fail "no model"
done
cp part1 parts/part
{
    printf '{"weight_map":{'
    grep -ao '"[a-z0-9_.]*":{"dtype"' parts/part | cut -d: -f1 |
        sed 's/$/:"part"/' | paste -sd, -
    printf '}}'
} >parts/model.safetensors.index.json
begun_with --model parts/model.safetensors.index.json pictures
cp part2 parts/part
differs "other --model" --model parts/model.safetensors.index.json pictures
cp part1 parts/part
echo '{"layer_norm_eps": 0.1}' >parts/config.json
differs "other configuration beside --model" \
    --model parts/model.safetensors.index.json pictures
# All configurations that the library reads are known here.
for file in $(grep -ho '"[a-z_]*\.json"' \
    "$sources"/vit/checkpoint/neighbours*.c | sort -u); do
    grep -qF "$file" "$sources/src/session/model_files.c" ||
        fail "$file is read beside a model, but not known as part of it"
done
run 2 eval $with pictures --r 8 --resume x --json x
says err "--json and --resume both write to 'x'"

# ---- files that are no journals stay as they are

for text in 'a,b' '{"tomerge_journal":1}' '{"tomerge_journal":2}' '[1]' '{}'; do
    echo "$text" >journal
    run 1 eval $with pictures --resume journal
    says err "journal: it is "
    test "$(cat journal)" = "$text" || fail "'$text' was overwritten"
done
run 1 eval $with pictures --resume .
says err ".: Is a directory"
mkfifo pipe
run 1 eval $with pictures --resume pipe
says err "pipe: it is not a regular file"
run 1 eval $with pictures --resume nowhere/journal
says err "nowhere/journal: No such file or directory"

# ---- one process at a time

if tool flock; then
    : >journal
    flock journal "$tomerge" eval $with pictures --resume journal --r 8 \
        >out 2>err
    test $? = 1 || fail "a journal that is locked was taken"
    says err "journal: another process is writing it"
    test ! -s journal || fail "a journal that is locked was written to"
else
    echo "$name: not tried: two processes at a time (no flock)"
fi

# ---- images that are refused are named each time, also after the last batch

mkdir bad
for class in $(cat names); do
    mkdir "bad/$class"
    cp "pictures/$class/$(ls "pictures/$class" | head -n 1)" "bad/$class"
    echo junk >"bad/$class/zz.png"
done
run 3 eval $with bad --resume bad.journal --json first.json
cp err first.err
run 3 eval $with bad --resume bad.journal --json e.json
grep -v 'images are done' err | cmp -s - first.err || fail "not refused again"
holds first.json $counts
cp values first.values
holds e.json $counts
cmp -s values first.values || fail "refused: other counts"

# ---- disks that are full

# recovers NAME: on a disk that took part of the journal
recovers() {
    says err "$1.journal: "
    says err "the same command goes on from there"
    tail -c 1 $1.journal | od -c | grep -q '\\n' ||
        fail "$1: the journal ends in the middle of a line"
    test "$(wc -l <$1.journal)" -gt 1 || fail "$1: nothing was kept"
    run 0 eval $with pictures $(reports $1) --resume $1.journal
    says err "images are done"
    whole $1
}
half=$(($(wc -c <kept.journal) / 1024))
if files_can_be_limited && test -z "$SANITIZED"; then
    (trap '' XFSZ; ulimit -f $half
     "$tomerge" eval $with pictures --r 8 --resume limit.journal >out 2>err
     echo $? >code)
    test "$(cat code)" = 1 || fail "a full disk: exit status $(cat code)"
    recovers limit
else
    echo "$name: not tried: a limit on the size of files"
fi
mkdir -p small
if unshare -m sh -c 'mount -t tmpfs -o size=16k none small' 2>/dev/null; then
    # Only the process inside sees the disk, so what it holds is copied out.
    unshare -m sh -c 'mount -t tmpfs -o size=16k none small && cd small &&
        "$@" --resume disk.journal >../out 2>../err; echo $? >../code
        cp disk.journal ..' sh "$tomerge" eval $batch "$PWD/pictures" --r 8 \
        ${SANITIZED:+--model "$PWD/plain.safetensors"}
    test "$(cat code)" = 1 || fail "a full disk: exit status $(cat code)"
    says err "No space left on device"
    recovers disk
else
    echo "$name: not tried: a small disk (no leave to mount one)"
fi
exit $status

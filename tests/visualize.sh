#!/bin/sh
# SPDX-License-Identifier: MIT
# tomerge visualize as its user meets it: help, wrong usage, pictures of every
# kind, bad inputs, pictures that cannot be written.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"
subcommand=visualize

lacks() {
    "$fixture" json "$1" "$2" >values 2>&1 && fail "JSON has $2: $(cat values)"
}
# are VALUE...: what holds found
are() {
    printf '%s\n' "$@" | cmp -s - values || { fail "not $*:"; cat values; }
}
# folder NAME...: the folder ./pictures holds these and nothing else
folder() {
    test "$(ls -A pictures | tr '\n' ' ')" = "$*${*:+ }" ||
        fail "in the folder: $(ls -A pictures) instead of $*"
}

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
"$fixture" image cat.png 60 45 3 || fail "no image"
mkdir pictures
model="--model plain.safetensors"
to="-o pictures/p.png"

# ---- help and wrong usage

run 0 --help
says out "usage: tomerge visualize [OPTION...] IMAGE"
awk 'length > 80 { exit 1 }' out || fail "--help: over 80 columns"
for option in --output --layers --grid --overlay --scale --r --json; do
    says out " $option"
done
usage() {
    text=$1
    shift
    run 2 "$@"
    says err "$text"
    lines err 1
    test ! -s out || fail "$*: wrong usage printed to standard output"
    folder
}
usage "no file for the picture" $model cat.png
usage "IMAGE is missing" $model $to
usage "one argument too many" $model $to cat.png cat.png
usage "--scale: '0' is not a whole number from 1" $model $to --scale 0 cat.png
usage "--layers and --grid exclude" $model $to --layers --grid cat.png
usage "several schedules is for --grid" $model $to --r 1,2 cat.png
usage "'x' is not N or N:INFLECTION" $model $to --r x cat.png
usage "the model has 3" $model $to --schedule 1,1,1,1 cat.png
usage "takes no option '--csv'" $model $to --csv - cat.png
usage "takes no option '--topk'" $model $to --topk 1 cat.png
usage "both write to '-'" $model -o - --json - cat.png
usage "is the input 'cat.png'" $model -o ./cat.png cat.png
usage "is the input 'plain.safetensors'" $model -o plain.safetensors cat.png
list=1
for i in 1 2 3 4 5 6; do list=$list,$list; done
usage "too large: lower --scale" $model $to --grid --scale 64 --r $list cat.png

# ---- pictures

# A crop of 32 pixels, 16 patches: 4 merge in the first layer, 4 and 4 more.
run 0 $model $to --r 4 --json j.json cat.png
test ! -s err || fail "a clean run printed errors"
says out "pictures/p.png"
folder p.png
lacks j.json crop
holds j.json image output width height scale style model.file model.family \
    preprocessing.chain dtype cpu threads panels.0.schedule panels.0.method \
    panels.0.merge_ratio
holds j.json scale style panels.0.r panels.0.layer panels.0.tokens_left \
    panels.0.groups panels.0.dropped panels.0.place.side
are 4 '"fill"' '[4,4,4]' 3 5 4 0 128
holds j.json panels.0.group
tr , '\n' <values | grep -c '[0-4]' | grep -qx 17 || fail "not 17 tokens in 5 rows"
cp pictures/p.png first.png
"$tomerge" classify $model pictures/p.png >/dev/null || fail "not an image"

run 0 $model $to --r 4 --threads 1 cat.png
cmp -s pictures/p.png first.png || fail "another run, another picture"
run 0 $model -o - --r 4 cat.png
cmp -s out first.png || fail "-o - writes something else"
run 0 $model $to --r 4 --quiet --json - cat.png
holds out panels.0.group
"$tomerge" visualize $model $to --r 4 cat.png | grep -q '^4 .* 5 ' ||
    fail "the table lacks what is left"
for option in "--overlay" "--scale 1" "--r 2" "--layers" "--grid" \
    "--method strided" "--metric X" "--crop-pct 0.5" "--merge-ratio 0.3"; do
    rest="--r 4"
    case $option in --r* | --merge*) rest= ;; esac
    run 0 $model $to $rest $option cat.png
    cmp -s pictures/p.png first.png && fail "$option changes nothing"
    cp first.png pictures/p.png
done

run 0 $model $to --layers --r 4 --json j.json cat.png
holds j.json panels.0.layer panels.1.layer panels.2.layer panels.0.tokens_left \
    panels.1.tokens_left panels.2.tokens_left crop.side
are 1 2 3 13 9 5 128
run 0 $model $to --layers --schedule 0,4 --json j.json cat.png
holds j.json panels.0.layer panels.0.tokens_left
are 2 13
lacks j.json panels.1
run 0 $model $to --grid --r 1,2:-1,3 --json j.json cat.png
holds j.json panels.0.schedule panels.1.schedule panels.2.tokens_left \
    panels.2.layer crop.left
are '"1"' '"2:-1"' 8 3 8
run 0 $model $to --grid --merge-ratio 0.1,0.2 cat.png
run 0 $model $to --grid --json j.json cat.png
holds j.json panels.4.schedule
are '"13:-1"'
run 0 $model $to --json j.json cat.png
holds j.json panels.0.schedule
are '"8"'
run 0 $model $to --method strided --stride 3 --schedule 1 --json j.json cat.png
holds j.json panels.0.dropped panels.0.groups panels.0.tokens_left
are 2 5 6

# ---- bad inputs

rm pictures/p.png
# bad TEXT IMAGE: refused with one line, and no picture
bad() {
    run 1 $model $to "$2"
    says err "$1"
    lines err 1
    test ! -s out || fail "$2: a failure printed to standard output"
    folder
}
echo junk >broken.png
head -c 900 cat.png >cut.png
: >empty.png
bad "gone.png: cannot be opened: No such file" gone.png
bad "broken.png: neither PNG nor JPEG" broken.png
bad "cut.png: " cut.png
bad "empty.png: the file is empty" empty.png
bad "pictures: a folder, not a file" pictures
run 0 $model $to --lenient cut.png
run 1 --model nowhere $to cat.png
says err "nowhere: "
lines err 1

# ---- what cannot be written

# unwritten REASON PATH
unwritten() {
    run 1 $model --r 4 -o "$2" cat.png
    says err "$2: $1"
    lines err 1
    test ! -s out || fail "$2: a failure printed to standard output"
}
rm -f pictures/*
unwritten "No such file or directory" nowhere/p.png
unwritten "Not a directory" cat.png/p.png
unwritten "Is a directory" pictures
folder
if test -c /dev/full; then
    unwritten "No space left on device" /dev/full
    test -c /dev/full || fail "the device is gone"
    "$tomerge" visualize $model -o - cat.png >/dev/full 2>err
    test $? = 1 || fail "a full disk goes unnoticed"
    says err "standard output: No space left on device"
    lines err 1
fi
# A limit on the size of files stands for a disk that fills up on the way.
cp first.png pictures/p.png
if files_can_be_limited; then
    (trap '' XFSZ && ulimit -f 1 &&
        "$tomerge" visualize $model $to --r 4 --scale 40 cat.png) >out 2>err
    test $? = 1 && grep -q 'pictures/p.png: File too large' err ||
        { fail "a picture over the limit:"; cat err; }
else
    echo "$name: not tried: a full disk (OpenMP keeps files too)"
fi
folder p.png
cmp -s pictures/p.png first.png || fail "a failure damaged what was there"
exit $status

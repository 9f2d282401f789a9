#!/bin/sh
# SPDX-License-Identifier: MIT
# Wherever kill -9 or a loss of power ends a run (tests/faults/power.c), a file
# under the name that options gave it is whole or as it was, and the same
# command goes on to the results that it would have had: what a journal had is
# not done again, nothing is in it twice. POWER_RUNS=0 ends each command at each
# change of a file, in each of three ways; else so many of each, evenly spread
# (4). POWER_COMMANDS picks some.
. "${srcdir:-.}/tests/guard.sh"
srcdir=$(cd "$srcdir" && pwd) # command.sh leaves the build folder
. "$srcdir/tests/command.sh"

test -z "$SANITIZED" || skip "LeakSanitizer watches by ptrace itself"
runs=${POWER_RUNS-4}
ways=${POWER_WAYS-kill data lose}
# libtool's wrapper is a script, which is not what is to be ended.
program=$build/src/.libs/tomerge
test -x "$program" || program=$tomerge
LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
OMP_NUM_THREADS=2
export LD_LIBRARY_PATH OMP_NUM_THREADS
power=$scratch/power
${CC:-cc} -std=c11 -O1 -o "$power" "$srcdir/tests/faults/power.c" 2>err ||
    skip "no ptrace here"
here=$PWD
mkdir try && cd try
"$power" count 0 sh -c 'echo a >b; mv b c; rm c' 9>../count 2>/dev/null ||
    skip "a program cannot be watched here"
cd ..
test "$(cat count)" = 4 || fail "of four changes $(cat count) are seen"

# ---- what is run -------------------------------------------------------------

bytes=$srcdir/tests/fixtures/bytes
for class in a b; do
    mkdir -p pictures/$class tiles/$class
    for i in 1 2 3 4; do
        "$fixture" image pictures/$class/$i.png 40 40 $i || fail "no image"
        "$fixture" image tiles/$class/$i.png 4 4 $i || fail "no image"
    done
done
echo junk >pictures/a/2x.png
"$fixture" model plain.safetensors 2 '{"num_heads": "3"}' || fail "no model"
"$program" compress -q --model "$bytes/gelu.safetensors" tiles -o tiles.tmb \
    >out 2>err || fail "no archive"
plain=$here/plain.safetensors
pictures=$here/pictures

# words NAME: what the command is given
words() {
    case $1 in
    eval) echo "eval --model $plain $pictures --r 2 --resume journal
        --predictions out.csv --batch 1 --quiet" ;;
    sweep) echo "sweep --model $plain $pictures --r 0,2 --resume journal
        --per-class out.csv --batch 1 --quiet" ;;
    tune) echo "tune --model $plain $pictures -o out.r --max-drop 50 --rounds 0
        --resume journal --batch 4 --quiet" ;;
    embed) echo "embed --model $plain $pictures -o out.npy --batch 1 --quiet" ;;
    density) echo "density -q --model $bytes/gelu.safetensors $here/tiles
        --csv out.csv --resume journal --batch 1" ;;
    compress) echo "compress -q --model $bytes/gelu.safetensors $here/tiles
        -o out.tmb" ;;
    expand) echo "expand -q --model $bytes/gelu.safetensors $here/tiles.tmb
        -o out" ;;
    convert) echo "convert $srcdir/tests/fixtures/layouts/deit3.pth
        -o out.safetensors" ;;
    visualize) echo "visualize --model $plain --r 2 $pictures/a/1.png
        -o out.png" ;;
    esac
}
commands=${POWER_COMMANDS-eval sweep tune embed density compress expand convert \
    visualize}

# ---- one run that is ended ---------------------------------------------------

# begin_anew: a folder in which some outputs have been there before
begin_anew() {
    rm -rf "$here/work" "$here/work.spare" && mkdir "$here/work" || exit 99
    case $command in
    embed | expand) ;;
    eval | sweep | density) echo old >"$here/work/out.csv" ;;
    tune) echo old >"$here/work/out.r" ;;
    compress) echo old >"$here/work/out.tmb" ;;
    convert) echo old >"$here/work/out.safetensors" ;;
    visualize) echo old >"$here/work/out.png" ;;
    esac
}
# perform: the words of $command in the folder as it is, by "$@"; $got
perform() {
    cd "$here/work" || exit 99
    "$@" "$program" $(words "$command") >../out 2>../err </dev/null
    got=$?
    cd "$here" || exit 99
}
accuse() {
    fail "$command, $way at change $at of $last: $*"
    head -n 5 err | sed 's/^/    /'
}
# outputs FOLDER: the names of what options named, in it
outputs() {
    (cd "$1" && find . -type f ! -name journal ! -name "*.part*" \
        ! -name '*.journal' | sort)
}
# half_files: none under its own name
half_files() {
    for file in $(outputs work); do
        cmp -s "work/$file" "whole/$file" || test "$(cat "work/$file")" = old ||
            accuse "a half of $file"
    done
}
# goes_on: with the same command, to what it would have been
goes_on() {
    # expand does not write into a folder that has pictures.
    test $command != expand || rm -rf work/out
    rm -f before
    test ! -f work/journal || grep -a '}$\|\]$' work/journal >before
    perform env
    test $got = $usual || { accuse "exit status $got when it goes on"; return; }
    for file in $(outputs whole); do
        cmp -s "work/$file" "whole/$file" || accuse "goes on to another $file"
    done
    test $way = kill && test -s before || return 0
    head -n "$(wc -l <before)" work/journal | cmp -s - before ||
        accuse "lines of the journal are lost"
}
# once: every image is in one line of the journal
once() {
    test $command = eval || test $command = sweep || return 0
    sed -n 's/^{"from":\([0-9]*\),"to":\([0-9]*\),.*/\1 \2/p' work/journal |
        awk '$1 != at + 0 { exit 1 } { at = $2 } END { exit at != 9 }' ||
        accuse "an image is in no line of the journal, or in two"
}

for command in $commands; do
    begin_anew
    perform "$power" count 0 9>count
    usual=$got last=$(cat count)
    test $usual = 0 || test $usual = 3 || { at=0 way=none
        accuse "exit status $got"; continue; }
    rm -rf whole && cp -r work whole
    tried=0
    for way in $ways; do
        step=1
        test "$runs" = 0 || step=$(((last - 1) / runs + 1))
        at=$((1 + tried % step)) # elsewhere in each way
        while test $at -le $((last + 1)); do
            begin_anew
            perform "$power" $way $at
            # How many batches there are may differ; then it came to its end.
            test $got = 137 || test $got = $usual || accuse "exit status $got"
            half_files
            goes_on
            once
            tried=$((tried + 1))
            # The end is a change that is always tried.
            test $at -le $last && test $((at + step)) -gt $((last + 1)) &&
                at=$((last + 1 - step))
            at=$((at + step))
        done
    done
    echo "$command: ended $tried times at $last changes of files"
done
exit $status

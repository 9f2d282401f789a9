#!/bin/sh
# SPDX-License-Identifier: MIT
# Whatever allocation is refused once (tests/faults/fault.c), the command goes on
# as if nothing had been, or says so in one line, exits with 1 and leaves no file
# that was not there, or a whole one; an evaluation then goes on to the results
# it would have had. FAULT_RUNS=0 refuses each one there is, in turn; else so
# many of each command's, evenly spread (3). FAULT_KINDS=calls does the same to
# calls of the system, CALL:ERROR of FAULT_CALLS, where strace is there to inject
# them; FAULT_COMMANDS picks some.
. "${srcdir:-.}/tests/guard.sh"
srcdir=$(cd "$srcdir" && pwd) # command.sh leaves the build folder
. "$srcdir/tests/command.sh"

test -z "$SANITIZED" || skip "the sanitizers have an allocator of their own"
runs=${FAULT_RUNS-3}
kinds=${FAULT_KINDS-allocations}
calls=${FAULT_CALLS-openat:EMFILE openat:EIO read:EIO pread64:EIO \
    write:ENOSPC pwrite64:ENOSPC fsync:EIO mmap:ENOMEM clone3:EAGAIN}
case $kinds in
*calls*) strace -qq -o /dev/null true 2>/dev/null || skip "no strace" ;;
esac
# libtool's wrapper is a script, whose faults are not ours.
program=$build/src/.libs/tomerge
test -x "$program" || program=$tomerge
LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
OMP_NUM_THREADS=2
export LD_LIBRARY_PATH OMP_NUM_THREADS
fault=$scratch/fault.so
${CC:-cc} -std=c11 -O1 -fPIC -shared -o "$fault" \
    "$srcdir/tests/faults/fault.c" -ldl 2>err || skip "no library to preload"
FAULT_COUNT=$scratch/count LD_PRELOAD=$fault "$program" --version >out 2>err
test "$(cat count 2>/dev/null || echo 0)" -gt 0 ||
    skip "the program's allocations cannot be counted"

OMP_DISPLAY_ENV=verbose "$program" inspect 2>&1 | grep -q KMP_ &&
    skip "LLVM's OpenMP does not survive that memory is refused to it"

# ---- what is run -------------------------------------------------------------

demo=$srcdir/data/demo.safetensors
layouts=$srcdir/tests/fixtures/layouts
for class in a b; do
    mkdir -p pictures/$class
    for i in 1 2; do
        "$fixture" image pictures/$class/$i.png 40 40 $i ||
            fail "no image"
    done
done
(cd pictures && tar cf ../pictures.tar a b)
"$fixture" model plain.safetensors 2 '{"num_heads": "3"}' || fail "no model"
cd "$scratch" && here=$PWD
plain=$here/plain.safetensors
pictures=$here/pictures

# words NAME: what the command is given; what it writes is called out.*
words() {
    case $1 in
    classify) echo "classify --model $demo $pictures/a/1.png $pictures/b" ;;
    formats) (cd "$srcdir/tests/fixtures/pictures" && echo "classify --model
        $demo --exif" $(printf "$PWD/%s " lossy.webp exif.webp animation.webp \
            packed-profile.png packed-xmp-after.png exif-little-type3.jpg \
            xmp-element.jpg)) ;;
    eval) echo "eval --model $plain $pictures --r 2 --resume journal
        --predictions out.csv --batch 1 --quiet" ;;
    sweep) echo "sweep --model $plain $here/pictures.tar --labels $here/labels
        --r 0,2 --html out.html --quiet" ;;
    embed) echo "embed --model $plain $pictures -o out.npy --quiet" ;;
    knn) echo "knn --model $plain --train $pictures --test $here/pictures.tar --k 1
        --quiet" ;;
    tune) echo "tune --model $plain $pictures -o out.r --max-drop 50 --quiet" ;;
    convert) echo "convert $layouts/deit3.pth -o out.safetensors" ;;
    visualize) echo "visualize --model $plain --r 2 $pictures/a/1.png
        -o out.png" ;;
    bench) echo "bench --model $plain --r 0 --seconds 0" ;;
    join) echo "join $here/part.1 $here/part.2" ;;
    inspect-*) echo "inspect ${1#inspect-}" ;;
    esac
}
for i in 1 2; do
    printf 'a/%d.png 0\nb/%d.png 1\n' $i $i
done >labels
for i in 1 2; do
    "$program" eval --model $plain $pictures --r 2 --part $i/2 \
        --resume part.$i --quiet >out 2>err || { fail "no part"; cat err; }
done

for file in "$srcdir"/tests/fixtures/npz/*.npz "$layouts/deit3.pth" \
    "$layouts/google.npz" "$layouts/hf_clip" "$layouts/timm_dinov3" \
    "$srcdir"/tests/fixtures/torch/stream.pth \
    "$srcdir"/tests/fixtures/torch/deflated.pth \
    "$srcdir"/tests/fixtures/gguf/v3.gguf \
    "$srcdir"/tests/fixtures/shards/model.safetensors.index.json
do
    containers="$containers inspect-$file"
done
commands=${FAULT_COMMANDS-classify formats eval sweep embed knn tune convert \
    visualize bench join $containers}

# ---- one run with one fault --------------------------------------------------

# perform: the words of $command in a folder of their own, by "$@"; $got
perform() {
    rm -rf "$here/work" && mkdir "$here/work" && cd "$here/work" || exit 99
    "$@" "$program" $(words "$command") >../out 2>../err </dev/null
    got=$?
    cd "$here" || exit 99
}
# What has to be the same whenever the command says it is done: no speeds.
results() {
    (cd work && cat out.csv out.npy out.safetensors out.png out.r out.txt \
        2>/dev/null)
    case $command in
    classify | formats | inspect-* | convert) cat out ;;
    # Its figures are of this run; pictures are there or not.
    sweep) tr '<' '\n' <work/out.html | grep -c '^img' ;;
    esac
}
accuse() {
    fail "$command, $what: $*"
    head -n 5 err | sed 's/^/    /'
}
# judge: of a run whose fault $what was
judge() {
    if test $got = 0; then
        results | cmp -s - good || accuse "done, with other results"
        return
    fi
    # A file that cannot be read may be refused by name, and the rest go on;
    # what there is no memory for is not the file's fault.
    test $got = 3 && test "$kind" != allocation && says err "$here/pictures" &&
        return
    test $got = 1 || test "$got" = "$usual" ||
        { accuse "exit status $got"; return; }
    test "$(grep -c . err)" = 1 || accuse "not one line"
    case $command in
    eval)
        (cd work && "$program" $(words eval) >../out 2>../err) ||
            { accuse "does not go on"; return; }
        results | cmp -s - good || accuse "goes on to other results" ;;
    embed)
        rm -f work/.*.part # what is there to go on from may stay
        (cd work && "$program" $(words embed) >../out 2>../err) ||
            { accuse "does not go on"; return; }
        results | cmp -s - good || accuse "goes on to other results" ;;
    *)
        for file in work/* work/.*.part; do
            test ! -f "$file" || cmp -s "$file" "whole/${file#work/}" ||
                accuse "left ${file#work/}"
        done ;;
    esac
}
# each FIRST LAST: the faults of these numbers, by $refuse
each() {
    first=$1 last=$2
    step=1 tried=0
    test "$runs" = 0 || step=$(((last - first) / runs + 1))
    at=$first
    while test $at -le $last; do
        what="$kind $at of $last"
        perform $refuse $at
        judge
        tried=$((tried + 1))
        at=$((at + step))
    done
    echo "$(echo "$command" | sed 's,-/.*/,-,'): $kind: $tried of" \
        "$((last - first + 1)) refused"
}
refuse() {
    number=$1
    shift
    "$(command -v env)" FAULT_AT=$number LD_PRELOAD="$fault" "$@"
}
allocations() {
    perform env FAULT_COUNT="$here/count" LD_PRELOAD="$fault"
    each 1 "$(cat count)"
}

# calls_of COMMAND...: how many of $call the first thread of it makes
calls_of() {
    strace -f -qq -o "$here/trace" -e trace=$call "$@" >out 2>err </dev/null
    awk 'NR == 1 { first = $1 } $1 == first { n++ } END { print n + 0 }' trace
}
refuse_call() {
    number=$1
    shift
    strace -f -qq -o /dev/null -e trace=$call \
        -e inject=$call:error=$error:when=$number "$@"
}
# calls_fail: each kind of call in turn, none of those before main, whose number
# is that of --version (which writes once itself).
calls_fail() {
    for pair in $calls; do
        call=${pair%:*} error=${pair#*:} kind=$pair before=0
        case $call in
        openat | read | pread64 | mmap) before=$(calls_of "$program" --version) ;;
        esac
        perform strace -f -qq -o "$here/trace" -e trace=$call
        most=$(awk 'NR == 1 { first = $1 } $1 == first { n++ }
            END { print n + 0 }' trace)
        test "$most" -gt "$before" && each $((before + 1)) "$most"
    done
}

for command in $commands; do
    perform env
    usual=$got
    test $usual = 0 || test $usual = 3 || test "${command#inspect}" != "$command" ||
        { what=none; accuse "exit status $got"; }
    results >good
    rm -rf whole && cp -r work whole
    kind=allocation refuse=refuse
    case $kinds in *allocations*) allocations ;; esac
    refuse=refuse_call
    case $kinds in *calls*) calls_fail ;; esac
done
exit $status

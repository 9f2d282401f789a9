#!/bin/sh
# SPDX-License-Identifier: MIT
# The command as its user meets it: help, errors, exit statuses, reports,
# folders with bad files in them, interruption, full disks.
. "${srcdir:-.}/tests/guard.sh"
pictures=$(cd "$srcdir/tests/fixtures/pictures" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

# ---- something to work on

names='{"num_heads": "3", "class_names": "[\"zero\", \"one\", \"two\", \"three\", \"four\", \"five\", \"six\"]"}'
"$fixture" model ten.safetensors 7 "$names" || fail "no model"
"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
n=0
for class in a b c; do
    mkdir -p set/$class
    for i in 1 2 3 4 5; do
        n=$((n + 1))
        "$fixture" image set/$class/$i.png $((30 + 9 * n)) $((90 - 4 * n)) $n ||
            fail "no image"
    done
done
model="--model plain.safetensors"

# ---- help and wrong usage

run 0 --help
for command in eval sweep classify bench inspect visualize convert \
    tune; do
    says out "  $command"
done
for command in eval sweep classify bench inspect visualize convert \
    tune; do
    run 0 $command --help
    says out "usage: tomerge $command"
    awk 'length > 80 { exit 1 }' out || fail "$command --help: over 80 columns"
    cp out first
    run 0 help $command
    cmp -s out first || fail "help $command is not $command --help"
done
run 0 --version
says out "tomerge "
usage() {
    text=$1
    shift
    run 2 "$@"
    says err "$text"
    lines err 1
    test ! -s out || fail "tomerge $*: wrong usage printed to standard output"
}
usage "no command"
usage "unknown command 'evla': did you mean 'eval'?" evla
usage "'--modle': did you mean '--model'?" eval --modle x set
usage "'--btach': did you mean '--batch'?" bench --btach=3
usage "--batch: '0' is not a whole number from 1" eval $model --batch 0 set
usage "--dtype: 'fp8' is not one of f32, bf16, int8" eval $model --dtype fp8 set
usage "--cpu: 'avx3' is not one of auto, scalar" eval $model --cpu avx3 set
usage "'x' is not N or N:INFLECTION" eval $model --r x set
usage "lists are for 'tomerge sweep'" eval $model --r 1,2 set
usage "cannot be combined with --r" eval $model --r 1 --merge-ratio 0.2 set
usage "the model has 3" eval $model --schedule 1,1,1,1 set
usage "not a number from 0.01 to 1: did you mean '0.875'?" eval $model \
    --crop-pct 87.5 set
usage "--cache-mem: '64X' is not a size such as 512M" eval $model \
    --cache-mem 64X set
usage "'16777216T' is not a size" eval $model --cache-mem 16777216T set
for size in 64 64K 64k 64m 512MB 1MiB 1T 1gb 9b; do
    run 0 eval $model set --cache-mem $size
done
mkdir models
usage "models: there is no checkpoint in this folder" eval -m models set
cp plain.safetensors models/model.safetensors
echo '{}' >models/config.json
: >models/optimizer.bin
run 0 eval -m models set --json -
holds out model.file
says values '"models/model.safetensors"'
run 0 inspect models/
run 0 sweep -m models -m plain.safetensors set --r 2
run 0 convert models -o converted.safetensors
cp plain.safetensors models/pytorch_model.bin
usage "2 checkpoints are in this folder, model.safetensors and pytorch_model" \
    eval -m models set
usage "--json needs a value" eval $model set --json
usage "both write to '-'" eval $model set --json - --csv -
usage "FOLDER is missing" eval $model
usage "one argument too many" eval $model set set
usage "takes no option '--topk'" eval $model --topk 3 set
run 2 bench --arch resnet50
says err "not one of the shapes known here"
says err "vit_base_patch16_rope_mixed_224"

# ---- damage

run 0 classify $model "$pictures/no-end.png" "$pictures/lossy.webp"
says err "no-end.png: damaged near byte"
lines err 1
lines out 2
run 0 classify $model --quiet "$pictures/no-end.png"
test ! -s err || fail "--quiet leaves a remark"
run 3 classify $model --strict "$pictures/no-end.png" "$pictures/lossy.webp"
says err "no-end.png: damaged near byte"
lines out 1
usage "--strict and --lenient exclude each other" \
    classify $model --strict --lenient "$pictures/no-end.png"

# ---- whose pixels

"$fixture" image tall.png 33 320 4 || fail "no image"
run 0 classify $model --crop-mode squash tall.png
cp out twelve
run 0 classify $model --crop-mode squash --pixels pillow-12 tall.png
cmp -s out twelve || fail "--pixels pillow-12 is not the default"
run 0 visualize $model --crop-mode squash tall.png -o twelve.png
run 0 visualize $model --crop-mode squash --pixels pillow-13 tall.png \
    -o thirteen.png
cmp -s twelve.png thirteen.png && fail "--pixels pillow-13 changes nothing"
usage "'pillow-9' is not one of pillow-12, pillow-12.3, pillow-13" \
    classify $model --pixels pillow-9 tall.png

# ---- names that would steer a terminal

esc=$(printf '\033')
mkdir -p "odd/a$esc[31m" odd/b odd/c
cp set/a/1.png "odd/b/${esc}]0;x.png"
echo "no image" >"odd/c/bad$esc[2J.png"
run 3 eval $model odd
run 3 classify $model odd
cat out err >both
grep -q "$esc" both && fail "an escape byte of a file's name reached the terminal"
says err 'bad\x1b[2J.png'
says out 'odd/b/\x1b]0;x.png:'

# ---- no model named: the demonstration's

run 0 inspect
says out "demo.safetensors"
says out "16"
run 1 eval set
says err "16"

# ---- eval

run 0 eval $model set --predictions p.csv --json e.json --csv e.csv
says out "top-1 %"
says out "centre crop 32"
test ! -s err || fail "a clean run printed errors"
holds e.json images refused top1 top5 method r merge_ratio tokens gmacs dtype \
    cpu threads batch images_per_second.forward images_per_second.total \
    seconds.wall seconds.decode seconds.preprocess seconds.forward \
    model.file model.family preprocessing.mean preprocessing.source partial
holds e.json images refused partial r tokens dtype top5
printf '15\n0\nfalse\n[0,0,0]\n[17,17,17]\n"f32"\n100.0\n' | cmp -s - values ||
    { fail "eval's JSON:"; cat values; }
head -n 1 e.csv | grep -q ',images,refused,top1,top5,r,' || fail "CSV header"
lines e.csv 2
lines p.csv 16
says p.csv "file,label,class1,prob1,class2,prob2,class3,prob3,class4,prob4,class5,prob5"
top1=$(awk -F, 'NR > 1 && $2 == $3 { n++ } END { printf "%.9g", 100 * n / (NR - 1) }' p.csv)
holds e.json top1
test "$(awk '{ printf "%.6f", $1 }' values)" = "$(echo "$top1" | awk '{ printf "%.6f", $1 }')" ||
    fail "top1 is not what the predictions say: $top1"
run 0 eval $model set --json -
holds out top1
run 0 eval $model set --csv - --quiet
lines out 2
run 0 eval $model set --predictions -
cmp -s out p.csv || fail "--predictions - differs from a file"

# The same bits whatever the batch, threads, memory, and company.
for threads in 1 2 3; do
    for batch in 1 7 32; do
        run 0 eval $model set --r 4 --threads $threads --batch $batch \
            --cache-mem 10K --predictions b.csv
        test -f reference.csv || cp b.csv reference.csv
        cmp -s b.csv reference.csv ||
            fail "--batch $batch --threads $threads changes predictions"
    done
done
cmp -s p.csv reference.csv && fail "--r 4 changed nothing"
run 0 eval $model set --r 4 --limit 4 --predictions b.csv
lines b.csv 5
grep -vxFf reference.csv b.csv && fail "an image alone has other predictions"
run 0 eval $model set --cpu scalar --json -
holds out cpu
says values '"scalar"'

# Options reach the model.
for option in "--prop-attn off" "--metric X" "--method random" \
    "--method sequential" "--method strided" "--similarity dot" \
    "--combine max" "--mean 0.3,0.4,0.5" "--std 0.2" "--crop-pct 0.5" \
    "--interpolation bilinear" "--dtype bf16" "--dtype int8"; do
    run 0 eval $model set --r 4 $option --predictions o.csv --json e.json
    cmp -s o.csv reference.csv && fail "$option changes nothing"
done
holds e.json dtype
says values '"int8"'
run 0 eval $model set --interpolation bilinear --json e.json
holds e.json preprocessing.interpolation preprocessing.source
says values '"bilinear"'
says values 'interpolation from the command line'
run 0 eval $model set --schedule 2,1 --json -
holds out r tokens
says values '[2,1,0]'
says values '[15,14,14]'

# ---- folders

cp -r set bad
echo junk >bad/b/broken.png
run 3 eval $model bad --json e.json
says err "bad/b/broken.png: neither PNG nor JPEG"
lines err 1
holds e.json images refused
printf '15\n1\n' | cmp -s - values || { fail "refused:"; cat values; }
head -c 900 set/a/1.png >bad/b/cut.png
run 3 eval $model bad
lines err 2
mkdir bad/d
run 1 eval $model bad
says err "this class folder holds no image"
says err "4 class folders, but the model has 3 classes"
rm -r bad/b/*
rmdir bad/d
run 3 eval $model bad
says err "bad/b: this class folder holds no image"
lines err 1
mkdir void
run 1 eval $model void
says err "void: the folder is empty"
lines err 1
run 1 eval $model nowhere
says err "nowhere: No such file or directory"
run 1 eval $model set/a
says err "no class folders in it"
run 1 eval --model nowhere set
says err "nowhere: "
lines err 1
head -c 5000 plain.safetensors >short.safetensors
run 1 eval --model short.safetensors set
says err "short.safetensors: "
lines err 1
run 1 eval --model ten.safetensors set
says err "3 class folders, but the model has 7 classes: --class-map"
printf 'a\tsix\nb\t0\nc,five\n' >map
run 0 eval --model ten.safetensors set --class-map map --predictions m.csv
test "$(cut -d, -f2 m.csv | sort | uniq -c | tr -s ' \n' ' ')" = \
    " 5 0 5 5 5 6 1 label " || fail "class map: $(cut -d, -f2 m.csv)"
mkdir named
cp -r set/a named/six
cp -r set/b named/one
run 0 eval --model ten.safetensors named --json -
holds out classes_by images
says values '"class name"'
mkdir flat
cp set/a/1.png "flat/a, \"1\".png"
cp set/b/2.png flat/b.png
cp set/c/3.png flat/unlisted.png
printf 'name,class\n"a, ""1"".png",six\nb.png\t3\n' >labels
run 0 eval --model ten.safetensors flat --labels labels --predictions l.csv
says err "1 image of the folder is not in it"
says l.csv '"a, ""1"".png",6,'
says l.csv 'b.png,3,'
echo 'gone.png,1' >>labels
run 3 eval --model ten.safetensors flat --labels labels
says err "1 of its 3 images are not in flat"

# ---- sweep

run 0 sweep $model set --r 2,6:-1 --json s.json --csv s.csv
says err "r=0 is added"
says out "speed-up"
holds s.json runs.0.top1 runs.0.agreement runs.0.drop runs.2.r \
    runs.2.images_per_second.forward runs.2.seconds.wall runs.2.partial \
    runs.2.model.file runs.2.preprocessing.chain
holds s.json runs.0.agreement runs.0.drop runs.0.speedup runs.0.r runs.2.r
printf '100.0\n0.0\n1.0\n[0,0,0]\n[12,6,0]\n' | cmp -s - values ||
    { fail "sweep:"; cat values; }
lines s.csv 4
for i in 0 1 2; do
    holds s.json runs.$i.top1
    cp values sweep.top1
    set -- 0 2 6:-1
    shift $i
    run 0 eval $model set --r "$1" --json e.json
    holds e.json top1
    cmp -s values sweep.top1 || fail "sweep and eval differ at r $1"
done
run 0 sweep $model set --r 6,0 --quiet --json s.json
holds s.json runs.0.agreement
grep -q 100 values && fail "r=6 should not agree with r=0"
holds s.json runs.1.agreement runs.1.drop
printf '100.0\n0.0\n' | cmp -s - values || fail "r=0 last is not compared to"
test ! -s err || fail "--quiet is not quiet"

# ---- classify, bench, inspect

run 0 classify --model ten.safetensors set/a/1.png set/b --topk 7 --json -
lines out 6
head -n 1 out >line
holds line file top.0.index top.0.name top.0.probability top.6.name
says values '"set/a/1.png"'
run 0 classify --model ten.safetensors set/a/1.png --topk 2
lines out 1
says out "set/a/1.png: "
says out " %"
run 3 classify --model ten.safetensors gone.png set/a/1.png --csv -
says out "file,class1,name1,prob1,class2,name2,prob2"
says err "gone.png: No such file"
run 1 classify --model ten.safetensors gone.png
printf 'p\nq\nr\n' >three
run 0 classify $model --labels three set/a/1.png --topk 1
grep -q ': [pqr] ' out || fail "--labels names nothing"
run 1 classify --model ten.safetensors --labels three set/a/1.png
says err "three: 3 lines, but the model has 7 classes"

run 0 bench $model --r 0,2:-1 --batch 2 --seconds 0 --json b.json
says out "GFLOP/s"
holds b.json runs.1.r runs.1.gmacs runs.1.batch runs.1.threads runs.1.dtype \
    runs.1.images_per_second.median runs.1.images_per_second.best runs.1.gflops \
    runs.1.gmacs_computed weight_bytes activation_bytes
holds b.json passes
says values 5

run 0 inspect --cpu --json c.json
grep -qE '^merging +(scalar|avx2|avx512)$' out || fail "no tier of merging"
grep -qE '^f32 +(scalar|avx2|avx512)$' out || fail "no tier of f32"
holds c.json detected tiers.merging tiers.pixels tiers.f32 tiers.bf16 \
    tiers.int8 threads idle_threads
run 2 inspect --cpu plain.safetensors
says err "takes no model"
run 2 inspect --cpu --arch deit_small_patch16_224
# Threads that wait: what the user's environment says, or a choice of ours.
policy=${OMP_WAIT_POLICY-}
unset OMP_WAIT_POLICY
GOMP_SPINCOUNT=7
export GOMP_SPINCOUNT
run 0 inspect --cpu
grep -qE '^idle threads +GOMP_SPINCOUNT=7$' out || fail "an unheard environment"
unset GOMP_SPINCOUNT
run 0 inspect --cpu
if test -n "$OPENMP_CFLAGS" && test -e /proc/self/exe; then
    grep -qE '^idle threads +(GOMP_SPINCOUNT=[1-9][0-9]*|.*=passive)$' out ||
        fail "threads that wait spin for as long as ever"
    OMP_NUM_THREADS=3
    run 0 inspect --cpu
    grep -qE '^threads +3$' out || fail "OMP_NUM_THREADS=3 goes unheard"
fi
OMP_NUM_THREADS=2
OMP_WAIT_POLICY=${policy:-passive}
export OMP_WAIT_POLICY
run 0 inspect --cpu
grep -qE "^idle threads +OMP_WAIT_POLICY=$OMP_WAIT_POLICY\$" out ||
    fail "OMP_WAIT_POLICY goes unheard"

run 0 inspect plain.safetensors --r 2 --json i.json
holds i.json family parameters dim depth heads patch image_size classes \
    tokens gmacs layers.2.gmacs
holds i.json dim depth heads patch image_size classes tokens
printf '24\n3\n3\n8\n32\n3\n[15,13,11]\n' | cmp -s - values ||
    { fail "inspect:"; cat values; }
for dtype in f32 bf16 int8; do
    run 0 bench --arch deit_tiny_patch16_224 --dtype $dtype --r 0 --batch 1 \
        --seconds 0 --json b.json
    holds b.json weight_bytes
    cat values >>bytes
done
awk 'NR == 1 { f32 = $1 } NR == 2 { bf16 = $1 } NR == 3 { int8 = $1 }
     END { exit !(bf16 < 0.54 * f32 && int8 < 0.33 * f32) }' bytes ||
    fail "packed weights are as large as ever: $(tr '\n' ' ' <bytes)"
for pair in 0:4.60 8:3.42 13:2.70 16:2.29; do
    run 0 inspect --arch deit_small_patch16_224 --r "${pair%:*}"
    grep -q "^GMACs *${pair#*:}\$" out || fail "GMACs of DeiT-S at ${pair%:*}"
done

# ---- answers that are not finite: the image is refused, and nothing reports them

# Weights so large that every image overflows but a black one, where the mean is
# black as well.
"$fixture" model huge.safetensors 3 '{"num_heads": "3"}' 3e37 || fail "no model"
huge="--model huge.safetensors --mean 0 --std 1"
for class in a b c; do
    mkdir -p mixed/$class
    cp set/$class/1.png mixed/$class/bright.png
    "$fixture" image mixed/$class/dark.png 40 40 0 || fail "no image"
done
# finite FILE...: no number in them is not
finite() {
    grep -iE '(^|[^a-z])-?(nan|inf|infinity)([^a-z]|$)' "$@" &&
        fail "$*: a number that is not finite"
}
for dtype in f32 bf16 int8; do
    run 3 eval $huge mixed --dtype $dtype --batch 4 --json n.json --csv n.csv \
        --predictions n.p --per-class n.k --confusion n.f
    says err "mixed/a/bright.png: the model's answer is not finite"
    lines err 3
    holds n.json images refused
    printf '3\n3\n' | cmp -s - values || { fail "not finite:"; cat values; }
    lines n.p 4
    finite n.json n.csv n.p n.k n.f out
done
rm -f n.journal
run 3 eval $huge mixed --batch 2 --resume n.journal --predictions first.p
cp err first.err
run 3 eval $huge mixed --batch 2 --resume n.journal --predictions again.p
cmp -s first.p again.p || fail "not finite: another journal"
grep -v 'images are done' err | cmp -s - first.err || fail "not refused again"
finite n.journal
run 3 sweep $huge mixed --r 2 --json n.json --csv n.csv --svg n.svg --html n.html
says err "mixed/b/bright.png: the model's answer is not finite (schedule 0)"
lines err 4
finite n.json n.csv n.svg out
run 3 classify $huge mixed --json n.json --csv n.csv
lines n.json 3
lines n.csv 4
finite n.json n.csv out
# Of no image at all there is a report, if none is lost by it.
"$fixture" model larger.safetensors 3 '{"num_heads": "3"}' 1e38 ||
    fail "no model"
larger="--model larger.safetensors --mean 0 --std 1"
rm -f n.json
echo old >old.json
run 1 eval $larger set --json n.json --csv old.json
says err "none of the 15 images could be used"
holds n.json images refused top1
printf '0\n15\nnull\n' | cmp -s - values || { fail "none:"; cat values; }
finite n.json out
test "$(cat old.json)" = old || fail "a report was lost"
run 1 sweep $larger set --r 2 --json n.json --svg n.svg --html n.html
finite out
run 1 classify $larger set/a/1.png --json -
test ! -s out || fail "a line about an answer that is not finite"
run 1 visualize $larger set/a/1.png -o n.png
says err "is not finite"
run 1 tune $larger set --max-drop 1 --rounds 0
finite out err
nan=$TOMERGE_SHARED/cases/04-nan
if test -d "$nan"; then
    run 1 classify --model "$nan/model.safetensors" "$nan/val" --json -
    says err "x.png: the model's answer is not finite"
    run 1 eval --model "$nan/model.safetensors" "$nan/val" --json -
    holds out images refused
    printf '0\n3\n' | cmp -s - values || { fail "case 04:"; cat values; }
else
    echo "$name: not tried: a published case of NaN (no reference data)"
fi

# ---- what cannot be written, and interruption

# full COMMAND...: on a disk that takes no byte; all it says in ./out
full() {
    (trap '' XFSZ && ulimit -f 0 && "$@" 2>&1; echo "status $?") | cat >out
    says out "status 1"
    says out "File too large"
}
if files_can_be_limited; then
    for option in --json --csv --predictions; do
        rm -f e.out
        full "$tomerge" eval $model set $option e.out
        says out "e.out: "
        rm -f e.out
        full "$tomerge" classify --model ten.safetensors set --json e.out
    done
else
    echo "$name: not tried: reports on a full disk (OpenMP keeps files too)"
fi
full sh -c "'$tomerge' bench --help 2>&1 >e.out"
says out "standard output: "
run 1 eval $model set --json nowhere/e.json
says err "nowhere/e.json: No such file or directory"
("$tomerge" classify $model set; echo $? >code) 2>err | :
case $(cat code) in 0 | 1) ;; *) fail "a closed pipe: $(cat code)" ;; esac

# A pipe that nobody reads fills up and holds the run, so that the signal
# comes while it works; then it is drained.
mkdir -p many/a many/b many/c
i=1000
while test $i -lt 1800; do
    for class in a b c; do
        ln -s ../../set/$class/1.png many/$class/$i.png
    done
    i=$((i + 1))
done
mkfifo pipe
for signal in INT TERM; do
    exec 3<>pipe
    "$tomerge" eval $model many --batch 2 --cache-mem 20K --predictions pipe \
        --json partial.json >out 2>err 3<&- &
    pid=$!
    read -r first <&3
    kill -s $signal $pid
    cat <&3 >drained &
    drain=$!
    wait $pid
    got=$?
    kill $drain
    wait $drain 2>/dev/null
    exec 3<&-
    test $got = 3 || fail "$signal: exit status $got"
    says err "stopped: the result is partial"
    holds partial.json partial images
    says values true
    images=$(sed -n 2p values)
    test "$images" -gt 0 && test "$images" -lt 2400 ||
        fail "$signal: $images images of 2400"
done
exit $status

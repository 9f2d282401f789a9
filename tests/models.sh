#!/bin/sh
# SPDX-License-Identifier: MIT
# Several models in one sweep: each fares as it does alone, is compared with its
# own r=0, and what cannot stand beside the others is refused at the start.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

mkdir -p a b
"$fixture" model a/vit.safetensors 3 '{"num_heads": "3"}' || fail "no model"
"$fixture" model b/vit.safetensors 3 '{"num_heads": "4"}' || fail "no model"
# One whose crops are others, so that each image is read for it once more.
"$fixture" model near.safetensors 3 '{"num_heads": "2", "crop_pct": "0.5"}' ||
    fail "no model"
n=0
for class in x y z; do
    mkdir -p set/$class
    for i in 1 2 3 4 5 6; do
        n=$((n + 1))
        "$fixture" image set/$class/$i.png $((30 + 9 * n)) $((90 - 4 * n)) $n ||
            fail "no image"
    done
done
echo junk >set/y/7.png
three="--model a/vit.safetensors --model b/vit.safetensors
    --model near.safetensors"
counts='top1 top5 drop agreement gained lost mcnemar_p gmacs tokens_left
    top1_interval.low drop_interval ece schedule model.file'

# ---- each as alone, and named so that no two are alike

run 3 sweep $three set --r 0,2,6:-1 --batch 4 --json all.json --csv all.csv \
    --svg all.svg --html all.html --per-class all.classes --confusion all.pairs
test "$(grep -c 'set/y/7.png' err)" = 1 || fail "a bad image is not named once"
says out "a/vit"
lines all.csv 10
holds all.json models.0.model.label models.1.model.label models.2.model.label \
    models.2.preprocessing.crop_pct
printf '"a/vit"\n"b/vit"\n"near"\n0.5\n' | cmp -s - values ||
    { fail "models:"; cat values; }
"$fixture" json all.json model >/dev/null 2>&1 &&
    fail "one model stands for all"
first=0
for model in a/vit.safetensors b/vit.safetensors near.safetensors; do
    run 3 sweep --model $model set --r 0,2,6:-1 --batch 4 --json one.json \
        --per-class one.classes --confusion one.pairs
    for run in 0 1 2; do
        keys=
        for key in $counts; do
            keys="$keys runs.$run.$key"
        done
        holds one.json $keys
        cp values alone
        keys=
        for key in $counts; do
            keys="$keys runs.$((first + run)).$key"
        done
        holds all.json $keys
        cmp -s values alone ||
            { fail "$model, run $run:"; diff alone values; }
    done
    for kind in classes pairs; do
        grep "^$model," all.$kind | cut -d, -f2- >found
        tail -n +2 one.$kind | cmp -s - found || fail "$model: other $kind"
    done
    first=$((first + 3))
done
says all.classes "model,schedule,class,name,images"
count=$(grep -o 'class="point ' all.svg | wc -l)
test "$count" = 18 || fail "$count points"
for name_of in 'a/vit' 'b/vit' near; do
    test "$(grep -c ">$name_of</text>" all.svg)" = 2 || fail "legend: $name_of"
    says all.html "</svg>$name_of</span></th></tr>"
done
says all.html "of the same model"
if tool xmllint; then
    xmllint --noout all.svg all.html || fail "not well-formed"
fi

# ---- a journal of all

run 3 sweep $three set --r 0,2 --batch 4 --resume journal --json full.json
head -n 3 journal >torn
mv torn journal
run 3 sweep $three set --r 0,2 --batch 4 --resume journal --json again.json
for run in full again; do
    holds $run.json images runs.1.top1 runs.2.top1 runs.3.ece runs.5.gained \
        runs.5.lost
    cp values $run
done
cmp -s full again || { fail "resumed:"; diff full again; }
cp journal kept
run 2 sweep --model a/vit.safetensors set --r 0,2 --batch 4 --resume journal
says err "was begun with --model of model 2"
says err "of model 2"
run 2 sweep --model a/vit.safetensors --model near.safetensors set --r 0,2 \
    --batch 4 --resume journal
says err "was begun with other"
cmp -s journal kept || fail "the journal was changed"

# ---- refused, before anything is run

refused() {
    expected=$1 text=$2
    shift 2
    rm -f x.json
    run "$expected" sweep "$@" --quiet
    says err "$text"
    lines err 1
}
refused 2 "--model: 'a/../a/vit.safetensors' is given twice" \
    --model a/vit.safetensors --model a/../a/vit.safetensors set
refused 1 "nowhere.safetensors: cannot open: No such file" --model a/vit.safetensors \
    --model nowhere.safetensors set
head -c 300 b/vit.safetensors >cut.safetensors
refused 1 "cut.safetensors: " --model a/vit.safetensors \
    --model cut.safetensors set
"$fixture" model four.safetensors 4 '{"num_heads": "3"}'
refused 1 "four.safetensors has 4 classes, a/vit.safetensors has 3" \
    --model a/vit.safetensors --model four.safetensors set
"$fixture" model xyz.safetensors 3 \
    '{"num_heads": "3", "class_names": "[\"x\", \"y\", \"z\"]"}'
"$fixture" model xzy.safetensors 3 \
    '{"num_heads": "3", "class_names": "[\"x\", \"z\", \"y\"]"}'
refused 1 "xzy.safetensors: class 1 is 'z', in xyz.safetensors it is 'y'" \
    --model xyz.safetensors --model xzy.safetensors set
refused 2 "--model: its value, FILE, is empty" --model "" set
models=
for i in 1 2 3 4 5 6 7 8 9; do
    cp near.safetensors $i.safetensors
    models="$models --model $i.safetensors"
done
refused 2 "--model: more than 8 models" $models set
run 2 eval --model xyz.safetensors --model xzy.safetensors set
says err "--model: a second one, 'xzy.safetensors': sweep takes several"
exit $status

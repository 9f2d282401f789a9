#!/bin/sh
# SPDX-License-Identifier: MIT
# --ema-merge: what moving averages make of merged tokens reaches the model from
# every command that runs one, is reported, and is what a journal began with.
. "${srcdir:-.}/tests/guard.sh"
encoders=$(cd "$srcdir/tests/fixtures/encoders" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

n=0
for class in a b c d e f g; do
    n=$((n + 1))
    mkdir -p set/$class
    "$fixture" image set/$class/1.png $((30 + 5 * n)) $((70 - 4 * n)) $n ||
        fail "no image"
done
ways="unmerge place steps rows"
merged="--schedule 5,6"

# Each is another answer, and the first is what stands for none.
for name in mega mega_softmax_chunk megalodon; do
    model="--model $encoders/$name.safetensors"
    run 0 embed $model $merged --output default.npy set
    for way in $ways; do
        run 0 embed $model $merged --ema-merge $way --output $way.npy set
        run 0 eval $model $merged --ema-merge $way --json $way.json set
        holds $way.json ema_merge
        says values "\"$way\""
        for other in $ways; do
            test $other = $way && break
            cmp -s $other.npy $way.npy &&
                fail "$name: --ema-merge $other and $way are the same"
        done
    done
    cmp -s default.npy unmerge.npy || fail "$name: unmerge is not the default"
    # Where nothing merges all are the same.
    for way in $ways; do
        run 0 embed $model --ema-merge $way --output $way.npy set
        cmp -s $way.npy unmerge.npy || fail "$name: $way without merging"
    done
done

model="--model $encoders/mega.safetensors"
for command in sweep bench visualize; do
    case $command in
    sweep) rest="--r 0,5 set" ;;
    bench) rest="--r 5 --seconds 0 --batch 1" ;;
    visualize) rest="--r 5 --output maps set/a/1.png" ;;
    esac
    run 0 $command $model --ema-merge steps --json $command.json $rest
    grep -q '"ema_merge": *"steps"' $command.json ||
        fail "$command: what it ran with is not in its report"
    run 2 $command $model --ema-merge mean $rest
    says err "--ema-merge: 'mean' is not one of unmerge, place, steps, rows"
done

# It says of a picture what it is, and not how that was found.
for way in rows steps; do
    run 0 classify $model --r 5 --ema-merge $way --json $way.json set/a/1.png
done
cmp -s rows.json steps.json && fail "classify: --ema-merge changes nothing"

# A model without averages has nothing to report.
"$fixture" model plain.safetensors 7 '{"num_heads": "3"}' || fail "no model"
run 0 eval --model plain.safetensors --r 4 --ema-merge rows --json plain.json set
grep -q ema_merge plain.json && fail "a ViT reports moving averages"

# ---- a journal goes on as it began

run 0 eval $model $merged --ema-merge place --resume journal set
cp journal kept
run 0 eval $model $merged --ema-merge place --resume journal set
run 2 eval $model $merged --ema-merge rows --resume journal set
says err '--resume: journal was begun with --ema-merge "place", not "rows"'
cmp -s journal kept || fail "the journal was changed"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Images that keep their proportions, from the command line: each as if the
# model were opened for images of its sides, in batches, whatever the command;
# and several models whose crops differ in one side or the border alone.
. "${srcdir:-.}/tests/guard.sh"
models=$(cd "${srcdir:-.}/tests/fixtures/layouts" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

naflex=$models/timm_naflex/model.safetensors
siglip=$models/hf_siglip2_classes/model.safetensors
n=0
for class in 0 1 2 3; do
    mkdir -p "set/$class"
    for i in 1 2 3; do
        n=$((n + 1))
        "$fixture" image "set/$class/$i.png" $((20 + 11 * n)) \
            $((130 - 8 * n)) "$n" || fail "no image"
    done
done

# ---- one by one and together: the same answers

run 0 classify --model "$naflex" --max-patches 60 --r 8 set --batch 5 --csv a.csv
run 0 classify --model "$naflex" --max-patches 60 --r 8 set --batch 1 \
    --threads 1 --csv b.csv
cmp -s a.csv b.csv || fail "batches change answers"
lines a.csv 13

# A picture of 60 x 40 pixels becomes 36 x 24, of 54 patches, which is 9 of 10 of
# what it may have, and so are the sums of r: the answer is that of a model for
# such images.
"$fixture" image wide.png 60 40 7 || fail "no image"
as_wide="--image-size 24x36 --crop-mode squash --crop-pct 1 wide.png"
run 0 classify --model "$naflex" $as_wide --csv none.csv
while read -r asked own; do
    run 0 classify --model "$naflex" --max-patches 60 --schedule "$asked" \
        wide.png --csv a.csv
    run 0 classify --model "$naflex" $as_wide --schedule "$own" --csv b.csv
    cmp -s a.csv b.csv || { fail "$asked is not $own:"; diff a.csv b.csv; }
    cmp -s none.csv b.csv && fail "nothing merges by $own"
done <<EOT
8,8,8 7,7,7
7,8,9 6,7,8
20,0,1 18,0,0
EOT

# ---- every command

run 0 eval --model "$siglip" set --r 4 --json e.json
holds e.json model.max_patches preprocessing.max_patches images tokens_most
printf '60\n60\n12\n52\n' | cmp -s - values ||
    { fail "eval's JSON:"; cat values; }
says out "to at most 60 patches of 4 x 4, proportions kept (bilinear)"
run 0 sweep --model "$siglip" set --r 0,4 --json s.json --html s.html
holds s.json runs.0.gmacs runs.1.gmacs runs.1.top1
run 0 eval --model "$siglip" set --json e.json
holds e.json gmacs merge_ratio
holds s.json runs.0.gmacs runs.0.merge_ratio
run 0 tune --model "$siglip" set --max-drop 100 --json t.json
run 0 embed --model "$siglip" set -o e.npy
lines e.txt 12
run 1 embed --model "$siglip" set -o t.npy --tokens restored
says err "tokens of images that keep their proportions make no one array"
run 0 embed --model "$siglip" --image-size 24 set -o t.npy --tokens restored
run 0 knn --model "$siglip" --train set --test set --k 1 --json k.json
holds k.json top1
printf '100.0\n' | cmp -s - values || { fail "its own neighbours:"; cat values; }
run 0 visualize --model "$siglip" --grid --r 0,4 wide.png -o v.png --json v.json
holds v.json panels.0.group.53 panels.1.tokens_left
printf '53\n47\n' | cmp -s - values || { fail "groups:"; cat values; }
run 0 inspect "$siglip" --json i.json
holds i.json max_patches tokens_in
printf '60\n60\n' | cmp -s - values || { fail "inspect:"; cat values; }
says out 'counted for   an image of 60 patches, the most'
run 0 inspect "$siglip" --method grid --r 4
says out 'of 60 patches, with as many'
run 0 inspect "$siglip" --image-size 24
grep -q 'counted for' out && fail "one size, and a word of the most patches"
says out "preprocessor_config.json"
run 0 bench --model "$siglip" --r 0,4 --seconds 0

# What is written says it as well.
run 0 convert "$naflex" --max-patches 60 -o c.safetensors
run 0 classify --model c.safetensors set --r 8 --csv b.csv
run 0 classify --model "$naflex" --max-patches 60 set --r 8 --csv a.csv
cmp -s a.csv b.csv || { fail "another model is written:"; diff a.csv b.csv; }
run 0 classify --model c.safetensors --max-patches 30 set --csv b.csv
run 0 inspect c.safetensors --image-size 24 --json i.json
holds i.json image_size tokens_in
printf '24\n38\n' | cmp -s - values || { fail "inspect:"; cat values; }

# ---- what does not go together

run 2 classify --model "$naflex" --max-patches 60 --image-size 24 set
says err "--max-patches takes the place of --image-size"
run 2 classify --model "$siglip" --crop-pct 0.9 set
says err "--crop-pct: nothing is cut from images that keep their proportions"
run 2 classify --model "$siglip" --crop-mode squash set
says err "--crop-mode: nothing is cut"
run 2 inspect --arch deit_tiny_patch16_224 --max-patches 196
says err "--max-patches is for a model from a file"
run 2 classify --model "$siglip" --max-patches 0 set
run 1 classify --model "$models/timm_eva02/model.safetensors" --max-patches 60 \
    set
says err "this one has rotary positions"
lines err 1

# Positions that a file says to be a table's are not resized, by whatever name.
"$fixture" model t.safetensors 3 '{"num_heads": "2", "position_resize":
    "table"}' || fail "no model"
run 1 classify --model t.safetensors --max-patches 60 set
says err "this one has positions of a table"
"$fixture" model t.safetensors 3 '{"num_heads": "2", "position_resize":
    "table_square"}' || fail "no model"
run 1 classify --model t.safetensors set
says err "expected a way to resize"

# ---- models whose crops differ in one thing alone, beside each other

# apart_and_beside MODEL MODEL: each has the numbers that it has alone
apart_and_beside() {
    for model; do
        run 0 sweep --model "$model" set --r 0,3 --json one.json
        holds one.json runs.0.top1 runs.0.ece runs.1.top1 runs.1.ece
        cat values
    done >alone
    run 0 sweep --model "$1" --model "$2" set --r 0,3 --json both.json
    holds both.json runs.0.top1 runs.0.ece runs.1.top1 runs.1.ece \
        runs.2.top1 runs.2.ece runs.3.top1 runs.3.ece
    cmp -s values alone ||
        { fail "$1 and $2 beside each other:"; diff values alone; }
}
for width in 24 36; do
    run 0 convert "$models/timm_layer_scale.safetensors" \
        --image-size "24x$width" -o "$width.safetensors"
done
apart_and_beside 24.safetensors 36.safetensors
for mean in 0.1 0.9; do
    "$fixture" model "$mean.safetensors" 4 '{"num_heads": "2", "crop_mode":
        "border", "mean": "['$mean', '$mean', '$mean']"}' || fail "no model"
done
apart_and_beside 0.1.safetensors 0.9.safetensors

exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Models of other libraries from the command line: heads and texts in files of
# their own, other image sizes, what inspect says of a checkpoint.
. "${srcdir:-.}/tests/guard.sh"
models=$(cd "${srcdir:-.}/tests/fixtures/layouts" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

"$fixture" image a.png 60 50 1 || fail "no image"

# a model without a head needs one, for what needs classes
run 1 classify --model "$models/openai_clip.pt" a.png
says err "the model has no head, it only gives features: add one with --head"
lines err 2
run 0 bench --model "$models/openai_clip.pt" --r 0,2 --seconds 0
run 0 visualize --model "$models/openai_clip.pt" --r 2 a.png -o groups.png
test -s groups.png || fail "no picture"

# texts and heads bring classes
run 0 classify --model "$models/openai_clip.pt" a.png --r 2 \
    --text-embeddings "$models/openai_clip_texts.npy"
says out "class "
run 0 classify --model "$models/dinov2.safetensors" a.png \
    --head "$models/dinov2_head.safetensors"
says out "class "
run 1 classify --model "$models/openai_clip.pt" a.png \
    --text-embeddings "$models/hf_siglip_texts.npy"
says err "expected embeddings of 16 numbers, found 32"
lines err 1
run 1 classify --model "$models/hf_vit/model.safetensors" a.png \
    --head "$models/dinov2_head.safetensors"
says err "dinov2_head.safetensors: the model has a head of its own"
run 1 classify --model "$models/dinov2.safetensors" a.png --head nowhere
says err "nowhere: cannot open: No such file"

# class names and preprocessing from the neighbours
run 0 classify --model "$models/hf_vit/model.safetensors" a.png
says out "dogwood"
run 0 inspect "$models/hf_vit/model.safetensors"
says out "both sides to 24 (bilinear)"
says out "preprocessor_config.json"
run 0 inspect "$models/hf_vit/model.safetensors" --json i.json
holds i.json layout activation preprocessing.crop_mode
printf '%s\n' '"Hugging Face"' '"GELU"' '"squash"' | cmp -s - values ||
    { fail "inspect's JSON:"; cat values; }
run 0 classify --model "$models/hf_vit/model.safetensors" a.png \
    --crop-mode center
run 2 classify --model "$models/hf_vit/model.safetensors" a.png \
    --crop-mode middle
says err "'middle' is not one of center, squash, border"

# what is unused is named
run 0 inspect "$models/dinov2.safetensors"
says out "mask_token"
run 0 inspect "$models/openai_clip.pt" --json - \
    --text-embeddings "$models/openai_clip_texts.npy"
says out '"context_length"'
says out 'text embeddings'
grep -q '"visual.proj"' out && fail "the projection is used with texts"

# another image size
run 0 inspect "$models/torchvision.pth" --image-size 36 --json i.json
holds i.json image_size tokens_in
printf '36\n82\n' | cmp -s - values || { fail "sizes:"; cat values; }
run 0 classify --model "$models/timm_layer_scale.safetensors" a.png \
    --image-size 40 --r 3
run 1 classify --model "$models/timm_layer_scale.safetensors" a.png \
    --image-size 41
says err "a multiple of the patch side 4"
lines err 1
# 576 patches and a class token; attention of Mega's shapes then in chunks
run 0 inspect --arch deit_tiny_patch16_224 --image-size 384 --json i.json
holds i.json image_size tokens_in
printf '384\n577\n' | cmp -s - values || { fail "sizes:"; cat values; }
run 0 inspect --arch mega_base_patch16_224 --image-size 448 --csv i.csv
grep -q '^1,784,0,784,' i.csv || { fail "layers:"; cat i.csv; }
run 2 inspect --arch deit_tiny_patch16_224 --image-size 385
says err "a multiple of the patch side 16, found 385"

# images that are no squares: their pixels, tokens and pictures, wherever they
# go; what is asked for is no guess
run 0 inspect --arch vit_small_patch16_dinov3 --image-size 128x320 --json i.json
holds i.json image_size image_width tokens_in
printf '128\n320\n165\n' | cmp -s - values || { fail "sides:"; cat values; }
grep -q '"crop_width": 320' i.json || fail "no crop of that width"
says i.json "resized to cover 128 x 320 (bicubic), centre crop 128 x 320,"
rectangle=$models/timm_rectangle.safetensors
run 0 classify --model "$rectangle" a.png --image-size 16x40 --json whole.json
grep -q 'image size' err && fail "the size asked for is a guess"
run 0 convert "$rectangle" --image-size 16x40 --dtype f32 \
    -o written.safetensors
run 0 inspect written.safetensors --json i.json
holds i.json image_size image_width
printf '16\n40\n' | cmp -s - values || { fail "sides:"; cat values; }
run 0 classify --model written.safetensors a.png --json again.json
cmp -s whole.json again.json || fail "another answer from the file that was written"
run 0 classify --model written.safetensors a.png --image-size 24x16
run 0 visualize --model "$rectangle" --image-size 16x40 --grid --r 0,3 a.png \
    --json v.json -o groups.png --scale 4
grep -q '"width": 160' v.json || fail "no panel as wide as the crop"
run 0 bench --model "$rectangle" --image-size 40x24 --r 0,3 --seconds 0
run 0 embed --model "$rectangle" --image-size 16x40 a.png -o e.npy
run 1 classify --model "$rectangle" a.png --image-size 16x41
says err "multiples of the patch side 4, found 16 x 41"
for wrong in 0x16 16x 16x0 x16 16x16x16 16X16 99999; do
    run 2 classify --model "$rectangle" a.png --image-size $wrong
    says err "--image-size: expected an integer from 1 to 16384, or a height"
done
run 1 inspect "$models/timm_beit/model.safetensors" --image-size 16x24
says err "a square image, which the tables of relative positions are for"
run 2 inspect --arch mega_base_patch16_224 --image-size 224x448
says err "expected a square, which moving averages over patches are for"
run 2 bench --arch deit_tiny_patch16_224 --head mobile.safetensors
says err "for a model from a file, not for --arch"
exit $status

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
run 2 bench --arch deit_tiny_patch16_224 --head mobile.safetensors
says err "for a model from a file, not for --arch"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# The files beside the weights: each is obeyed whole or refused by the name of
# what cannot be obeyed; none that is there counts as absent; nothing but a
# regular file is opened. Also what is there in place of weights.
. "${srcdir:-.}/tests/guard.sh"
models=$(cd "${srcdir:-.}/tests/fixtures/layouts" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

# A copy of a model in ./m with its config.json, and a file beside it: beside NAME TEXT
alone() {
    rm -rf m
    mkdir m
    cp "$models/$1" m/
    case $1 in
    */*) cp "$models/${1%/*}/config.json" m/ ;;
    esac
    weights=m/${1##*/}
}
beside() { printf '%s' "$2" >"m/$1"; }

# pixels CROP_PCT CROP_MODE MEAN STD SIZE: what inspect makes of it
pixels() {
    run 0 inspect "$weights" --json i.json
    holds i.json preprocessing.crop_pct preprocessing.crop_mode \
        preprocessing.mean.0 preprocessing.std.0 image_size
    sed 's/\.0$//' values >found
    printf '%s\n' "$@" | cmp -s - found || { fail "not $*, but:"; cat found; }
}

# refuses WORDS: in one line
refuses() {
    run 1 inspect "$weights"
    says err "$1"
    lines err 1
}

norm='"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]'

# ---- a size that is a number: the shorter side for CLIP, both for ViT

alone hf_clip/model.safetensors
beside preprocessor_config.json '{"feature_extractor_type":
    "CLIPFeatureExtractor", "crop_size": 24, "do_center_crop": true,
    "size": 32, '"$norm"'}'
pixels 0.75 '"center"' 0.5 0.25 24
beside preprocessor_config.json '{"image_processor_type":
    "SiglipImageProcessor", "size": 24, '"$norm"'}'
pixels 1 '"squash"' 0.5 0.25 24
# nobody says whose it is: the weights' own names do
beside preprocessor_config.json '{"crop_size": 24, "size": 32, '"$norm"'}'
pixels 0.75 '"center"' 0.5 0.25 24
alone hf_vit/model.safetensors
beside preprocessor_config.json '{"size": 24, '"$norm"'}'
pixels 1 '"squash"' 0.5 0.25 24

# ---- what transformers 5 writes for processors; it counts before the other

beside processor_config.json '{"image_processor": {"size": {"shortest_edge":
    32}, "do_center_crop": true, "crop_size": {"height": 24, "width": 24},
    '"$norm"'}, "processor_class": "CLIPProcessor"}'
pixels 0.75 '"center"' 0.5 0.25 24
says out "processor_config.json"
beside processor_config.json '{"processor_class": "CLIPProcessor"}'
pixels 1 '"squash"' 0.5 0.25 24
rm m/processor_config.json

# ---- every key that changes pixels

square='"size": {"height": 24, "width": 24}'
beside preprocessor_config.json "{$square, $norm, \"do_normalize\": false}"
pixels 1 '"squash"' 0 1 24
beside preprocessor_config.json "{$square, $norm, \"rescale_factor\": 0.0078431372549019607}"
pixels 1 '"squash"' 0.25 0.125 24
beside preprocessor_config.json "{$square, $norm, \"rescale_factor\": 0.00392156862745098}"
pixels 1 '"squash"' 0.5 0.25 24
beside preprocessor_config.json "{$square, \"image_mean\": [127.5, 127.5, 127.5],
    \"image_std\": [255, 255, 255], \"do_rescale\": false}"
pixels 1 '"squash"' 0.5 1 24
while IFS='|' read -r json words; do
    beside preprocessor_config.json "{$json, $norm}"
    refuses "preprocessor_config.json beside it: $words"
done <<EOF
"size": {"longest_edge": 20}|"size" with "longest_edge" cannot be done here
"size": {"shortest_edge": 12, "longest_edge": 20}|"size" with "longest_edge"
"size": {"shortest_edge": 24}|"shortest_edge" without "do_center_crop"
"size": {"height": 24, "width": 28}|"size": expected a number
"size": {"shortest_edge": 12}, "do_center_crop": true, "crop_size": 24|"crop_size" 24 is larger than "size" 12
"size": {"shortest_edge": 32}, "do_center_crop": true, "crop_size": {"height": 24, "width": 28}|"crop_size": expected a square
"size": {"height": 32, "width": 32}|expected a crop of 24 pixels, which the model's positions are for, found 32
$square, "resample": 0|"resample" 0 (nearest) cannot be done here
$square, "resample": 1|"resample" 1 (lanczos) cannot
$square, "resample": "bicubic"|"resample" 0
$square, "do_resize": false|"do_resize" false cannot be done here
$square, "do_flip_channel_order": true|"do_flip_channel_order" cannot be done
$square, "do_pad": true|"do_pad" cannot be done
$square, "crop_pct": 0.9|"crop_pct" cannot be done here
$square, "rescale_factor": 0|"rescale_factor": expected a number above 0
EOF
alone open_clip.safetensors
beside open_clip_config.json '{"model_cfg": {}, "preprocess_cfg":
    {"mean": [0.5, 0.5, 0.5], "resize_mode": "longest"}}'
refuses 'open_clip_config.json beside it: "resize_mode" "longest" cannot be done'

# ---- DINOv2 takes the size of its crops

alone hf_dinov2/model.safetensors
beside preprocessor_config.json '{"image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 40}, "do_center_crop": true,
    "crop_size": {"height": 32, "width": 32}, '"$norm"'}'
pixels 0.8 '"center"' 0.5 0.25 32

# ---- a file that is there is never absent

alone hf_vit/model.safetensors
rm m/config.json
for name in config.json preprocessor_config.json processor_config.json \
    open_clip_config.json; do
    mkdir "m/$name"
    refuses "$name beside it cannot be read: it is not a regular file"
    rmdir "m/$name"
    ln -s nowhere "m/$name"
    refuses "$name beside it cannot be read: No such file"
    rm "m/$name"
    mkfifo "m/$name"
    refuses "$name beside it cannot be read: it is not a regular file"
    rm "m/$name"
    printf '{' >"m/$name"
    refuses "$name beside it: expected JSON"
    rm "m/$name"
done
mkfifo m/fifo
run 1 inspect m/fifo
says err "expected a regular file, found a device, pipe or socket"

# ---- byte order marks, and labels of another head

{ printf '\357\273\277'; cat "$models/hf_vit/config.json"; } >m/config.json
run 0 inspect "$weights" --json a.json
cp "$models/hf_vit/config.json" m/
run 0 inspect "$weights" --json b.json
cmp -s a.json b.json || fail "a byte order mark changes config.json"
"$fixture" image a.png 60 50 1 || fail "no image"
run 0 classify --model "$weights" a.png
says out dogwood
beside config.json '{"model_type": "vit", "hidden_size": 32,
    "num_attention_heads": 2, "id2label": {"0": "cat", "1": "dog"}}'
run 0 classify --model "$weights" a.png
says out "class "

# ---- what is there in place of weights

# like TEXT WORDS
like() {
    printf "$1" >not.safetensors
    run 1 inspect not.safetensors
    says err "expected a checkpoint, found $2"
    lines err 1
}
like 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' \
    "a git-lfs pointer"
like '\357\273\277\n <!DOCTYPE html><html>Not found</html>\n' "an HTML page"
like '\211PNG\r\n\032\n0000' "a PNG image"
like 'GIF89a..........' "a GIF image"
like '\037\213..............' "a gzip file"
run 1 inspect "${srcdir:-.}/../../nowhere"
says err "cannot open"
exit $status

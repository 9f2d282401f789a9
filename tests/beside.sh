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
# one number is every channel's; a step that is null is none
beside preprocessor_config.json "{$square, \"image_mean\": 0.5, \"image_std\": 0.25}"
pixels 1 '"squash"' 0.5 0.25 24
beside preprocessor_config.json "{$square, \"image_mean\": 0.5, \"image_std\": 1,
    \"rescale_factor\": 0.0078431372549019607}"
pixels 1 '"squash"' 0.25 0.5 24
beside preprocessor_config.json "{$square, $norm, \"do_normalize\": null}"
pixels 1 '"squash"' 0 1 24
# what a class does where the file does not say it
of='"image_processor_type"'
beside preprocessor_config.json "{$of: \"DeiTImageProcessor\", \"crop_size\": 24,
    \"size\": {\"height\": 32, \"width\": 32}, $norm}"
pixels 0.75 '"squash"' 0.5 0.25 24
beside preprocessor_config.json "{$of: \"CLIPImageProcessorFast\", $norm,
    \"crop_size\": 24, \"size\": {\"shortest_edge\": 32}, \"use_square_size\": true}"
pixels 0.75 '"squash"' 0.5 0.25 24
beside preprocessor_config.json "{$of: \"DPTImageProcessor\", $square, $norm, \"resample\": 3,
    \"ensure_multiple_of\": 8, \"keep_aspect_ratio\": false, \"size_divisor\": null}"
pixels 1 '"squash"' 0.5 0.25 24
run 0 inspect "$weights" --strict-model
# what one does that is not known here is a guess
beside preprocessor_config.json "{$of: \"LevitImageProcessor\", $square, $norm,
    \"resample\": 3}"
pixels 1 '"squash"' 0.5 0.25 24
run 1 inspect "$weights" --strict-model
says err "strict allows no guess: crop 1 squash"
while IFS='|' read -r json words; do
    beside preprocessor_config.json "{$json, $norm}"
    refuses "preprocessor_config.json beside it: $words"
done <<EOF
"size": {"longest_edge": 20}|"size" with "longest_edge" cannot be done here
"size": {"shortest_edge": 12, "longest_edge": 20}|"size" with "longest_edge"
"size": {"shortest_edge": 24}|"shortest_edge" without "do_center_crop"
"size": {"height": 24, "width": 28}, "do_center_crop": true|"size": expected a number
"size": {"height": 24, "width": 28}|expected a crop of 24 pixels, which the model's positions are for, found 24x28
"size": {"shortest_edge": 12}, "do_center_crop": true, "crop_size": 24|"crop_size" 24 is larger than "size" 12
"size": {"shortest_edge": 32}, "do_center_crop": true, "crop_size": {"height": 24, "width": 28}|"crop_size": expected a square
"size": {"height": 32, "width": 32}|expected a crop of 24 pixels, which the model's positions are for, found 32
$square, "resample": 0|"resample" 0 (nearest) cannot be done here
$square, "resample": 1|"resample" 1 (lanczos) cannot
$square, "resample": "bicubic"|"resample": expected a whole number from 0 to 2147483647, found "bicubic"
$square, "resample": 5|"resample" 5 (hamming) cannot be done here
$square, "do_resize": false|"do_resize" false cannot be done here
$square, "do_flip_channel_order": true|"do_flip_channel_order" cannot be done
$square, "do_pad": true|"do_pad" cannot be done
$square, "crop_pct": 0.9|"crop_pct" cannot be done here
$square, "rescale_factor": 0|"rescale_factor": expected a number above 0
$square, "keep_aspect_ratio": true|"keep_aspect_ratio" cannot be done here
$square, "crop_to_patches": true|"crop_to_patches" cannot be done here
$square, "image_grid_pinpoints": [[24, 48]]|"image_grid_pinpoints" cannot be
$square, "rescale_offset": true|"rescale_offset" cannot be done here
$square, "ensure_multiple_of": 14|"ensure_multiple_of" 14 changes "size" 24
$square, "do_resize": null|"do_resize" false cannot be done here
$of: "CLIPImageProcessor", "size": {"shortest_edge": 24}, "do_center_crop": null|"shortest_edge" without "do_center_crop"
$of: "CLIPImageProcessor", "size": {"shortest_edge": 256}|expected a crop of 24 pixels, which the model's positions are for, found 224
EOF
alone open_clip.safetensors
beside open_clip_config.json '{"model_cfg": {}, "preprocess_cfg":
    {"mean": [0.5, 0.5, 0.5], "resize_mode": "longest"}}'
refuses 'open_clip_config.json beside it: "resize_mode" "longest" cannot be done'
beside open_clip_config.json '{"model_cfg": {"vision_cfg": {"width": 64,
    "pool_type": "none"}}}'
refuses 'open_clip_config.json beside it: "pool_type" "none" cannot be done'
while IFS='|' read -r json words; do
    beside open_clip_config.json '{"model_cfg": {"vision_cfg": {"width": 64,
        '"$json"'}}}'
    refuses "open_clip_config.json beside it: $words"
done <<EOF
"qk_norm": true|"qk_norm" of "vision_cfg" cannot be done here
"block_type": "custom"|"block_type" of "vision_cfg" cannot be done here
"attentional_pool": true|"attentional_pool": expected it to be as the tensors are, without queries
"attentional_pool": "cascade"|a second attention pooling ("attentional_pool" "cascade") cannot
"image_size": [24, 0]|"image_size": expected a whole number above 0 or a list of
"image_size": [24, 24, 24]|expected the sides of an image
"norm_kwargs": {"elementwise_affine": false}|"elementwise_affine" of "norm_kwargs" cannot be done here
"act_kwargs": {"approximate": "sigmoid"}|"approximate" "sigmoid" of "act_kwargs" cannot be done here
"act_kwargs": {"inplace": false}|"inplace" of "act_kwargs" cannot be done here
EOF
beside open_clip_config.json '{"model_cfg": {"quick_gelu": true, "vision_cfg":
    {"width": 64, "act_kwargs": {"approximate": "tanh"}}}}'
refuses '"approximate" of "act_kwargs" cannot be done here'
beside open_clip_config.json '{"model_cfg": {"vision_cfg": {"width": 64,
    "head_width": 16, "norm_kwargs": {"eps": 1e-6},
    "act_kwargs": {"approximate": "tanh"}}}}'
run 0 inspect "$weights" --json i.json
holds i.json known.activation.value "known.norm epsilon.value" \
    known.pooling.from known.pooling.value
printf '"gelu_tanh"\n"1e-06"\n"open_clip_config.json"\n"class"\n' |
    cmp -s - values || { fail "open_clip's arguments:"; cat values; }
# its pixels: one number is every channel's, 0 as if it was not said, and what
# is not said OpenAI's; what is random in training is bicubic
while IFS='|' read -r json mean std mode filter; do
    beside open_clip_config.json '{"model_cfg": {"vision_cfg": {"width": 64}},
        "preprocess_cfg": {'"$json"'}}'
    run 0 inspect "$weights" --json i.json
    holds i.json known.mean.value known.std.value preprocessing.crop_mode \
        known.interpolation.value known.interpolation.from
    printf '"%s"\n' "$mean" "$std" "$mode" "$filter" open_clip_config.json |
        cmp -s - values || { fail "open_clip's pixels, $json:"; cat values; }
done <<EOF
"mean": 0.5, "std": 0.25, "interpolation": "bilinear"|0.5 0.5 0.5|0.25 0.25 0.25|center|bilinear
"mean": 0, "std": 1, "interpolation": "random"|0.4815 0.4578 0.4082|1 1 1|center|bicubic
"resize_mode": "squash"|0.4815 0.4578 0.4082|0.2686 0.2613 0.2758|squash|bicubic
"size": 24|0.4815 0.4578 0.4082|0.2686 0.2613 0.2758|center|bicubic
EOF
# towers of timm's: the mean of patches if nothing else is said, and their own
# activation whatever "quick_gelu" is
alone timm_layer_scale.safetensors
while IFS='|' read -r json pool guessed; do
    beside open_clip_config.json '{"model_cfg": {"quick_gelu": true,
        "vision_cfg": {"timm_model_name": "x"'"$json"'}}}'
    run 0 inspect "$weights" --json i.json
    holds i.json known.pooling.value known.pooling.guessed \
        known.activation.value known.activation.guessed
    printf '"%s"\n%s\n"gelu"\ntrue\n' "$pool" "$guessed" |
        cmp -s - values || { fail "a tower of timm's$json:"; cat values; }
done <<EOF
|mean|false
, "timm_pool": "token"|class|false
, "timm_pool": null|class|true
EOF

# ---- DINOv2 takes the size of its crops

alone hf_dinov2/model.safetensors
beside preprocessor_config.json '{"image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 40}, "do_center_crop": true,
    "crop_size": {"height": 32, "width": 32}, '"$norm"'}'
pixels 0.8 '"center"' 0.5 0.25 32

# ---- a file that is there is never absent

alone hf_vit/model.safetensors
rm m/config.json
for each in config.json preprocessor_config.json processor_config.json \
    open_clip_config.json; do
    mkdir "m/$each"
    refuses "$each beside it cannot be read: it is not a regular file"
    rmdir "m/$each"
    ln -s nowhere "m/$each"
    refuses "$each beside it cannot be read: No such file"
    rm "m/$each"
    mkfifo "m/$each"
    refuses "$each beside it cannot be read: it is not a regular file"
    rm "m/$each"
    printf '{' >"m/$each"
    refuses "$each beside it: expected JSON"
    rm "m/$each"
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
says err "class names numbers (2 names)"
run 0 inspect "$weights"
says out "numbers (2 names)"

# ---- what nothing says is a guess: warned of once, refused if so wished

alone timm_gap.safetensors
run 0 classify --model "$weights" a.png --image-size 24
lines err 1
says err "these are guesses: activation gelu, norm epsilon 1e-06"
says err "pooling mean, positions learned alone, norms before attention and MLP"
says err "MLP, mean 0.5 0.5 0.5"
run 0 classify --model "$weights" a.png --quiet
lines err 0
run 1 classify --model "$weights" a.png --strict-model
says err "strict allows no guess: "
run 1 inspect "$weights" --strict-model
run 0 inspect "$weights" --json i.json
holds i.json known.activation.from known.activation.guessed \
    known.activation.value known.heads.from
printf '"guess"\ntrue\n"gelu"\n"metadata"\n' | cmp -s - values ||
    { fail "what is known:"; cat values; }
run 0 convert "$weights" -o said.safetensors
run 0 inspect said.safetensors --strict-model
says out "metadata"
alone open_clip.safetensors
run 0 inspect "$weights"
grep -A1 '^pooling  *class' out | grep -q '  from  *guess' ||
    fail "the pooling of a tower alone is no guess"
run 1 inspect "$weights" --strict-model
says err "pooling class"
alone hf_vit/model.safetensors
cp "$models/hf_vit/preprocessor_config.json" m/
beside config.json '{"model_type": "vit", "hidden_size": 32,
    "num_attention_heads": 2, "architectures": ["ViTModel"]}'
run 0 classify --model "$weights" a.png --strict-model
lines err 0

# ---- names that say what cannot be run, or other than the tensors

alone hf_vit/model.safetensors
for pair in "ViltModel:text and image" \
    "YolosForObjectDetection:detection tokens" \
    "Blip2VisionModel:an output that goes through the last norm twice" \
    "PixioModel:several class tokens" \
    "RadioModel:RADIO's positions"; do
    beside config.json '{"model_type": "vit", "hidden_size": 32,
        "num_attention_heads": 2, "architectures": ["'"${pair%%:*}"'"]}'
    refuses "config.json beside it: \"${pair%%:*}\" cannot be run here: ${pair#*:}"
done
beside config.json '{"model_type": "dinov3_vit", "hidden_size": 32,
    "num_attention_heads": 2, "architectures": ["DINOv3ViTModel"]}'
refuses 'config.json beside it: "DINOv3ViTModel", the tensors are others'
# feature maps that no norm has been over; a head that the library leaves out
beside config.json '{"model_type": "vit", "hidden_size": 32,
    "num_attention_heads": 2, "architectures": ["Dinov2Backbone"],
    "apply_layernorm": false}'
refuses 'config.json beside it: "apply_layernorm" false cannot be done here'
beside config.json '{"model_type": "vit", "backbone_config": {"hidden_size": 32,
    "num_attention_heads": 2, "apply_layernorm": false}}'
refuses 'config.json beside it: "apply_layernorm" false cannot be done here'
beside config.json '{"model_type": "vit", "hidden_size": 32,
    "num_attention_heads": 2, "architectures": ["Dinov2Model"],
    "apply_layernorm": false}'
run 0 inspect "$weights"
# maps of layers before the last alone; of it among others
for pair in 1:'"out_features": ["stage1"]' 1:'"out_indices": [2, 1]' \
    1:'"out_features": [1]' 0:'"out_features": ["stage1", "stage2"]' \
    0:'"out_indices": [-1]' 0:'"out_indices": [1, 2]' 0:'"out_indices": null'; do
    beside config.json '{"model_type": "vit", "hidden_size": 32,
        "num_attention_heads": 2, "architectures": ["Dinov2Backbone"],
        '"${pair#*:}}"
    if test "${pair%%:*}" = 0; then
        run 0 inspect "$weights"
    else
        refuses '"out_features" without the last layer cannot be done here'
    fi
done
alone hf_siglip/model.safetensors
sed 's/"vision_use_head": true/"vision_use_head": false/' \
    "$models/hf_siglip/config.json" >m/config.json
refuses 'config.json beside it: "vision_use_head" is false, the tensors show'
# what older files of CLIP's have behind the name counts, whole
alone hf_clip/model.safetensors
while IFS='|' read -r type activation eps; do
    beside config.json '{"model_type": "'"$type"'", "vision_config":
        {"hidden_size": 32, "num_attention_heads": 4, "hidden_act":
        "gelu_new", "layer_norm_eps": 0.25}, "vision_config_dict":
        {"hidden_size": 32, "num_attention_heads": 2, "hidden_act": "gelu"}}'
    run 0 inspect "$weights" --json i.json
    holds i.json known.activation.value "known.norm epsilon.value"
    printf '"%s"\n' "$activation" "$eps" | cmp -s - values ||
        { fail "vision_config_dict in $type:"; cat values; }
done <<EOF
clip|gelu|1e-05
llava|gelu_tanh|0.25
EOF
alone hf_vit/model.safetensors
# by the type alone where no class is named
beside config.json '{"model_type": "dinov3_vit", "hidden_size": 32,
    "num_attention_heads": 2}'
refuses 'config.json beside it: "DINOv3ViTModel", the tensors are others'
alone hf_dinov3/model.safetensors
beside config.json '{"model_type": "dinov3_vit", "hidden_size": 32,
    "num_attention_heads": 2, "architectures": ["DINOv3ViTModel"],
    "use_gated_mlp": true, "hidden_act": "gelu"}'
refuses 'config.json beside it: "hidden_act" "gelu" cannot be done here'
alone timm_eva02/model.safetensors
beside config.json '{"architecture": "vit_base_patch16_224",
    "model_args": {"embed_dim": 32, "depth": 2}}'
refuses 'has learned positions alone, the tensors are others'
alone timm_gap.safetensors
while IFS='|' read -r json words; do
    beside config.json "{$json}"
    refuses "config.json beside it: $words"
done <<EOF
"architecture": "vit_large_patch16_sapiens2"|"vit_large_patch16_sapiens2" has 24 layers of width 1024, the tensors are others
"architecture": "vit_tiny_patch16_sapiens2"|"vit_tiny_patch16_sapiens2" cannot be run here: an unknown Sapiens2
"architecture": "vit_pe_core_tiny_patch16_384"|"vit_pe_core_tiny_patch16_384" has 12 layers of width 192, the tensors are others
"architecture": "vit_small_patch16_dinov3", "model_args": {"embed_dim": 32, "depth": 2}|"vit_small_patch16_dinov3" has rotary centred theta=100 axes=hw layout=halves, the tensors are others
"architecture": "vit_so150m_patch16_reg4_map_256"|"vit_so150m_patch16_reg4_map_256" cannot be run here: attention pooling
"architecture": "vit_relpos_base_patch16_224"|"vit_relpos_base_patch16_224" has 12 layers of width 768, the tensors are others
"architecture": "vit_base_patch16_224"|"vit_base_patch16_224" has 12 layers of width 768, the tensors are others
"architecture": "x", "global_pool": "avgmax"|"global_pool" "avgmax" cannot be done here
"architecture": "x", "global_pool": "map"|"global_pool" "map" cannot be done here
"architecture": "x", "model_args": {"global_pool": "max"}|"global_pool" "max"
"architecture": "x", "model_args": {"pool_include_prefix": true}|"pool_include_prefix" of "model_args" cannot
"architecture": "x", "model_args": {"img_size": [24, 32]}|expected a crop of 24 pixels, which the model's positions are for, found 24x32
"architecture": "x", "model_args": {"img_size": [24]}|expected the sides of an image
"architecture": "x", "pretrained_cfg": {"input_size": [3, 24, 32]}|expected a crop of 24 pixels, which the model's positions are for, found 24x32
"architecture": "x", "pretrained_cfg": {"label_offset": 1}|"label_offset" cannot be done here
"architecture": "x", "pretrained_cfg": {"input_size": [3, 30, 30]}|expected a crop of 24 pixels, which the model's positions are for, found 30
EOF
# mean and std: one number is every channel's, 0 as if it was not there
while IFS='|' read -r json mean from; do
    beside config.json '{"architecture": "x", "model_args": {"num_heads": 2},
        "global_pool": "avg", "pretrained_cfg": {'"$json"', "std": 0.25}}'
    run 0 inspect "$weights" --json i.json
    holds i.json known.mean.value known.mean.from known.std.value
    printf '"%s"\n' "$mean" "$from" "0.25 0.25 0.25" | cmp -s - values ||
        { fail "timm's $json:"; cat values; }
done <<EOF
"mean": 0.125|0.125 0.125 0.125|config.json
"mean": 0|0.5 0.5 0.5|guess
"mean": [0, 0, 0]|0 0 0|config.json
EOF
# what an architecture has and its arguments turn off, and gates
turned='"model_args": {"embed_dim": 32, "num_heads": 2'
alone timm_eva02/model.safetensors
beside config.json '{"architecture": "eva02_base_patch14_224", '"$turned"',
    "depth": 2, "use_rot_pos_emb": false}}'
refuses 'config.json beside it: "use_rot_pos_emb" false of "model_args" cannot'
beside config.json '{"architecture": "eva02_base_patch14_224", '"$turned"',
    "depth": 2, "rope_rotate_half": false, "act_layer": "silu"}}'
run 0 inspect "$weights"
beside config.json '{"architecture": "eva02_base_patch14_224", '"$turned"',
    "depth": 2, "act_layer": "gelu"}}'
refuses 'config.json beside it: "act_layer" "gelu" cannot be done here as a gate'
alone timm_dinov3/model.safetensors
sed 's/"model_args": *{/&"rope_rotate_half": false, /' \
    "$models/timm_dinov3/config.json" >m/config.json
refuses 'config.json beside it: "rope_rotate_half" false of "model_args" cannot'
# a gate that the architecture has not is a class given by hand, and a pooling
# that is off anybody's
alone timm_swiglu.safetensors
beside config.json '{"architecture": "vit_base_patch16_224", '"$turned"',
    "depth": 2, "global_pool": ""}}'
run 0 inspect "$weights" --json i.json
holds i.json known.activation.value known.activation.guessed \
    known.pooling.value known.pooling.guessed known.norms.guessed
printf '"swiglu"\ntrue\n"class"\ntrue\nfalse\n' | cmp -s - values ||
    { fail "a gate given by hand:"; cat values; }
alone timm_gap.safetensors
# transformers' wrapper of timm's models; names by their indices
beside config.json '{"model_type": "timm_wrapper", "architecture": "x",
    "global_pool": "avg", "model_args": {"num_heads": 2},
    "label_names": {"1": "bee", "0": "ant", "2": "cow", "3": "dog", "4": "eel"},
    "pretrained_cfg": {"mean": [0.1, 0.2, 0.3]}}'
run 0 inspect "$weights" --json i.json
holds i.json known.pooling.from known.mean.value known.heads.from
printf '"config.json"\n"0.1 0.2 0.3"\n"metadata"\n' | cmp -s - values ||
    { fail "the wrapper of timm:"; cat values; }
run 0 classify --model "$weights" a.png
grep -q 'ant\|bee\|cow\|dog\|eel' out || fail "names by index are not read"

# ---- Gemma 4's tower: what of it is another one

# swapped A B: names of tensors, as long as each other
swapped() {
    LC_ALL=C sed "s/\"$1\"/\"@\"/; s/\"$2\"/\"$1\"/; s/\"@\"/\"$2\"/" \
        "$models/timm_gemma4/model.safetensors" >"$weights"
    cmp -s "$models/timm_gemma4/model.safetensors" "$weights" &&
        fail "$1 and $2 are not swapped"
}
alone timm_gemma4/model.safetensors
layer=encoder.blocks
swapped $layer.2.attn.o_proj.output_min $layer.2.attn.o_proj.output_max
refuses 'o_proj.output_min": expected a range, found'
alone timm_gemma4/model.safetensors
run 1 inspect "$weights" --image-size 84
says err 'position_embedding_table": expected the positions of 21 rows and 21'
run 0 convert "$weights" -o m/converted.safetensors
run 0 inspect m/converted.safetensors
run 1 inspect m/converted.safetensors --image-size 32
says err 'positions that were taken from a table are not resized, found 32'
while IFS='|' read -r args words; do
    beside config.json '{"architecture": "gemma4_vit_167m", "num_features": 32,
        "model_args": {"embed_dim": 32, "depth": 3, '"$args"'}}'
    refuses "config.json beside it: $words"
done <<END
"encoder_pool": "soft"|"encoder_pool" "soft" cannot be done here
"rope_theta": 10000|"rope_theta" of "model_args" cannot be done here
"global_pool": "soft"|"global_pool" "soft" cannot be done here
END

# Its encoder pools squares of patches, which have to be whole.
alone timm_gemma4_soft/model.safetensors
cp "$models/timm_gemma4_soft/config.json" m/
run 0 inspect "$weights" --image-size 36
run 1 inspect "$weights" --image-size 20
says err 'config.json: "pooling_kernel_size": expected rows and columns of patches that 3 divides, found 5 x 5'
sed 's/"model_args": *{/&"pooling_kernel_size": 4, /' \
    "$models/timm_gemma4_soft/config.json" >m/config.json
refuses '"pooling_kernel_size": expected rows and columns of patches that 4 divides, found 6 x 6'
# Of transformers' names too, alone and with a processor.
alone hf_gemma4/model.safetensors
cp "$models/hf_gemma4/config.json" config.gemma4
while IFS='|' read -r edit words; do
    sed "$edit" config.gemma4 >m/config.json
    cmp -s config.gemma4 m/config.json && fail "$edit changes nothing"
    refuses "config.json beside it: $words"
done <<END
s/gelu_pytorch_tanh/silu/|"hidden_activation" "silu" cannot be done here as a gate
s/"axial"/"linear"/|"rope_type" "linear" cannot be done here
s/"use_clipped_linears": true/"use_clipped_linears": false/|"use_clipped_linears" is false, the tensors show otherwise
s/"standardize": false/"standardize": true/|"standardize" is true, the tensors show otherwise
END
cp config.gemma4 m/config.json
soft='"do_normalize": false, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]'
while IFS='|' read -r numbers words; do
    beside preprocessor_config.json "{$soft, $numbers}"
    refuses "preprocessor_config.json beside it: $words"
done <<END
"max_soft_tokens": 70, "patch_size": 4|"max_soft_tokens", "pooling_kernel_size": expected
"max_soft_tokens": 70, "pooling_kernel_size": 2, "patch_size": 8|"patch_size" is 8, the tensors are for patches of 4
"max_soft_tokens": 70, "pooling_kernel_size": 2, "patch_size": 4, "resample": 1|"resample" 1 (lanczos) cannot
END
beside preprocessor_config.json "{$soft, \"max_soft_tokens\": 71,
    \"pooling_kernel_size\": 2, \"patch_size\": 4}"
refuses 'config.json: "pooling_kernel_size": expected rows and columns of patches that 3 divides, found 16 x 16'
beside preprocessor_config.json "{$soft, \"max_soft_tokens\": 41,
    \"pooling_kernel_size\": 3, \"patch_size\": 4}"
run 0 inspect "$weights"
says out 'image size      72'
run 1 inspect "$weights" --strict-model
says err 'crop'
# what no file says is a side of whole squares
rm m/preprocessor_config.json
run 0 inspect "$weights" --json i.json
holds i.json "known.image size.guessed" "known.image size.value"
printf 'true\n"48"\n' | cmp -s - values || { fail "Gemma 4:"; cat values; }
alone hf_gemma4/model.safetensors
rm m/config.json

# What others keep under a key of ours changes nothing.
for said in '' ', "pixels": "rgb"' ', "position_table": "x"'; do
    "$fixture" model m/plain.safetensors 3 '{"num_heads": "2"'"$said"'}' ||
        fail "no model"
    "$fixture" image m/a.png 30 40 1 || fail "no image"
    run 0 classify --model m/plain.safetensors m/a.png --csv said.csv
    test -n "$said" || cp said.csv unsaid.csv
    cmp -s said.csv unsaid.csv || fail "metadata of others: $said"
done

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

#!/bin/sh
# SPDX-License-Identifier: MIT
# tomerge convert as its user meets it, and what inspect says of containers.
. "${srcdir:-.}/tests/guard.sh"
case $srcdir in /*) ;; *) srcdir=$(cd "$srcdir" && pwd -P) ;; esac
. "${srcdir:-.}/tests/command.sh"
models=$srcdir/tests/fixtures/models

# ---- every container, there and back

for pair in "model.pth:PyTorch zip" "stream.bin:PyTorch stream" "model.npz:npz" \
    "model.gguf:GGUF" "model.safetensors.index.json:index of shards"; do
    file=$models/${pair%%:*}
    run 0 inspect "$file"
    grep -q "^container  *${pair#*:}\$" out || { fail "inspect $file:"; cat out; }
    sed '/^model\|^container\|^  names\|^  .*from  /d' out >before
    run 0 convert "$file" -o out.safetensors
    lines out 0
    lines err 0
    run 0 inspect out.safetensors
    grep -q '^container  *safetensors$' out || { fail "not converted:"; cat out; }
    sed '/^model\|^container\|^  names\|^  .*from  /d' out >after
    cmp -s before after || { fail "$file is another model now:"; diff before after; }
    run 0 convert "$file" -o again.safetensors
    cmp -s out.safetensors again.safetensors || fail "$file: not the same twice"
done
run 0 inspect "$models/model.pth"
grep -q '^  names after  *state_dict\.module\.$' out || fail "no prefix in inspect"
run 0 inspect "$models/model.pth" --json i.json
holds i.json container wrapper
printf '"PyTorch zip"\n"state_dict.module."\n' | cmp -s - values ||
    { fail "inspect --json:"; cat values; }

# ---- dtypes

size() { wc -c <"$1"; }
run 0 convert "$models/model.npz" -o f16.safetensors
run 0 convert "$models/model.npz" -o f32.safetensors --dtype f32
run 0 convert "$models/model.npz" -o bf16.safetensors --dtype=bf16
test "$(size f32.safetensors)" -gt $(($(size f16.safetensors) * 17 / 10)) ||
    fail "f16 is not smaller than f32"
says bf16.safetensors '"BF16"'
says f16.safetensors '"F16"'
run 0 convert "$models/model.npz" -o int8.safetensors --dtype int8
says int8.safetensors '"blocks.0.attn.qkv.weight_scale":{"dtype":"F32"'
says int8.safetensors '"I8"'
run 0 convert "$srcdir/tests/fixtures/layouts/open_clip.safetensors" \
    -o clip.safetensors --text-embeddings \
    "$srcdir/tests/fixtures/layouts/open_clip_texts.npy" --image-size 24
run 0 inspect clip.safetensors
grep -q '^classes  *[1-9]' out || { fail "no classes:"; cat out; }
grep -q '^image size  *24$' out || { fail "not resized:"; cat out; }

# ---- refused

run 2 convert
run 2 convert a.pth b.pth -o c
run 2 convert "$models/model.npz"
says err "give --output FILE"
run 2 convert "$models/model.npz" -o -
says err "standard output"
run 2 convert "$models/model.npz" -o x --dtype int4
says err "'int4' is not one of f32, f16, bf16, int8"
run 2 convert "$models/model.npz" -o x --r 8
run 1 convert absent.pth -o x
says err "absent.pth: cannot open: No such file or directory"
lines err 1
run 1 convert "$srcdir/tests/fixtures/torch/module.pth" -o x
says err 'it uses "torch.nn.modules.linear.Linear"'
lines err 1
run 1 convert "$models/model.npz" -o absent/x
says err "cannot create: No such file or directory"
test ! -e x || fail "a refused model was written"
ls | grep part- && fail "a part was left"

run 0 convert --help
says out "usage: tomerge convert"
exit $status

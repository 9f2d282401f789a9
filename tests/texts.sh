#!/bin/sh
# SPDX-License-Identifier: MIT
# Classes by their names: --classes, --template, --tokenizer, against the
# embeddings that the models' own libraries make of the same texts.
. "${srcdir:-.}/tests/guard.sh"
texts=$(cd "${srcdir:-.}/tests/fixtures/texts" && pwd -P) || exit 99
. "${srcdir:-.}/tests/command.sh"

"$fixture" image a.png 60 50 1 || fail "no image"
hf=$texts/hf_clip/model.safetensors
open=$texts/open_clip/open_clip_model.safetensors

printf 'dog\ncat\n' >names
"$tomerge" classify --model "$hf" --classes names a.png >out 2>err
if grep -q 'built without utf8proc' err; then
    run 1 classify --model "$hf" --classes names a.png
    lines err 1
    test "$status" = 0 && skip "built without utf8proc"
fi

# alike A B: the same four classes, as likely within 1e-4.
alike() {
    answers "$1" >mine
    answers "$2" >theirs
    test "$(wc -l <mine)" = 8 && paste mine theirs | awk '
        { d = $1 - $2 } d > 1e-4 || d < -1e-4 || NF != 2 { exit 1 }'
}
answers() {
    grep -o '"probability": *[0-9.]*\|"index": *[0-9]*' "$1" | sed 's/.*: *//'
}

# The first texts of expected.json as they are, and the original's embeddings
# of them, give the same answer.
cat >first <<'EOT'
a photo of a dog
it's the owl's
they've, we'll, I'd, I'M!
A PHOTO OF A ZEBRA
EOT
for model in hf_clip hf_siglip; do
    run 0 classify --model "$texts/$model/model.safetensors" a.png -k 4 \
        --classes first --json texts.json
    run 0 classify --model "$texts/$model/model.safetensors" a.png -k 4 \
        --text-embeddings "$texts/$model/first.npy" --json given.json
    alike texts.json given.json || { fail "$model:"; paste mine theirs; }
    grep -q "it's the owl's" texts.json || fail "$model: no name"
done

# SigLIP 2 for one size: lower case is what it was trained on, and a guess.
fixed=$texts/hf_siglip2_fixed
run 0 classify --model "$fixed/model.safetensors" a.png -k 4 --classes first \
    --tokenizer "$texts/hf_siglip2" --json texts.json
says err "text lower case as \"do_lower_case\" says"
run 0 classify --model "$fixed/model.safetensors" a.png -k 4 \
    --text-embeddings "$fixed/first.npy" --json given.json
alike texts.json given.json || { fail "SigLIP 2:"; paste mine theirs; }

# What transformers' configuration of it says is done, or refused.
mkdir gemma
cp "$texts"/hf_siglip2/token* gemma
told=$texts/hf_siglip2/tokenizer_config.json
gemma() {
    sed "$1" "$told" >gemma/tokenizer_config.json
    cmp -s "$told" gemma/tokenizer_config.json && fail "$1 changes nothing"
    run 1 classify --model "$fixed/model.safetensors" a.png --classes first \
        --tokenizer gemma
    says err "$2"
    lines err 1
}
gemma 's/"right"/"left"/' 'pads texts on their left ("padding_side")'
gemma '/padding_side/d' 'pads texts on their left ("padding_side")'
gemma '/"add_bos_token"/s/false/true/' '"add_eos_token" is not as in tokenizer'
gemma '/"add_eos_token"/s/true/false/' '"add_eos_token" is not as in tokenizer'
sed '/do_lower_case/d' "$told" >gemma/tokenizer_config.json
run 0 classify --model "$fixed/model.safetensors" a.png -k 4 --classes first \
    --tokenizer gemma --json kept.json
grep -q 'lower case' err && fail "lower case where nothing says it"
alike kept.json given.json && fail "lower case does nothing"
printf '\n\016' >gemma/tokenizer.model
rm gemma/tokenizer.json gemma/tokenizer_config.json
run 1 classify --model "$fixed/model.safetensors" a.png --classes first \
    --tokenizer gemma
says err "tokenizer.model: SentencePiece's own format is not read"

# A template stands around the names; of several the mean is taken.
run 0 classify --model "$hf" a.png --classes names --json one.json \
    --template 'a photo of a {}'
printf 'a photo of a dog\na photo of a cat\n' >whole
run 0 classify --model "$hf" a.png --classes whole --json other.json
grep -o '"probability": *[0-9.]*' one.json >mine
grep -o '"probability": *[0-9.]*' other.json >theirs
cmp -s mine theirs || fail "a template: $(cat mine theirs)"
run 0 classify --model "$hf" a.png --classes names --json two.json \
    --template 'a photo of a {}' --template 'the {}, a {}!'
grep -o '"probability": *[0-9.]*' two.json >mine
cmp -s mine theirs && fail "the second template does nothing"
run 0 classify --model "$hf" a.png --classes names --json again.json \
    --template 'a photo of a {}' --template 'a photo of a {}'
grep -o '"probability": *[0-9.]*' again.json >mine
cmp -s mine theirs || fail "twice the same template: $(cat mine theirs)"

# The tokenizer of another folder, and open_clip's own list.
run 0 classify --model "$hf" a.png --classes whole --json pair.json \
    --tokenizer "$texts/clip_pair"
cmp -s pair.json other.json || fail "vocab.json and merges.txt"
run 0 classify --model "$open" a.png --classes names \
    --tokenizer "$texts/open_clip/bpe.txt.gz"
says out "dog"

# folders are found by the classes' names
mkdir -p tree/cat tree/dog
"$fixture" image tree/cat/a.png 40 40 2
"$fixture" image tree/dog/b.png 40 40 3
run 0 eval --model "$hf" --classes names tree --r 1 --json e.json
grep -qi 'class name' e.json || { fail "labels by:"; grep -i label e.json; }
run 0 eval --model "$hf" --classes names tree --resume journal
run 2 eval --model "$hf" --classes names tree --resume journal \
    --template 'the {}'
says err "begun with other embeddings of --classes"

# what is too long is cut, and said to be
printf 'dog\n%0200d\n' 1 >long
run 0 classify --model "$hf" a.png --classes long
says err "1 of 2 texts are longer than the 24 tokens that the model takes"

# what nothing says is refused: a tokenizer, the number of heads
mkdir bare
cp "$hf" bare/model.safetensors
run 1 classify --model bare/model.safetensors a.png --classes names \
    --tokenizer "$texts/hf_clip"
says err "the number of heads of its text tower is not known"
cp "$texts/hf_clip/config.json" bare
run 1 classify --model bare/model.safetensors a.png --classes names
says err "expected a tokenizer beside it, tokenizer.json or vocab.json with"
lines err 1
run 0 classify --model bare/model.safetensors a.png --classes names \
    --tokenizer "$texts/hf_clip/tokenizer.json"
sed 's/"layer_norm_eps": [^,]*/"layer_norm_eps": -1/' \
    "$texts/hf_clip/config.json" >bare/config.json
run 1 classify --model bare/model.safetensors a.png --classes names \
    --tokenizer "$texts/hf_clip/tokenizer.json"
says err '"layer_norm_eps" of its text tower: expected a number between 0 and 1'
lines err 1

# layers that the library leaves out, and what older files have in place
while IFS='|' read -r edit words; do
    sed "$edit" "$texts/hf_clip/config.json" >bare/config.json
    cmp -s "$texts/hf_clip/config.json" bare/config.json &&
        fail "$edit changes nothing"
    run 1 classify --model bare/model.safetensors a.png --classes names \
        --tokenizer "$texts/hf_clip/tokenizer.json"
    says err "config.json beside it: $words"
    lines err 1
done <<'EOT'
/"text_config"/,/}/s/"num_hidden_layers": 2/"num_hidden_layers": 1/|num_hidden_layers of its text tower is not 2, as in the weights
s/"model_type": "clip",/& "text_config_dict": {"hidden_size": 32},/|hidden_size of its text tower is not 16, as in the weights
EOT

# open_clip's arguments of torch's layers
mkdir told
cp "$texts"/open_clip/* told
while IFS='|' read -r json words; do
    sed 's/"text_cfg": *{/&'"$json"', /' \
        "$texts/open_clip/open_clip_config.json" >told/open_clip_config.json
    cmp -s "$texts/open_clip/open_clip_config.json" \
        told/open_clip_config.json && fail "$json changes nothing"
    run 1 classify --model told/open_clip_model.safetensors a.png \
        --classes names
    says err "open_clip_config.json beside it: $words"
    lines err 1
done <<'EOT'
"norm_kwargs": {"elementwise_affine": false}|"elementwise_affine" of "norm_kwargs" cannot be done here
"norm_kwargs": {"eps": 1e-6, "bias": false}|"bias" of "norm_kwargs" cannot
"act_kwargs": {"inplace": true}|"inplace" of "act_kwargs" cannot be done here
"act_kwargs": {"approximate": "sigmoid"}|"approximate" "sigmoid" of "act_kwargs"
"hf_model_name": "roberta-base"|"hf_model_name" of "text_cfg" cannot be done
EOT

# wrong use
run 2 classify --model "$hf" a.png --classes names --template 'a photo'
says err "expected a text with {} in it"
run 2 classify --model "$hf" a.png --template 'a {}'
says err "--template is of --classes"
run 2 classify --model "$hf" a.png --tokenizer "$texts/clip_pair"
says err "--tokenizer is of --classes"
run 2 classify --model "$hf" a.png --classes names --head nowhere
says err "takes the place of --head"
run 1 classify --model "$hf" a.png --classes nowhere
says err "nowhere: No such file"
printf 'dog\n\ncat\n' >gap
run 1 classify --model "$hf" a.png --classes gap
says err "line 2: expected the name of a class"
printf 'dog\n\377\n' >latin
run 1 classify --model "$hf" a.png --classes latin
says err "expected UTF-8"
run 1 classify a.png --classes names
says err "expected a text tower"

# inspect says what the text tower is and from where, or what it lacks
run 0 inspect --model "$hf"
says out "text layers     2"
says out "  pooling       first 578"
run 0 inspect --model "$hf" --json facts.json --quiet
says facts.json '"context": 24'
says facts.json '"text heads": {'
run 0 inspect --model "$open"
says out "text tower      "
run 0 inspect
test "$(grep -c text out)" = 0 || fail "a text tower where there is none"
exit $status

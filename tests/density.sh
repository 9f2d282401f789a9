#!/bin/sh
# SPDX-License-Identifier: MIT
# density: what pictures are worth is what the equations say, for any batch and
# threads, in one run or several; its reports, its map, and what is refused.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

bytes=$srcdir/tests/fixtures/bytes
case $bytes in /*) ;; *) bytes=$build/$bytes ;; esac

# ---- against the equations

for model in relu swiglu gelu; do
    mkdir $model
    cp "$bytes/${model}"_[01].png $model
    run 0 density --model "$bytes/$model.safetensors" $model --csv $model.csv \
        --json $model.json
    grep "^$model" "$bytes/worth.csv" | sort >wanted
    sed 1d $model.csv | cut -d, -f2,4 | sort >found
    paste -d, wanted found | awk -F, '
        { d = $2 - $4; if (d < 0) d = -d
          if ($1 != $3 || d > 2e-6) exit 1 }
        END { exit NR != 2 }' || { fail "$model:"; paste wanted found; }
    awk -F, 'NR > 2 && $4 < last { exit 1 } { last = $4 }' $model.csv ||
        fail "$model: not ranked"
    # A PNG of noise is larger than its pixels.
    awk -F, 'NR > 1 && !($5 > 8 && $5 < 40) { exit 1 }' $model.csv ||
        fail "$model: as PNG"
done
holds gelu.json images refused bits_per_byte.mean bits_per_byte.p50 \
    png_bits_per_byte.mean classes.0.images ranked.1.rank model.parameters
sed 1q values | grep -qx 2 || fail "images: $(cat values)"

# ---- the same numbers however it is run

mkdir -p many/a many/b
for i in 1 2 3 4 5 6 7 8 9; do
    "$fixture" image many/a/$i.png 4 4 $i
    "$fixture" image many/b/$i.png $((i + 2)) 9 $((i + 20))
done
model=$bytes/gelu.safetensors
run 0 density -q --model "$model" many --csv many.csv --json -
run 0 density -q --model "$model" many --csv again.csv --batch 1 --threads 1
cmp -s many.csv again.csv || fail "other numbers in batches of one"
run 0 density -q --model "$model" many --csv again.csv --batch 7 --threads 3
cmp -s many.csv again.csv || fail "other numbers in batches of seven"
lines many.csv 19
find many -name '*.png' | sort >names
run 0 density -q --model "$model" --list names --csv listed.csv
sed 's,many/,,g' listed.csv | cmp -s - many.csv || fail "other numbers by list"
if tool tar; then
    tar -cf many.tar -C many a b
    run 0 density -q --model "$model" many.tar --csv tar.csv
    sort many.csv >one
    sort tar.csv >other
    cmp -s one other || fail "other numbers from an archive"
fi
for type in bf16 int8; do
    run 0 density -q --model "$model" many --csv $type.csv --dtype $type
    sort -t, -k2,2 $type.csv >one
    sort -t, -k2,2 many.csv | paste -d, one - | awk -F, '
        $4 != "bits_per_byte" { d = $4 - $9; if (d > 0.3 || d < -0.3) exit 1 }
        ' || fail "$type is not near f32"
done

# ---- merging in the past

run 0 density -q --model "$model" gelu --csv merged.csv --window 4 --group 2 \
    --json merged.json
holds merged.json gmacs window group
cp values merged.values
holds gelu.json gmacs
awk 'NR == FNR { if (FNR == 1) merged = $1; next } { exit merged >= $1 }' \
    merged.values values || fail "merging takes no less"
run 0 density -q --model "$model" gelu --csv same.csv --window 16 --group 2
cmp -s gelu.csv same.csv || fail "a window that nothing leaves"
cmp -s gelu.csv merged.csv && fail "nothing has merged"

# ---- gone on with

run 0 density -q --model "$model" many --csv whole.csv --resume journal
cmp -s many.csv whole.csv || fail "other numbers with a journal"
lines journal 19
size=$(wc -c <journal)
for part in 1 2 3 4; do
    head -c $((size * part / 5)) journal >cut
    run 0 density -q --model "$model" many --csv whole.csv --resume cut
    cmp -s many.csv whole.csv || fail "other numbers gone on with ($part)"
    # But for the command, in which the journal has another name.
    sed 1d cut >rest
    sed 1d journal | cmp -s - rest || fail "another journal ($part)"
done
run 1 density -q --model "$model" many/a --resume journal
says err "it is about"
run 1 density -q --model "$bytes/relu.safetensors" many --resume journal
says err "it is about"
run 1 density -q --model "$model" many --resume many.csv
says err "it is about"
lines many.csv 19
printf 'a note of mine' >note
run 1 density -q --model "$model" many --resume note
says err "it is about"
test "$(cat note)" = 'a note of mine' || fail "a file of one line is lost"
head -c 9 journal >cut
run 0 density -q --model "$model" many --csv whole.csv --resume cut
sed 1d cut >rest
sed 1d journal | cmp -s - rest || fail "another journal than from its first line"

# ---- the map

run 0 density -q --model "$model" many/a/1.png --map map.png
test "$(od -An -tu1 -j16 -N8 map.png | tr -d ' ')" = 00100010 ||
    fail "the map is not 256 x 256"
run 2 density -q --model "$model" many/a --map two.png
says err "--map is of one image"
run 2 density -q --model "$model" many/a/1.png --map map.png --resume new
says err "--map and --resume"
test ! -e two.png && test ! -e new || fail "files of wrong usage"

# ---- the model that is shipped, on the drawings it was trained for

drawn=$build/data/make-images
model=$srcdir/data/density.safetensors
case $model in /*) ;; *) model=$build/$model ;; esac
"$drawn" --count 16 drawn >/dev/null || fail "no drawings"
run 0 density -q --model "$model" drawn --json drawn.json
holds drawn.json bits_per_byte.mean png_bits_per_byte.mean images
awk 'NR == 1 { own = $1 } NR == 2 { png = $1 }
    END { exit !(own < 5.2 && own < png - 1) }' values ||
    fail "the demonstration: $(cat values)"

# ---- what is not finite is no result

norm=local_model.norm.weight
"$fixture" fill "$model" huge.safetensors $norm 3e38 || fail "no such model"
set -- drawn/*/*
run 1 density -q --model huge.safetensors drawn --json huge.json --resume huge
says err "$1: the model's answer is not finite"
says err "none of the 16 images could be used"
test ! -e huge.json || fail "a report of what is not finite"
sed 1d huge | grep -v -x '\[-1,-1\]' && fail "a journal of what is not finite"
run 1 density -q --model huge.safetensors drawn --resume huge
says err "$1: refused, by the journal"
run 1 density -q --model huge.safetensors "$1" --merge 0,4:2
says err "the model's answer is not finite (window 0"
run 1 density -q --model huge.safetensors "$1" --map huge.png
test ! -e huge.png || fail "a map of what is not finite"
model=$bytes/gelu.safetensors
for worth in inf nan; do
    sed "3s/\[[^,]*/[$worth/" journal >other
    run 1 density -q --model "$model" many --resume other
    says err "picture 2 is none of this run's"
done

# ---- refused

"$fixture" image odd.png 5 5 1
run 3 density --model "$bytes/relu.safetensors" odd.png relu/relu_0.png
says err "expected 4 x 6 pixels, which the model is for, found 5 x 5"
run 1 density --model "$bytes/relu.safetensors" odd.png --json none.json
says err "none of the 1 images could be used"
printf 'no picture' >many/a/0.png
run 3 density --model "$model" many --csv again.csv
cmp -s many.csv again.csv || fail "other numbers beside a bad picture"
rm many/a/0.png
run 2 density many
says err "no model: give --model FILE"
run 2 density --model "$model"
says err "PATH... is missing"
run 1 density --model "${bytes%/bytes}/layouts/timm_gap.safetensors" many
says err "expected a model of bytes"
run 1 density --model "$bytes/lucidrains.pt" many
says err "found one of MEGABYTE-pytorch: its tokens are shifted"
run 1 inspect "$model"
says err "a model of bytes (MEGABYTE)"
for command in eval sweep; do
    run 1 $command --model "$model" many
    says err "density --merge is its sweep"
done
run 2 density --model "$model" many/a/1.png --csv many/a/1.png
says err "is the input"
exit $status

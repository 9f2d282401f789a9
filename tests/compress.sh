#!/bin/sh
# SPDX-License-Identifier: MIT
# compress and expand: every pixel, name and place comes back, from the same
# archive for any batch and threads; what is damaged, or another model's, or
# another tier's, gives one line and no wrong picture.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

bytes=$srcdir/tests/fixtures/bytes
demonstration=$srcdir/data/density.safetensors
case $bytes in
    /*) ;;
    *) bytes=$build/$bytes demonstration=$build/$demonstration ;;
esac

# same FOLDER FOLDER: pictures of these names have these pixels
same() {
    (cd "$1" && find . -type f | sort) >names
    (cd "$2" && find . -type f | sort) >others
    cmp -s names others || { fail "names in $2:"; diff names others; }
    while read -r name; do
        "$fixture" same "$1/$name" "$2/$name" || fail "$2/$name differs"
    done <names
}

# ---- there and back

for model in relu swiglu gelu; do
    mkdir $model
    cp "$bytes/${model}"_[01].png $model
    run 0 compress --model "$bytes/$model.safetensors" $model -o $model.tmb
    run 0 expand --model "$bytes/$model.safetensors" $model.tmb -o $model.out
    same $model $model.out
done
model=$bytes/gelu.safetensors
mkdir -p many/a many/b/c
for i in 1 2 3 4 5 6 7 8 9; do
    "$fixture" image many/a/$i.png 4 4 $i
    "$fixture" image many/b/c/$i$i.png 4 4 $((i % 3 * 20))
done
run 0 compress -q --model "$model" many -o many.tmb --json many.json
holds many.json images refused pixel_bytes archive_bytes
test "$(tr '\n' ' ' <values)" = "18 0 864 $(wc -c <many.tmb | tr -d ' ') " ||
    fail "counts: $(cat values)"
run 0 expand -q --model "$model" many.tmb -o many.out --json -
same many many.out

# ---- whatever the batch and the threads

run 0 compress -q --model "$model" many -o again.tmb -b 1 -t 1
cmp -s many.tmb again.tmb || fail "another archive in batches of one"
run 0 compress -q --model "$model" many -o again.tmb -b 5 -t 3
cmp -s many.tmb again.tmb || fail "another archive in batches of five"
for way in "-b 1 -t 1" "-b 7 -t 3" "-b 18 -t 2"; do
    rm -rf again
    run 0 expand -q --model "$model" many.tmb -o again $way
    same many again
done
for type in bf16 int8; do
    rm -rf again
    run 0 compress -q --model "$model" many -o $type.tmb --dtype $type
    run 0 expand -q --model "$model" $type.tmb -o again -b 7
    same many again
done

# A model whose pictures have more rows than products take at once.
mkdir drawn
"$fixture" image drawn/1.png 32 32 1
"$fixture" image drawn/2.png 32 32 40
for type in f32 bf16 int8; do
    rm -rf again
    run 0 compress -q --model "$demonstration" drawn -o $type.tmb --dtype $type
    run 0 expand -q --model "$demonstration" $type.tmb -o again
    same drawn again
done

rm -rf again
run 0 compress -q --model "$model" many -o merged.tmb --window 4 --group 2
run 0 expand -q --model "$model" merged.tmb -o again -b 7
same many again
cmp -s many.tmb merged.tmb && fail "nothing has merged"
run 2 compress -q --model "$model" many -o merged.tmb --window 4
run 2 compress -q --model "$model" many -o merged.tmb --window 4 --group 3

# ---- order, and names below any folder

(cd many && find . -name '*.png' | sort -r) >names
(cd many && "$tomerge" compress -q --model "$model" --list ../names \
    -o ../listed.tmb >/dev/null) || fail "a list"
rm -rf again
run 0 expand -q --model "$model" listed.tmb -o again
same many again
mkdir down
(cd down && "$tomerge" compress -q --model "$model" ../many/a/1.png \
    "$PWD/../many/a/2.png" -o up.tmb >/dev/null) || fail "paths from elsewhere"
rm -rf again
run 0 expand -q --model "$model" down/up.tmb -o again
test -f again/many/a/1.png || fail "a name that led upwards"
find again -name 2.png | grep -q . || fail "a name that led to the root"
run 1 compress -q --model "$model" many/a/1.png ./many/a/1.png -o two.tmb
says err "two pictures would be called 'many/a/1.png'"
test ! -e two.tmb || fail "an archive of two of one name"

# ---- portable archives

run 0 compress -q --portable --model "$model" many -o portable.tmb
run 0 compress -q --portable --cpu scalar --model "$model" many -o again.tmb
cmp -s portable.tmb again.tmb || fail "another portable archive"
for cpu in auto scalar; do
    rm -rf again
    run 0 expand -q --cpu $cpu --model "$model" portable.tmb -o again
    same many again
done

# ---- another model, tier

rm -rf again
sed s,megabyte,megabytE, "$model" >other.safetensors
run 1 expand --model other.safetensors many.tmb -o again
says err "packed with another model, 'gelu.safetensors'"
run 1 expand --model "$bytes/relu.safetensors" many.tmb -o again
says err "another model"
run 0 compress -q --cpu scalar --model "$model" many -o scalar.tmb
run 0 expand -q --cpu scalar --model "$model" scalar.tmb -o scalar.out
same many scalar.out
if ! cmp -s scalar.tmb many.tmb; then
    run 1 expand --model "$model" scalar.tmb -o again
    says err "packed by the kernels of 'scalar'"
    says err "give --cpu scalar"
fi
sed s,arithmetic,arithmetiC, many.tmb >bad.tmb
run 1 expand --model "$model" bad.tmb -o again
says err "its header is damaged"
test ! -e again || fail "a folder for what was refused"

# ---- damage: one line, and what came before

size=$(wc -c <many.tmb)
check_damaged() {
    rm -rf again
    run 1 expand -q --model "$model" bad.tmb -o again -b 4
    lines err 1
    test -d again || return
    (cd again && find . -type f) >names
    while read -r name; do
        "$fixture" same "many/$name" "again/$name" ||
            fail "a wrong picture, $1"
    done <names
    test "$(wc -l <names)" -eq "$(sed -n \
        's/.*: the \([0-9]*\) pictures\{0,1\} before it .*/\1/p' err)" ||
        { fail "not what came before, $1:"; cat err; }
}
for part in 0 1 2 3 5 7 9; do
    head -c $((size * part / 10)) many.tmb >bad.tmb
    check_damaged "cut at $part"
done
head -c $((size - 1)) many.tmb >bad.tmb
check_damaged "cut at the end"
test "$(wc -l <names)" -eq 18 || fail "all pictures are there but the end"
for part in 4 5 6 7 8 9 10; do
    at=$((size * part / 11))
    { head -c $at many.tmb
      tail -c +$((at + 1)) many.tmb | head -c 1 | tr '\000-\377' '\001-\377\000'
      tail -c +$((at + 2)) many.tmb; } >bad.tmb
    check_damaged "byte $at"
done
{ cat many.tmb; echo; } >bad.tmb
check_damaged "more than the end"
for file in "$model" many/a/1.png /dev/null; do
    rm -rf again
    run 1 expand --model "$model" "$file" -o again
    lines err 1
    test ! -e again || fail "a folder of $file"
done

# ---- names that are not to be trusted

for name in ../out.png /tmp.png a/../../b.png a//b.png ./x.png ..; do
    rm -rf again
    "$fixture" rename many.tmb bad.tmb 48 "$name" || fail "rename $name"
    run 3 expand -q --model "$model" bad.tmb -o again
    says err "its name, '$name', leads out of the folder"
    test "$(find again -type f | wc -l)" -eq 17 || fail "the others of $name"
    test ! -e out.png && test ! -e b.png || fail "a picture outside: $name"
done
"$fixture" rename many.tmb bad.tmb 48 a/2.png
rm -rf again
run 3 expand -q --model "$model" bad.tmb -o again
says err "File exists"
"$fixture" same many/a/1.png again/a/2.png || fail "the first of a name stays"

# ---- what is refused

mkdir odd
cp many/a/1.png "$bytes/alpha.png" "$bytes/deep.png" odd
"$fixture" image odd/large.png 5 4 1
head -c 60 many/a/1.png >odd/cut.png
run 3 compress --model "$model" odd -o odd.tmb
says err "alpha.png: it has transparency, which would be lost"
says err "deep.png: it has 16 bits a channel, which would be lost"
says err "large.png: expected 4 x 4 pixels, which the model is for, found 5 x 4"
grep -q "cut.png" err || fail "a cut picture is not named"
run 0 expand -q --model "$model" odd.tmb -o odd.out
test "$(ls odd.out)" = 1.png || fail "not the one that could be used"
rm odd/1.png
echo before >odd.tmb
run 1 compress -q --model "$model" odd -o odd.tmb
test "$(cat odd.tmb)" = before || fail "an archive of nothing"
run 1 expand -q --model "$model" many.tmb -o many.out
says err "many.out: it is not empty"
mkdir empty
run 0 expand -q --model "$model" many.tmb -o empty
run 2 compress --model "$model" many
says err "give --output FILE"
run 2 compress --model "$model" many -o -
run 2 compress --model "$model" many/a/1.png -o many/a/1.png
says err "is the input"
run 2 compress --portable --dtype bf16 --model "$model" many -o again.tmb
run 2 expand --model "$model" many.tmb
says err "give --output FOLDER"
run 2 expand many.tmb -o again
says err "no model"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# embed: the library's features in files that NumPy reads, the same bytes
# however they came about, also by runs that were killed.
. "${srcdir:-.}/tests/guard.sh"
. "$srcdir/tests/killed.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
"$fixture" model bare.safetensors 0 '{"num_heads": "3"}' || fail "no model"
i=100
while test $i -lt 120; do
    for class in a b c; do
        mkdir -p set/$class
        "$fixture" image set/$class/$i.png $((i - 60)) 40 $((i * 7)) ||
            fail "no image"
    done
    i=$((i + 1))
done
model="--model plain.safetensors --quiet"
# rows FILE: what follows the header
rows() { tail -c +129 "$1"; }
# same A B WHAT
same() { cmp -s "$1" "$2" || fail "$3: $1 is not $2"; }

# ---- the library's bits, for any batch and threads

for r in 0 4; do
    "$fixture" embed plain.safetensors $r set/*/*.png >wanted || fail "fixture"
    for with in "--batch 32" "--batch 1 --threads 1" "--batch 7 --threads 2" \
        "--batch 60 --threads 3"; do
        run 0 embed $model --r $r $with set -o out.npy
        rows out.npy >found
        same found wanted "r=$r, $with"
    done
done
(cd set && ls */*.png) >names
same out.txt names "names"
head -c 127 out.npy | tail -c +11 | tr -d ' ' >header
test "$(cat header)" = "{'descr':'<f4','fortran_order':False,'shape':(60,24),}" ||
    test "$(cat header)" = \
        "{'descr':'>f4','fortran_order':False,'shape':(60,24),}" ||
    fail "another header: $(cat header)"
ls out.npy.* 2>/dev/null && fail "something is left beside it"

# Without a head it is the same, and by parts it is the same.
run 0 embed --quiet --model bare.safetensors set -o bare.npy
"$fixture" embed bare.safetensors 0 set/*/*.png >wanted
rows bare.npy >found
same found wanted "without a head"
for part in 1 2 3; do
    run 0 embed $model --r 4 --part $part/3 set -o part$part.npy
done
rows out.npy >wanted
(rows part1.npy; rows part2.npy; rows part3.npy) >found
same found wanted "parts"

# A list, files by name, an archive.
ls set/*/*.png >list
run 0 embed $model --r 4 --list list -o listed.npy
rows listed.npy >found
same found wanted "a list"
same listed.txt list "names of a list"
run 0 embed $model --r 4 set/*/*.png -o named.npy
same named.npy listed.npy "files"
if tool tar; then
    (cd set && tar -cf ../set.tar */*.png)
    run 0 embed $model --r 4 set.tar -o tar.npy
    rows tar.npy >found
    same found wanted "an archive"
fi

# ---- what cannot be embedded, or written

cp -r set bad
echo nonsense >bad/a/105.png
run 3 embed $model --r 4 bad -o bad.npy
says err "bad/a/105.png"
lines bad.txt 59
test "$(wc -c <bad.npy)" -eq $((128 + 59 * 96)) || fail "rows of refused images"
mkdir none && echo nonsense >none/x.png
echo before >none.npy
run 1 embed $model none -o none.npy
says err "none of the 1 images could be used"
test "$(cat none.npy)" = before || fail "nothing took the place of something"
ls none.npy.* 2>/dev/null && fail "nothing left something"
run 2 embed $model set
says err "give --output FILE"
run 2 embed $model set -o -
says err "not written to standard output"
run 2 embed $model --list list -o plain.safetensors
says err "is the input"
cp list x.txt
run 2 embed $model --list x.txt -o x.npy
says err "is the input"
same x.txt list "an input"
run 1 embed $model --embedding projected set -o x.npy
says err "visual_projection.weight"
run 2 embed $model --tokens all set -o x.npy
says err "'all' is not one of merged, restored"
run 2 embed $model --tokens merged --embedding class set -o x.npy
run 2 embed $model --embedding class --tokens merged set -o x.npy
test ! -e x.npy || fail "a refused run wrote"

# ---- killed and gone on with

# The demonstration's model, fewer pictures by scalar kernels; the small one
# under the sanitizers, which are slow enough.
long=set
set -- --model plain.safetensors --r 4 --tokens merged --store f16 --batch 1
if test -z "$SANITIZED"; then
    count=300
    "$tomerge" inspect --cpu | grep -q '^f32 *scalar' && count=100
    "$build/data/make-images" --count $count long || fail "no pictures"
    long=long
    set -- --r 4 --tokens merged --store f16 --batch 3
fi
run 0 embed "$@" $long -o full.npy
for line in 1 2 1 3 1 5 2 1 4 6; do
    dies_in $line killed.npy.journal embed "$@" $long -o killed.npy
    test ! -e killed.npy || fail "rows of a run that was killed"
done
to=$(done_in killed.npy.journal)
run 0 embed "$@" $long -o killed.npy
says err "journal: $to of"
for kind in npy sizes.npy map.npy txt; do
    same killed.$kind full.$kind "killed"
done

# Whatever moment it was: a journal of some lines, the last of them cut, and
# rows beyond it or of no meaning.
set -- $model --batch 4 --tokens restored
run 0 embed "$@" set -o plain.npy
dies_in 4 cut.npy.journal embed "$@" set -o cut.npy
head -n 3 cut.npy.journal >kept
printf '{"from":8,"to"' >>kept
for rest in '' 'rows that no line is about, and more of them'; do
    cp kept cut.npy.journal
    rows plain.npy | head -c $((8 * 17 * 96 + 5)) >some
    (head -c 128 plain.npy; cat some; echo "$rest") >cut.npy.part
    run 0 embed "$@" set -o cut.npy
    same cut.npy plain.npy "cut"
    same cut.txt plain.txt "cut"
done
cp kept cut.npy.journal
echo short >cut.npy.part
run 1 embed "$@" set -o cut.npy
says err "less than the 8 rows that are done"
cp kept cut.npy.journal
run 2 embed "$@" --r 1 set -o cut.npy
says err "embed: cut.npy.journal was begun with --r"
rm cut.npy.part
run 0 embed $model --r 4 set -o cut.npy
rows cut.npy >found
same found wanted "begun anew"

# ---- by NumPy

python=${PYTHON:-python3}
if ! tool "$python" || ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "$name: not tried: reading by NumPy ($python has none)"
    exit $status
fi
run 0 embed $model --r 4 --tokens restored set -o restored.npy
run 0 embed $model --r 4 --tokens merged set -o merged.npy
run 0 embed $model --r 4 --embedding class --normalise set -o unit.npy
run 0 embed $model --r 4 --store f16 set -o half.npy
"$python" - <<'EOT' || fail "NumPy has something else"
import numpy as np
load = lambda name: np.load(name + ".npy", mmap_mode="r")
out, half, unit = load("out"), load("half"), load("unit")
merged, sizes, at = load("merged"), load("merged.sizes"), load("merged.map")
restored, full = load("restored"), load("full")
assert out.shape == (60, 24) and out.dtype == np.float32
assert half.dtype == np.float16 and np.array_equal(half, out.astype("f2"))
norm = np.linalg.norm(out.astype("f8"), axis=1, keepdims=True)
assert np.allclose(unit, out / norm, atol=1e-6)
assert merged.shape == (60, 5, 24) and restored.shape == (60, 17, 24)
assert (sizes.sum(1) == 17).all() and at.shape == (60, 17)
assert np.array_equal(merged[:, 0], out)
assert np.array_equal(np.take_along_axis(merged, at[:, :, None], 1), restored)
count = np.stack([np.bincount(m, minlength=5) for m in at])
assert np.array_equal(count, sizes)
assert full.dtype == np.float16 and full.ndim == 3
EOT
exit $status

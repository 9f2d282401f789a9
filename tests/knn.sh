#!/bin/sh
# SPDX-License-Identifier: MIT
# knn: a NumPy program's answers, class by class, on the demonstration's
# pictures and on arrays; what has no labels, or others, is refused.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

# ---- by hand: four rows known, three asked

array() { # FILE 'ROWS, COLUMNS' TYPE, bytes from standard input
    { printf '\223NUMPY\001\000\166\000'
      printf "%-117s\n" "{'descr': '$3', 'fortran_order': False, 'shape': ($2), }"
      cat; } >"$1"
}
little=no
test "$(printf '\001\000' | od -An -td2 | tr -d ' ')" = 1 && little=yes
if test $little = yes; then
    one='\000\000\200\077' none='\000\000\000\000' minus='\000\000\200\277'
    half='\000\000\000\077'
    printf "$one$none$one$none$none$one$none$minus" | array a.npy '4, 2' '<f4'
    printf "$one$half$none$one$minus$none" | array b.npy '3, 2' '<f4'
    printf 'cat\ndog\ndog\nant\n' >a.labels
    printf 'dog\ndog\nbee\n' >b.labels
    run 0 knn --train a.npy --train-labels a.labels --test b.npy \
        --test-labels b.labels --k 3 --json k.json --predictions k.csv
    # Cat and dog are equally near to the first, and dog has another vote. The
    # last has as much of ant as of dog: the name decides.
    cat >wanted <<EOT
file,label,class1,class2,class3,class4,class5
0,dog,dog,cat,,,
1,dog,dog,cat,,,
2,bee,ant,dog,cat,,
EOT
    cmp -s wanted k.csv || { fail "other answers:"; diff wanted k.csv; }
    holds k.json test.unknown top1 top5 train.classes
    test "$(tr '\n' ' ' <values)" = "1 66.6666667 66.6666667 3 " ||
        fail "counts: $(cat values)"
    printf '\003\000\004\000\004\000\377\377' | array n.npy '4,' '<i2'
    run 0 knn --train a.npy --train-labels n.npy --k 2 --predictions n.csv
    cut -d, -f2-4 n.csv >found
    printf 'label,class1,class2\n3,4,\n4,3,4\n4,3,4\n-1,3,4\n' >wanted
    cmp -s wanted found || { fail "by numbers:"; diff wanted found; }

    # ---- what cannot be

    run 1 knn --train a.npy
    says err "a.txt"
    run 1 knn --train a.npy --train-labels b.labels
    says err "about 3 rows, but there are 4"
    printf 'x\ny\nz\n' >c.labels
    run 1 knn --train a.npy --train-labels a.labels --test b.npy \
        --test-labels c.labels
    says err "no class of b.npy, such as 'x', is one of a.npy, such as 'ant'"
    printf "$one$one$one" | array d.npy '1, 3' '<f4'
    run 1 knn --train a.npy --train-labels a.labels --test d.npy \
        --test-labels d.labels
    says err "d.labels: No such file"
    echo dog >d.labels
    run 1 knn --train a.npy --train-labels a.labels --test d.npy \
        --test-labels d.labels
    says err "d.npy has 3 numbers a row, a.npy has 2"
    run 1 knn --train d.npy --train-labels d.labels
    says err "one row has no others"
    printf "$one$one" | array e.npy '1, 3' '<f4'
    run 1 knn --train e.npy --train-labels d.labels
    says err "it is shorter than its shape: expected 12 bytes"
    printf '\000\000\300\177' | array f.npy '1, 1' '<f4'
    run 1 knn --train f.npy --train-labels d.labels
    says err "row 0 of 1 is not finite"
    for type in '>f4' '<c8' '<i4' 'O'; do
        printf "$one" | array g.npy '1, 1' "$type"
        run 1 knn --train g.npy --train-labels d.labels
        says err "g.npy: "
    done
    for shape in '0, 2' '9223372036854775807, 0' '99999999999, 99999999999'; do
        printf "$one" | array h.npy "$shape" '<f4'
        run 1 knn --train h.npy --train-labels d.labels
        says err "h.npy: "
    done
    cp a.npy kept
    run 2 knn --train a.npy --train-labels a.labels --json a.npy
    says err "is the input"
    cmp -s a.npy kept || fail "an input was written over"
fi
run 2 knn --test x
says err "give --train"
run 1 knn --train nothing
says err "nothing: No such file or directory"

# ---- a NumPy program

python=${PYTHON:-python3}
if ! tool "$python" || ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "$name: not tried: a NumPy program ($python has none)"
    exit $status
fi
"$python" - <<'EOT' || fail "no arrays"
import numpy as np
random = np.random.default_rng(7)
centres = random.normal(size=(9, 31))
for name, count in ("rows", 400), ("asked", 150):
    label = random.integers(0, 9, count)
    x = centres[label] + 1.7 * random.normal(size=(count, 31))
    np.save(name + ".npy", x.astype("f4"))
    np.save(name + "64.npy", x.astype("f4").astype("f8"))
    open(name + ".txt", "w").writelines(
        f"class{c}/{i}.png\n" for i, c in enumerate(label))
EOT
run 0 knn --train rows.npy --test asked.npy --predictions asked.csv \
    --json asked.json
run 1 knn --train rows64.npy --train-labels /dev/null --test asked64.npy
says err "about 0 rows"
cp rows.txt rows64.txt && cp asked.txt asked64.txt
run 0 knn --train rows64.npy --test asked64.npy --predictions asked64.csv
cmp -s asked.csv asked64.csv || fail "f64 is something else than f32"
pairs="asked,rows,asked,20,0.07"
if test -z "$SANITIZED"; then
    count=160
    "$tomerge" inspect --cpu | grep -q '^f32 *scalar' && count=96
    "$build/data/make-images" --count $count train || fail "no pictures"
    "$build/data/make-images" --count $((count / 2)) --seed 5 test ||
        fail "no pictures"
    for set in train test; do
        run 0 embed -q --r 16 $set -o $set.npy
    done
    run 0 knn -q --r 16 --train train --test test --k 7 --temperature 0.2 \
        --predictions images.csv --json images.json
    run 0 knn -q --train train.npy --test test.npy --k 7 --temperature 0.2 \
        --predictions arrays.csv --json arrays.json
    cmp -s images.csv arrays.csv || fail "images are something else than rows"
    run 0 knn -q --r 16 --train train --k 3 --predictions others.csv \
        --json others.json
    pairs="$pairs images,train,test,7,0.2 others,train,train,3,0.07"
fi
"$python" - $pairs <<'EOT' || fail "NumPy says something else"
import csv, json, sys
import numpy as np

def load(name):
    x = np.load(name + ".npy").astype("f8")
    names = open(name + ".txt").read().splitlines()
    return (x / np.linalg.norm(x, axis=1, keepdims=True), names,
            np.array([n.split("/")[0] for n in names]))

for pair in sys.argv[1:]:
    report, train, test, k, temperature = pair.split(",")
    x, _, label = load(train)
    y, names, wanted = load(test)
    classes = np.unique(label)
    close = y @ x.T
    if train == test:
        np.fill_diagonal(close, -np.inf)
    right1 = right5 = 0
    found = list(csv.reader(open(report + ".csv")))[1:]
    assert len(found) == len(y)
    for i, row in enumerate(close):
        near = np.argsort(-row, kind="stable")[: int(k)]
        vote = {}
        for j in near:
            vote[label[j]] = vote.get(label[j], 0) + np.exp(
                row[j] / float(temperature))
        best = sorted(vote, key=lambda c: (-vote[c], c))[:5]
        assert found[i] == [names[i], wanted[i], *best, *[""] * (5 - len(best))]
        right1 += best[0] == wanted[i]
        right5 += wanted[i] in best
    said = json.load(open(report + ".json"))
    assert abs(said["top1"] - 100 * right1 / len(y)) < 1e-6
    assert abs(said["top5"] - 100 * right5 / len(y)) < 1e-6
    assert said["train"]["classes"] == len(classes)
    print(f"{report}: {len(y)} rows, top-1 {said['top1']:.1f} %")
EOT
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Images in archives: the same answers as from a folder, whatever the archive;
# labels in it; names that mean harm; archives cut short.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

grep -q '^#define HAVE_LIBARCHIVE' "$build/config.h" ||
    skip "this build reads no archives"
"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
model="--model plain.safetensors --quiet"
n=0
for class in a b c; do
    mkdir -p val/$class
    for i in 1 2 3 4 5 6; do
        n=$((n + 1))
        "$fixture" image val/$class/$i.png $((30 + 9 * n)) $((90 - 4 * n)) $n ||
            fail "no image"
    done
done
echo "no image" >val/a/notes.txt

# predicted SOURCE OPTION...: its predictions, sorted, in ./found
predicted() {
    run 0 eval $model "$@" --predictions -
    sort out >found
}
predicted val
cp found wanted
# alike SOURCE: the folder's predictions
alike() {
    predicted "$@"
    cmp -s found wanted || { fail "$1 has other predictions:"; diff found wanted; }
}

# ---- kinds of archives, with and without a folder around

(cd val && tar cf ../flat.tar a b c)
tar cf deep.tar val
(cd val && tar cf ../dotted.tar .)
alike flat.tar
alike deep.tar
alike dotted.tar
for kind in gzip bzip2 xz zstd lz4; do
    if command -v $kind >/dev/null; then
        $kind -c <deep.tar >deep.$kind
        alike deep.$kind
    else
        echo "no $kind: not tried"
    fi
done
if command -v zip >/dev/null; then
    zip -qr deep.zip val
    zip -q0r stored.zip val
    alike deep.zip
    alike stored.zip
else
    echo "no zip: not tried"
fi

# In any batch, with any threads, in passes that begin anew.
alike deep.tar --batch 5 --threads 3 --cache-mem 10K
alike deep.tar --batch 1 --threads 1
run 0 sweep $model deep.tar --r 0,4 --json t.json
run 0 sweep $model val --r 0,4 --json v.json
holds t.json runs.0.top1 runs.1.top1 runs.1.agreement
mv values wanted_values
holds v.json runs.0.top1 runs.1.top1 runs.1.agreement
cmp -s values wanted_values || fail "a sweep over an archive differs"
run 0 sweep $model deep.tar --r 0,4 --html page.html
run 0 classify $model deep.tar val/a/1.png
lines out 19
says out "deep.tar/val/a/1.png:"

# A list of labels.
mkdir flat
for class in a b c; do
    for i in 1 2 3 4 5 6; do
        cp val/$class/$i.png flat/$class$i.png
        case $class in a) c=0 ;; b) c=1 ;; c) c=2 ;; esac
        echo "$class$i,$c" >>labels.csv
        cp val/$class/$i.png flat/$class$i.png
    done
done
tar cf unsorted.tar flat
run 0 eval $model flat --labels labels.csv --json f.json
run 0 eval $model unsorted.tar --labels labels.csv --json u.json
holds f.json images top1 top5
mv values wanted_values
holds u.json images top1 top5
cmp -s values wanted_values || fail "labels of an archive differ"

# ---- labels beside the images (WebDataset), over several shards

mkdir shards
for class in a b c; do
    case $class in a) c=0 ;; b) c=1 ;; c) c=2 ;; esac
    for i in 1 2 3 4 5 6; do
        cp val/$class/$i.png shards/$class$i.png
        case $i in
        1) echo "{\"label\": $c, \"caption\": \"x\"}" >shards/$class$i.json ;;
        2) printf '%s' $c >shards/$class$i.cls
           echo '{"label": 9}' >shards/$class$i.json ;;
        *) echo $c >shards/$class$i.cls ;;
        esac
    done
done
(cd shards && tar cf ../shard-08.tar a* && tar cf ../shard-09.tar b* &&
     tar cf ../shard-10.tar c*)
run 0 eval $model 'shard-{08..10}.tar' --json w.json
holds w.json images top1 top5 classes_by
printf '"labels in the archive"\n' >>wanted_values
cmp -s values wanted_values || { fail "shards differ"; cat values; }
run 1 eval $model 'shard-{08..11}.tar'
says err "shard-11.tar"
run 1 eval $model 'shard-{9..8}.tar'
says err "not a range"
rm shards/a3.cls
(cd shards && tar cf ../lacking.tar *)
run 3 eval $model lacking.tar --json w.json
says err "1 images have no label"


# labels that cannot be used are named, where no other file says one
rm shards/a4.cls shards/a5.cls
echo '{"label": 0.0}' >shards/a4.json
echo '{"caption": "x", "class": ["a"], "target": null}' >shards/a5.json
echo '{"label": 0' >shards/a6.json
echo >shards/b2.cls
echo '{"label": 1}' >shards/b2.json
echo >shards/b3.cls
(cd shards && tar cf ../useless.tar *)
run 3 eval $model useless.tar
says err 'useless.tar/a4.json: "label": expected a class'
says err 'useless.tar/a5.json: "class": expected a class'
says err 'useless.tar/b3.cls: expected a class'
says err "4 images have no label"
grep -q 'a6\|b2' err && fail "a label that another file says is named"
run 0 classify $model useless.tar
grep -q expected err && fail "labels are named where none is wanted"
rm shards/a6.cls
(cd shards && tar cf ../useless.tar *)
run 3 eval $model useless.tar
says err 'useless.tar/a6.json: expected JSON'

# ---- a list of files

find val -name '*.png' | sort >list
run 0 eval $model --list list --predictions -
sed 's,^val/,,' out | sort >found
cmp -s found wanted || { fail "a list has other predictions:"; diff found wanted; }
(echo "# all"; cat list; echo) >commented
"$tomerge" eval $model --list - --predictions - <commented >out 2>err ||
    fail "eval --list - fails"
sed 's,^val/,,' out | sort >found
cmp -s found wanted || fail "a list from standard input has other predictions"
(cd val/a && ls *.png) | sed 's,^,val/a/,' >some
echo "val/a/gone.png" >>some
run 3 classify $model --list some
lines out 6
says err "val/a/gone.png: cannot be opened"
find flat -name '*.png' | sort >list
run 0 eval $model --list list --labels labels.csv --json u.json
holds u.json images top1 top5
head -n 3 wanted_values | cmp -s - values || fail "labels of a list differ"
run 2 eval $model --list list val
says err "--list takes the place of FOLDER"
run 2 classify $model
says err "PATH... is missing"

# ---- names that mean harm, links, hidden files: nothing is written or followed

mkdir -p evil/inner/a
cp val/a/1.png evil/inner/a/1.png
cp val/a/2.png evil/inner/a/.hidden.png
ln -s /etc/passwd evil/inner/a/link.png
ln evil/inner/a/1.png evil/inner/a/hard.png
ls >before
tar cf evil.tar -C evil/inner --transform 's,^a/1,../../up,' a 2>/dev/null ||
    tar cf evil.tar -C evil/inner a
run 1 eval $model evil.tar
ls | grep -v -e '^after$' -e '^evil.tar$' -e '^out$' -e '^err$' >after
grep -v -e '^evil.tar$' -e '^out$' -e '^err$' before | cmp -s - after ||
    fail "an archive left something behind"
tar cPf absolute.tar "$scratch/val" 2>/dev/null
alike absolute.tar

# ---- cut short, damaged, not an archive

size=$(wc -c <flat.tar)
head -c $((size / 2)) flat.tar >cut.tar
run 3 classify $model cut.tar
says err "cut.tar: Truncated"
test "$(wc -l <out)" -ge 5 || fail "what came before a cut is lost"
head -c 300 deep.gzip >cut.gz 2>/dev/null
run 1 eval $model cut.gz
lines err 1
head -c 10 flat.tar >short.tar
run 1 eval $model short.tar
says err "not a folder"
: >empty
tar cf none.tar empty
run 1 eval $model none.tar
says err "no images in it"
run 1 eval $model none.tar --labels labels.csv
says err "no images in it"

# ---- a claim of 1 GB in a few bytes

python3 - <<'EOT' || fail "no claim"
import tarfile
member = tarfile.TarInfo("a/1.png")
member.size = 1 << 30
with open("claim.tar", "wb") as file:
    file.write(member.tobuf() + b"\x89PNG" + bytes(508))
EOT
run 1 eval $model claim.tar
says err "Truncated"
test -n "$SANITIZED" || (
    ulimit -v 500000
    "$tomerge" eval $model claim.tar >out 2>err
    test $? = 1 && grep -q Truncated err
) || fail "memory is asked for what is only claimed"

# ---- hard links: the same image under several names

mkdir -p links/a links/b links/c
cp val/a/1.png links/a/1.png
cp val/b/2.png links/b/2.png
cp val/c/3.png links/c/3.png
ln links/a/1.png links/b/9.png
ln links/a/1.png links/c/9.png
ln links/c/3.png links/a/9.png
tar cf links.tar --sort=name -C links a b c 2>/dev/null ||
    tar cf links.tar -C links a b c
tar tvf links.tar | grep -q 'link to' || fail "tar made no hard link"
predicted links
cp found linked
predicted links.tar
lines found 7
cmp -s found linked || { fail "hard links differ"; diff found linked; }
predicted links.tar --batch 1 --threads 3 --cache-mem 10K
cmp -s found linked || fail "hard links differ in windows"
tar cf lost.tar -C links a b/2.png c
tar --delete -f lost.tar a/1.png
run 3 eval $model lost.tar --predictions -
says err "lost.tar/c/9.png: a link to no image before it"

# ---- names that lead out; absolute ones; 10^5 folders

cp val/a/1.png up.png
tar cPf up.tar val/a val/b --transform 's,^val/b/3,../../3,' val/c
run 3 eval $model up.tar --predictions -
lines out 18
says err "3.png: its name leads out of the archive"
test ! -e ../../3.png || fail "a file came out of an archive"
python3 - "$scratch" <<'EOT' || fail "no deep archive"
import io, sys, tarfile
for count, name in ((100000, "deep1.tar"), (100001, "deep2.tar")):
    with tarfile.open(sys.argv[1] + "/" + name, "w") as tar:
        for label in "abc":
            for i in range(1, 7):
                data = open(f"{sys.argv[1]}/val/{label}/{i}.png", "rb").read()
                member = tarfile.TarInfo("x/" * (count if i > 3 else 100000) +
                                         f"{label}/{i}.png")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
EOT
alike deep1.tar
run 1 eval $model deep2.tar
lines err 1

# On disk as far as paths go, which is 2000 folders, with one line.
python3 - "$scratch" <<'EOT' || fail "no deep folder"
import os, sys
os.chdir(sys.argv[1])
os.makedirs("deep/a")
os.link("val/a/1.png", "deep/a/1.png")
os.chdir("deep/a")
for i in range(5000):
    os.mkdir("d")
    os.chdir("d")
EOT
run 3 classify $model deep
lines out 1
lines err 1
says err "File name too long"
rm -r deep

# ---- --max-image: files and members, one line each, and no memory for more

size=$(wc -c <val/a/6.png)
for source in val flat.tar deep.zstd; do
    test -e $source || continue
    run 3 eval $model $source --max-image $((size - 1)) --predictions -
    says err "more than the limit of $((size - 1))"
    says err "a/6.png"
    grep -q '^a/6.png' out && fail "$source: a large image is used"
done
run 0 eval $model val --max-image 1M
run 2 eval $model val --max-image none
mkdir bomb bomb/a bomb/b bomb/c
cp val/a/1.png bomb/a
cp val/b/1.png bomb/b
cp val/c/1.png bomb/c
truncate -s 100M bomb/c/2.png
tar cf - bomb | gzip -1 >bomb.tar.gz
test "$(wc -c <bomb.tar.gz)" -lt 1000000 || fail "the bomb is no bomb"
bombed() {
    if test -n "$SANITIZED"; then
        "$tomerge" eval $model bomb.tar.gz --max-image 1M >out 2>err
    else
        (ulimit -v 500000
         "$tomerge" eval $model bomb.tar.gz --max-image 1M >out 2>err)
    fi
}
bombed
test $? = 3 || { fail "a bomb is no refused image"; cat err; }
says err "bomb.tar.gz/bomb/c/2.png: more than the limit of 1048576 bytes"
lines err 1
# A sparse file claims zeros that are nowhere.
tar -Scf sparse.tar bomb
if test "$(wc -c <sparse.tar)" -lt 1000000; then
    run 3 eval $model sparse.tar
    says err "sparse.tar/bomb/c/2.png: a sparse file"
    lines err 1
fi

# ---- 500 photographs, where they are: whatever they are read from

photographs=$TOMERGE_SHARED/data/imagenet-sample
# answers SOURCE: the classes of every photograph by its name, in ./found
answers() {
    run 0 classify --model "$srcdir/data/demo.safetensors" --quiet "$1"
    sed 's,^.*/,,' out | sort >found
    lines found 500
    test "$1" = "$photographs" || cmp -s found wanted ||
        fail "$1: photographs have other answers"
}
if test -d "$photographs" && test -z "$SANITIZED"; then
    answers "$photographs"
    mv found wanted
    tar cf photographs.tar -C "$photographs" .
    answers photographs.tar
    if command -v zstd >/dev/null; then
        zstd -q1 photographs.tar -o photographs.tar.zst
        answers photographs.tar.zst
        rm photographs.tar.zst
    fi
    rm photographs.tar
    if command -v zip >/dev/null; then
        (cd "$photographs" && zip -q0r "$scratch/photographs.zip" .)
        answers photographs.zip
        rm photographs.zip
    fi
    mkdir samples
    class=0
    for folder in "$photographs"/*/; do
        for file in "$folder"*; do
            ln -s "$file" samples/
            file=${file##*/}
            echo $class >samples/${file%%.*}.cls
        done
        class=$((class + 1))
    done
    (cd samples
     for k in 0 1 2 3 4; do
         ls | awk -v k=$k 'NR % 1000 >= 200 * k && NR % 1000 < 200 * (k + 1)' |
             tar chf ../photographs-$k.tar -T -
     done)
    answers 'photographs-{0..4}.tar'
    rm photographs-*.tar
else
    echo "$name: not tried: 500 photographs (no reference data, or too slow)"
fi
exit $status

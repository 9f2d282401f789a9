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

head -c 512 flat.tar | {
    dd bs=1 count=124 2>/dev/null
    printf '07777777777\0'
    dd bs=1 skip=12 2>/dev/null
} >claim.tar
run 1 eval $model claim.tar
exit $status

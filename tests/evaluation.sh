#!/bin/sh
# SPDX-License-Identifier: MIT
# What eval and sweep say beyond top-1, against a second count of the
# predictions: intervals, comparison with r=0, classes, other labels.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
n=0
for class in a b c; do
    mkdir -p set/$class
    for i in 1 2 3 4 5; do
        n=$((n + 1))
        "$fixture" image set/$class/ILSVRC2012_val_0000000$i.png \
            $((30 + 9 * n)) $((90 - 4 * n)) $n || fail "no image"
    done
done
model="--model plain.safetensors --quiet"

# same FILE PROGRAM: its values are what awk makes of the predictions; JSON
# writes a real that is whole with .0
same() {
    file=$1
    shift
    awk -F, "$@" | sed 's/\.0$//' >wanted || fail "awk failed"
    sed 's/\.0$//' "$file" >found
    cmp -s wanted found || {
        fail "$file is not what the predictions say:"
        diff wanted found | sed 's/^/    /'
    }
}

# ---- against the predictions

run 0 eval $model set --r 6 --json e.json --csv e.csv --predictions p.csv \
    --per-class c.csv --confusion m.csv
holds e.json top1_interval.low top1_interval.high top5_interval.low \
    latency.p50 latency.p90 latency.p99 ece
sed -n 7p values >ece
echo close >close
same close -v said="$(cat ece)" '
    NR > 1 { bin = int($4 * 15); if (bin == $4 * 15) bin--
             n++; sum[bin] += ($3 == $2) - $4 }
    END { for (b in sum) all += sum[b] < 0 ? -sum[b] : sum[b]
          off = 100 * all / n - said
          print (off < 0.001 && off > -0.001 ? "close" : off) }' p.csv
says out "  95 %"
says out "ECE %"
says out "(p90)"
head -n 1 c.csv >head
cut -d, -f2,4,5,6 c.csv | tail -n +2 >counts
same counts '
    NR > 1 { images[$2]++; said[$3]++; right[$2] += $2 == $3 }
    END { for (c = 0; c < 3; c++)
              printf "%d,%d,%d,%d\n", c, images[c], said[c], right[c] }' p.csv
says head "schedule,class,name,images,predicted,correct,top1,top1_interval.low,top1_interval.high,top5,precision"
tail -n +2 m.csv >counts
same counts '
    NR > 1 { n[$2, $3]++ }
    END { for (c = 0; c < 3; c++)
              printf "6,%d,,%d,%d,%d\n", c, n[c, 0], n[c, 1], n[c, 2] }' p.csv
says m.csv "schedule,class,name,0,1,2"

# ---- two ways to merge

run 0 eval $model set --r 0 --predictions q.csv
paste -d, q.csv p.csv >both.csv
run 0 sweep $model set --r 0,6 --json s.json --csv s.csv --confusion n.csv
awk '/^$/ { table = 1 } table && length > 80 { exit 1 }' out || fail "sweep's tables: over 80 columns"
holds s.json runs.1.kl_mean runs.1.kl_median runs.0.kl_mean
awk 'NR < 3 ? !($1 > 0) : $1 != 0 { exit 1 }' values ||
    fail "no divergence, or of r=0 from itself"
holds s.json runs.1.gained runs.1.lost runs.1.agreement
same values '
    NR > 1 { gained += $3 != $2 && $15 == $2; lost += $3 == $2 && $15 != $2
             agree += $3 == $15; n++ }
    END { text = sprintf("%.9g", 100 * agree / n)
          printf "%d\n%d\n%s%s\n", gained, lost, text,
              text ~ /\./ ? "" : ".0" }' both.csv
holds s.json runs.0.gained runs.0.lost runs.0.mcnemar_p
printf '0\n0\n1.0\n' | cmp -s - values || { fail "r=0:"; cat values; }
grep '^6,' n.csv | cmp -s - counts || fail "the sweep has another confusion"
says s.csv ",gained,lost,mcnemar_p,"

# ---- what images cost is what was run

says s.csv ",gmacs_least,gmacs_most,tokens_least,tokens_most"
run 0 inspect $model --r 6 --json i.json
holds i.json gmacs merge_ratio
cp values schedule
holds s.json runs.1.gmacs runs.1.merge_ratio
cmp -s values schedule || fail "all images are alike, but not as scheduled"
holds s.json runs.1.gmacs runs.1.gmacs runs.1.tokens_left runs.1.tokens_left
cp values means
holds s.json runs.1.gmacs_least runs.1.gmacs_most runs.1.tokens_least \
    runs.1.tokens_most
cmp -s values means || fail "all images are alike, but least and most differ"
# In place of a method by which images differ: one part, in whose lines an image
# is said to have cost 1 MAC and left 1 token.
for part in 1/2 2/2; do
    run 0 sweep $model set --r 0,6 --batch 4 --part $part \
        --resume j${part%/2}
done
all=$(sed -n 's/.*"work":\[\[[0-9]*,[0-9]*,[0-9]*,\([0-9]*\),.*/\1/p' j2 |
      head -n 1)
sed -e 's/\("work":\[\[[0-9]*\),[0-9]*,\([0-9]*\),[0-9]*,/\1,1,\2,1,/' \
    -e 's/"left":\[[0-9]*,/"left":[1,/' j2 >j3
run 0 join j1 j3 --json j.json
holds j.json runs.0.gmacs_least runs.0.tokens_least runs.0.tokens_most
printf '1e-9\n1\n%s\n' "$all" >wanted
cmp -s values wanted || {
    fail "least and most of a join:"
    cat values
}
says out "$all (1 to $all)"
run 0 sweep $model set --r 0,6 --batch 4 --part 2/2 --resume j3 --json j.json
holds j.json runs.0.tokens_least
test "$(cat values)" = 1 || fail "resumed: not what the journal has"
# No line has a least beyond its most.
sed 's/\("work":\[\[[0-9]*,\)[0-9]*,/\19999999999999,/' j2 >j3
run 1 join j1 j3
says err "cannot follow"

# ---- other labels

printf '[[0], [1, 2], [], [0, 1], [2]]' >real.json
run 0 eval $model set --r 6 --real-labels real.json --json e.json
says out "ReaL %"
holds e.json real real_images
same values -v list='1 0;1 1;1 2;2 1;2 2;4 0;4 1;5 2' '
    NR == 1 { split(list, pairs, ";")
              for (i in pairs) has[pairs[i]] = 1
              has["1 1"] = has["1 2"] = 0; has["1 0"] = 1
              has["2 0"] = 0; has["5 2"] = 1; next }
    { i = substr($1, length($1) - 4, 1)
      if (i != 3) { n++; right += has[i " " $3] } }
    END { text = sprintf("%.9g", 100 * right / n)
          printf "%s%s\n%d\n", text, text ~ /\./ ? "" : ".0", n }' p.csv
run 0 eval $model set
grep -q ReaL out && fail "ReaL without --real-labels"
run 1 eval $model set --real-labels plain.safetensors
says err "plain.safetensors: line "
run 1 eval $model set --real-labels nowhere
says err "nowhere"
cp -r set other
mv other/a/ILSVRC2012_val_00000001.png other/a/1.png
run 0 eval --model plain.safetensors other --real-labels real.json
says err "real.json: 1 of 15 images are not in it"
rm other/*/ILSVRC*
run 3 eval $model other
cp set/b/ILSVRC2012_val_00000001.png other/b/1.png
cp set/c/ILSVRC2012_val_00000001.png other/c/1.png
run 1 eval $model other --real-labels real.json
says err "real.json: no image is called ILSVRC2012_val_"
lines err 1

printf '2\n0\n' >two
run 1 eval $model set --valid-labels two
says err "3 class folders, but --valid-labels has 2 classes"
printf 'a\t0\nb\t1\nc\t2\n' >map
run 1 eval $model set --valid-labels two --class-map map
says err "two: class 1, of which 'b/ILSVRC2012_val_00000001.png' is"
mkdir pair
cp -r set/a pair/later
cp -r set/c pair/first
run 0 eval $model pair --valid-labels two --predictions v.csv --json e.json
says out "valid classes"
holds e.json valid_classes classes_by
printf '2\n"sorted order"\n' | cmp -s - values || fail "valid: $(cat values)"
# The first folder is the first line's class; the two share all probability.
awk -F, 'NR > 1 { if ($2 != (index($1, "first") ? 2 : 0) || $3 == 1 ||
                      $5 == 1 || $7 != "" ||
                      $4 + $6 < 0.99999 || $4 + $6 > 1.00001) exit 1 }' v.csv ||
    { fail "--valid-labels:"; cat v.csv; }
printf '0\n3\n' >three
run 1 eval $model pair --valid-labels three
says err "three: line 2: class 3: the model has 3 classes"
lines err 1

# ---- files

run 2 eval $model set --per-class x --confusion x
says err "--per-class and --confusion both write to 'x'"
run 1 eval $model set --confusion nowhere/x
says err "nowhere/x: No such file or directory"
run 1 sweep $model set --per-class nowhere/x
says err "nowhere/x: No such file or directory"
run 0 sweep $model set --r 0,6 --per-class -
lines out 7
if test -c /dev/full; then
    run 1 eval $model set --confusion /dev/full
    says err "/dev/full: No space left on device"
fi
exit $status

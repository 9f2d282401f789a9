#!/bin/sh
# SPDX-License-Identifier: MIT
# --part and join: however a folder is split, the parts' journals together give
# the report of one process; what does not fit together is refused by name.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/one_report.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
"$fixture" model other.safetensors 3 '{"num_heads": "3", "name": "x"}'
i=100
while test $i -lt 110; do
    for class in a b c; do
        mkdir -p set/$class
        "$fixture" image set/$class/$i.png 40 40 $i || fail "no image"
    done
    i=$((i + 1))
done
echo junk >set/b/105x.png
model="--model plain.safetensors --batch 4"
counts='images refused top1 top5 ece top1_interval.low partial classes_by r
    dtype cpu threads batch gmacs model.file preprocessing.chain'


run 3 eval $model set --r 4 $(outputs full)
grep -v note err >full.err

# ---- all parts, whatever the order of the journals

for n in 1 2 3 7 30 40; do
    rm -f part.*
    k=1
    : >parts
    while test $k -le $n; do
        rm -f part.json
        "$tomerge" eval $model set --r 4 --part $k/$n --resume part.$k \
            --json part.json >out 2>err </dev/null
        got=$?
        test $got = 0 || test $got = 3 ||
            test $(((k * 31) / n - ((k - 1) * 31) / n)) = 1 ||
            fail "part $k/$n: exit status $got"
        holds part.json images refused
        paste -sd ' ' values >>parts
        k=$((k + 1))
    done
    test "$(awk '{ i += $1; r += $2 } END { print i, r }' parts)" = "30 1" ||
        { fail "$n parts have"; cat parts; }
    journals=$(ls part.* | grep -v json | sort -r)
    run 3 join $journals $(outputs joined)
    whole joined
    says err "set/b/105x.png: "
    lines err 1
done
test "$n" = 40 || fail "not all was tried"

# What it shows people is the report of eval.
run 3 join $journals
grep -v -e '^ms a batch' -e '^ *[0-9.]* (p9' -e '^images/s' -e '^ *[0-9.]* (with' \
    -e '^seconds' -e '^  forward' -e '^  decode' -e '^  preprocess' out >people
run 3 eval $model set --r 4
grep -v -e '^ms a batch' -e '^ *[0-9.]* (p9' -e '^images/s' -e '^ *[0-9.]* (with' \
    -e '^seconds' -e '^  forward' -e '^  decode' -e '^  preprocess' out |
    cmp -s - people || fail "another report for people"
# A journal of all of it is a part as well.
rm -f part.*
run 3 eval $model set --r 4 --resume part.all
run 3 join part.all $(outputs joined)
whole joined
# Parts of other sizes, as long as they are all.
rm -f part.*
for k in 1/2 3/4 4/4; do
    "$tomerge" eval $model set --r 4 --part $k --resume part.${k%/*} \
        >out 2>err </dev/null
done
run 3 join part.3 part.4 part.1 $(outputs joined)
whole joined

# ---- threads may differ, and are those of the first

rm -f part.*
run 0 eval $model set --r 4 --part 1/2 --resume part.1 --threads 1
run 3 eval $model set --r 4 --part 2/2 --resume part.2 --threads 1
run 3 join part.1 part.2 --json joined.json
holds joined.json threads
test "$(cat values)" = 1 || fail "other threads: $(cat values)"

# ---- sweep

rm -f part.*
sweep="sweep $model set --r 2,4"
names='runs.0.top1 runs.1.top1 runs.2.top1 runs.1.agreement runs.2.gained
    runs.2.mcnemar_p runs.1.schedule images refused runs.1.drift.cosine
    runs.1.drift.cosine_p1 runs.2.drift.neighbours runs.2.drift.cosine'
run 3 $sweep --json full.json --per-class full.classes
for k in 1 2 3; do
    run "$(test $k = 2 && echo 3 || echo 0)" $sweep --part $k/3 --resume part.$k
done
run 3 join part.1 part.2 part.3 --json joined.json --per-class joined.classes \
    --svg joined.svg --html joined.html
holds full.json $names
cp values wanted
holds joined.json $names
cmp -s values wanted || { fail "sweep: another report"; diff wanted values; }
cmp -s full.classes joined.classes || fail "sweep: other classes"
grep -q '</html>' joined.html || fail "no page"
run 2 join part.1 part.2 part.3 --predictions x
says err "--predictions is for journals of eval"

# ---- what is refused

rm -f part.*
for k in 1 2 3; do
    run "$(test $k = 2 && echo 3 || echo 0)" eval $model set --r 4 \
        --part $k/3 --resume part.$k
done
cksum part.1 part.2 part.3 >before
echo old >old.json
# refused STATUS TEXT JOURNAL...
refused() {
    expected=$1
    text=$2
    shift 2
    run "$expected" join --json old.json "$@"
    says err "$text"
    test "$(cat old.json)" = old || fail "$*: a report was lost"
    cksum part.1 part.2 part.3 | cmp -s - before || fail "a journal changed"
}
refused 1 "join: images 11 to 20 of 31 are in no journal" part.1 part.3
refused 1 "join: images 1 to 10 of 31 are in no journal" part.2 part.3
refused 1 "join: images 21 to 31 of 31 are in no journal" part.2 part.1
cp part.2 twin
refused 1 "are both of image 11" part.1 part.2 twin part.3
run 0 eval $model set --r 4 --part 1/2 --resume half.1
refused 1 "are both of image" half.1 part.2 part.3
run 3 eval $model set --r 5 --part 2/3 --resume five.2
refused 2 'join: five.2 was begun with --r ["5"], not ["4"]' \
    part.1 five.2 part.3
run 3 eval --model other.safetensors --batch 4 set --r 4 --part 2/3 \
    --resume other.2
refused 2 "join: other.2 was begun with other --model" part.1 other.2 part.3
holds full.json threads
if test "$(cat values)" != 1; then
    run 3 eval $model set --r 4 --part 2/3 --threads 1 --resume thread.2
    refused 2 "join: thread.2 was begun with --threads 1, not" \
        part.1 thread.2 part.3
else
    echo "join.sh: not tried: parts on other threads (there is one here)"
fi
head -n 2 part.2 >short.2
refused 1 "short.2: it is not finished, 4 of 10 images are done" \
    part.1 short.2 part.3
head -c -9 part.2 >torn.2
refused 1 "torn.2: it is not finished" part.1 torn.2 part.3
sed 2d part.2 >hole.2
refused 1 "hole.2: what follows image 10 cannot follow" part.1 hole.2 part.3
refused 1 "gone: No such file" part.1 gone part.3
refused 1 "gone: No such file" gone part.1
refused 1 "set/a/100.png: it is not a journal" part.1 set/a/100.png
refused 1 "set/a/100.png: it is not a journal" set/a/100.png
refused 2 "--json: 'part.1' is the input 'part.1'" part.1 part.2 part.3 \
    --json part.1
run 2 eval $model set --r 4 --part 1/3 --resume part.2
says err 'part.2 was begun with --part "2/3", not "1/3"'
mv set/a/100.png set/a/100x.png
refused 2 "part.1 was begun with other images" part.1 part.2 part.3
mv set/a/100x.png set/a/100.png
for part in 0/3 4/3 1 1/ /3 1/x -1/3 1.5/3 2/1; do
    run 2 eval $model set --part $part
    says err "'$part' is not K/N with K from 1 to N"
done
run 3 tune $model set --max-drop 50 --rounds 0 --resume tuned
refused 1 "tuned: it is of tune, which has no parts" tuned
run 2 join
says err "JOURNAL... is missing"

# ---- a part that is killed goes on

rm -f part.*
for k in 1 2; do
    "$tomerge" eval $model --batch 1 set --r 4 --part $k/2 --resume part.$k \
        >out 2>err </dev/null &
    pid=$!
    while kill -0 $pid 2>/dev/null &&
        test "$(cat part.$k 2>/dev/null | wc -l)" -lt 4; do
        sleep 0.002
    done
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    "$tomerge" eval $model --batch 1 set --r 4 --part $k/2 --resume part.$k \
        >out 2>err </dev/null
done
run 3 eval $model --batch 1 set --r 4 $(outputs full)
run 3 join part.1 part.2 $(outputs joined)
whole joined
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Several processes as one run: whatever their number the report of one; a rank
# that is killed ends the run, and the same command goes on from the journals.
# Without MPI, or where MPI does not bring them together, they are refused.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/one_report.sh"
. "${srcdir:-.}/tests/mpirun.sh"
. "${srcdir:-.}/tests/command.sh"

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
for i in 1 2 3; do
    "$fixture" image $i.png $((500 + 99 * i)) 700 $i || fail "no image"
done
for class in a b c; do
    mkdir -p set/$class
    for i in 01 02 03 04 05 06 07 08 09 10 11 12 13; do
        n=$(((${i#0} + $(printf '%d' "'$class")) % 3 + 1))
        ln $n.png set/$class/$i.png
    done
done
echo junk >set/b/07x.png
model="--model plain.safetensors --batch 2 --threads 1"
counts='images refused top1 top5 ece top1_interval.low partial classes_by r
    dtype cpu batch gmacs model.file preprocessing.chain'

# refuses TEXT COMMAND...: with status 2 and a line; reports stay as they were
refuses() {
    text=$1
    shift
    echo old >old.json
    "$@" --json old.json >out 2>err </dev/null
    test $? = 2 || fail "not refused: $*"
    says err "$text"
    test "$(cat old.json)" = old || fail "a report was lost: $*"
}

run 3 eval $model set --r 4 $(outputs full)
cp err full.err

# ---- launched together, they do not find one another

for size in OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS; do
    grep -q '^#define HAVE_MPI' "$build/config.h" && break
    refuses "started as one of 3 processes" \
        env $size=3 "$tomerge" eval $model set --r 4
    refuses "give each its --part K/N and join" \
        env $size=3 "$tomerge" sweep $model set --r 0,4
    refuses "configure --with-mpi" env $size=3 "$tomerge" eval $model set
    refuses "tune runs as one process" \
        env $size=3 "$tomerge" tune $model set --max-drop 50 -o vit.r
    env $size=3 "$tomerge" eval $model set --r 4 --part 1/3 >out 2>err
    test $? = 0 || fail "$size=3: --part is refused"
    env $size=1 "$tomerge" eval $model set --r 4 >out 2>err
    test $? = 3 || fail "$size=1 is refused"
done
needs_mpi
if test "$(launch -n 1 "$rank" eval --model gone set 2>&1 |
    grep -c 'gone')" != 1; then
    fail "a rank that fails is not named once"
fi

# ---- any number of ranks

for n in 1 2 3 4; do
    mpi $n 3 eval $model set --r 4 $(outputs ranks)
    whole ranks
    grep '^tomerge' err | cmp -s - full.err || {
        fail "$n ranks say something else:"; diff full.err err; }
    test $n = 1 || { holds ranks.json ranks; test "$(cat values)" = $n ||
        fail "$n ranks are not named"; }
done
mpi 3 0 eval $model set --r 4 --part 1/2 --json part.json
run 0 eval $model set --r 4 --part 1/2 --json one.json
holds part.json images top1
cp values wanted
holds one.json images top1
cmp -s values wanted || fail "ranks of a part have another report"

# ---- what they do not do together

launch -n 1 "$rank" eval $model set --r 4 : \
    -n 1 "$rank" eval $model set --r 5 >out 2>err && fail "two commands run"
says err "ranks differ: rank 0 was begun with --r [\"4\"], not [\"5\"]"
says err "rank 1 of 2 on"
test "$(grep -c '^tomerge' err)" = 1 || fail "it is said twice"
launch -n 1 "$rank" eval $model set --r 4 --part 1/2 --json a.json : \
    -n 1 "$rank" eval $model set --r 4 --part 2/2 --json b.json >out 2>err
holds a.json images
test "$(cat values)" = 20 || fail "parts of two ranks are not their own"
mkdir -p taken/j.1
launch -n 2 "$rank" eval $model set --resume taken/j >out 2>err &&
    fail "a journal is a folder"
says err "j.1: Is a directory"
says err "rank 1 of 2 on"
refuses "tune runs as one process" \
    launch -n 2 "$rank" tune $model set --max-drop 50 -o vit.r

# ---- one rank is killed, and the run goes on from where it was

killed=0
# known: how many lines the journals have; each_once: of every image one
known() { cat j.* 2>/dev/null | grep -c '"from".*}$'; }
each_once() {
    cat j.* | sed -n 's/^{"from":\([0-9]*\),"to":\([0-9]*\),.*/\1 \2/p' |
        sort -n | awk '$1 != at { exit 1 } { at = $2 } END { exit at != 40 }' ||
        fail "killed at $1: an image is in no journal, or in two"
}
n=0
for moment in 0:1 1:1 2:1 3:1 0:2 1:2 2:3 3:3 0:4 1:5; do
    rm -f j.*
    killed_at ${moment%:*} ${moment#*:} eval $model set --r 4 --resume j
    before=$(known)
    mpi $((n % 4 + 1)) 3 eval $model set --r 4 --resume j $(outputs ranks)
    whole ranks
    each_once $moment
    test "$before" = 0 || test "$before" = "$(known)" ||
        says err "of 40 images are done"
    n=$((n + 1))
done
test $killed -ge 4 || fail "only $killed of ten runs were ended"
refuses "mpirun -n 1 goes on" "$tomerge" eval $model set --r 4 --resume j
refuses "was begun with --r [\"4\"], not [\"3\"]" \
    launch -n 1 "$rank" eval $model set --r 3 --resume j
run 1 join j.0 j.1
says err "it is one rank's of mpirun"
run 3 eval $model set --r 4 --resume plain
refuses "plain is of one process" \
    launch -n 1 "$rank" eval $model set --r 4 --resume plain

# ---- sweep

runs='runs.0.top1 runs.1.top1 runs.1.agreement runs.1.kl_mean images refused
    runs.1.drift.cosine runs.1.drift.cosine_p1 runs.1.drift.neighbours'
run 3 sweep $model set --r 0,4,8 --json full.json --svg full.svg
holds full.json $runs
cp values wanted
mpi 3 3 sweep $model set --r 0,4,8 --json ranks.json --resume s
holds ranks.json $runs
cmp -s values wanted || { fail "a sweep differs:"; diff wanted values; }
mpi 2 3 sweep $model set --r 0,4,8 --json ranks.json --resume s
says err "40 of 40 images are done"
holds ranks.json $runs
cmp -s values wanted || { fail "a sweep from journals:"; diff wanted values; }

# ---- embed: the same bytes, and nothing left beside them

# same_rows: those of one process
same_rows() {
    cmp -s rows.npy one.npy && cmp -s rows.txt one.txt || fail "$1: other rows"
    test ! -e one.sizes.npy || { cmp -s rows.sizes.npy one.sizes.npy &&
        cmp -s rows.map.npy one.map.npy || fail "$1: other sizes or map"; }
    test -z "$(ls | grep '^rows.*\(part\|journal\)')" ||
        fail "$1: something is left: $(echo rows*)"
}
for how in "--store f16 --normalise" "--r 4 --tokens merged"; do
    rm -f one.* rows.*
    run 3 embed $model set $how -o one.npy
    for n in 1 2 3 4; do
        mpi $n 3 embed $model set $how -o rows.npy
        same_rows "$n ranks, $how"
    done
done
n=0
killed=0
for moment in 0:1 3:1 1:2 2:3 0:4; do
    rm -f rows.*
    killed_at ${moment%:*} ${moment#*:} embed $model set $how -o rows.npy
    test -e rows.npy || mpi $((n % 4 + 1)) 3 embed $model set $how -o rows.npy
    same_rows "killed at $moment"
    n=$((n + 1))
done
test $killed -ge 2 || fail "only $killed of five runs were ended"
exit $status

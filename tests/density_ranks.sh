#!/bin/sh
# SPDX-License-Identifier: MIT
# density in several processes of one run: whatever their number the report of
# one, also where a rank was killed and the run goes on from the journals.
# compress and expand, which write one file, are refused.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/mpirun.sh"
. "${srcdir:-.}/tests/command.sh"

bytes=$srcdir/tests/fixtures/bytes
case $bytes in /*) ;; *) bytes=$build/$bytes ;; esac
mkdir -p set/a set/b
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17; do
    "$fixture" image set/a/$i.png 4 4 ${i#0}
    "$fixture" image set/b/$i.png $((${i#0} + 2)) 9 $((${i#0} + 20))
done
echo junk >set/a/07x.png
model="--model $bytes/gelu.safetensors"
counts='images refused bits_per_byte.mean bits_per_byte.p5 bits_per_byte.p99
    png_bits_per_byte.mean classes.0.bits_per_byte classes.1.images
    ranked.3.image gmacs model.parameters batch dtype cpu'
how="$model --batch 2 --threads 1"

# refuses TEXT COMMAND...: with status 2 and a line
refuses() {
    text=$1
    shift
    "$@" >out 2>err </dev/null
    test $? = 2 || fail "not refused: $*"
    says err "$text"
}

for size in OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS; do
    refuses "compress runs as one process" \
        env $size=3 "$tomerge" compress $model set -o set.tmb
    refuses "expand runs as one process" \
        env $size=3 "$tomerge" expand $model set.tmb -o again
    grep -q '^#define HAVE_MPI' "$build/config.h" ||
        refuses "started as one of 3 processes" \
            env $size=3 "$tomerge" density $how set
done
needs_mpi

# whole NAME: the reports of one process
whole() {
    holds $1.json $counts
    cmp -s values wanted || { fail "$1: another report:"; diff wanted values; }
    cmp -s $1.csv full.csv || { fail "$1: other pictures"; diff full.csv $1.csv; }
}

run 3 density $how set --json full.json --csv full.csv
holds full.json $counts
cp values wanted
cp err full.err
for n in 1 2 3 4; do
    mpi $n 3 density $how set --json ranks.json --csv ranks.csv \
        --html ranks.html
    whole ranks
    test -s ranks.html || fail "no page of $n ranks"
    grep '^tomerge' err | cmp -s - full.err || {
        fail "$n ranks say something else:"; diff full.err err; }
    test $n = 1 || { holds ranks.json ranks; test "$(cat values)" = $n ||
        fail "$n ranks are not named"; }
done
mpi 3 3 density $how set --merge 0,4:2 --json ranks.json
holds ranks.json merging.0.bits_per_byte.mean merging.1.more.mean
cp values found
run 3 density $how set --merge 0,4:2 --json one.json
holds one.json merging.0.bits_per_byte.mean merging.1.more.mean
cmp -s values found || fail "ranks merge otherwise"

# ---- what they do not do together

refuses "--map is drawn by one process" \
    launch -n 2 "$rank" density $how set/a/01.png --map map.png
launch -n 1 "$rank" density $how set : \
    -n 1 "$rank" density $how set --dtype bf16 >out 2>err &&
    fail "two commands run"
says err "ranks differ: rank 0 was begun with"
says err "rank 1 of 2 on"
launch -n 2 "$rank" density --model gone set >out 2>err &&
    fail "no model, and it runs"
test "$(grep -c gone err)" = 1 || { fail "no model is said twice"; cat err; }

# ---- one rank is killed, and the run goes on from where it was

kill_at=KILL_FLUSH
killed=0
n=0
for moment in 0:1 1:1 2:1 3:2 0:3 1:4; do
    rm -f j.*
    killed_at ${moment%:*} ${moment#*:} density $how set --resume j
    before=$(cat j.* | grep -c '^\[.*]$')
    mpi $((n % 4 + 1)) 3 density $how set --resume j --json ranks.json \
        --csv ranks.csv
    whole ranks
    cat j.* | sed -n 's/^\[\([0-9]*\),.*/\1/p' | sort -n |
        awk '$1 != NR - 1 { exit 1 } END { exit NR != 35 }' ||
        fail "killed at $moment: a picture is in no journal, or in two"
    test "$before" = 0 || test "$before" = 35 ||
        says err "of 35 images are done"
    n=$((n + 1))
done
test $killed -ge 2 || fail "only $killed of six runs were ended"
refuses "mpirun -n 1 goes on" "$tomerge" density $how set --resume j
run 1 join j.0 j.1
says err "it is one rank's of mpirun"
run 3 density $how set --resume plain
refuses "plain is of one process" \
    launch -n 1 "$rank" density $how set --resume plain
exit $status

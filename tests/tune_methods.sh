#!/bin/sh
# SPDX-License-Identifier: MIT
# tune of several methods: the one that it finds is the one that a comparison of
# the same candidates finds; what it writes is what it reports, and is taken by
# the other commands; a journal gives the same file.
. "${srcdir:-.}/tests/guard.sh"
sources=$(cd "$srcdir" && pwd -P)
. "${srcdir:-.}/tests/command.sh"
halves=16
. "$sources/tests/halves.sh"
goal="--target-gmacs 0.2 --quiet"
same() { awk "BEGIN { d = $1 - $2; exit !(d < 1e-5 && d > -1e-5) }"; }

# Without rounds: each as by itself, on the half that is searched on.
run 0 tune pictures --method "tome,topk,atc[linkage=single]" $goal \
    --rounds 0 -o chosen --json t.json
says chosen "for --method @FILE"
n=0
least=9
for method in tome topk atc; do
    options=
    test $method = atc && options="--method-options linkage=single"
    run 0 tune pictures --method $method $options $goal --rounds 0 -o r
    run 0 sweep found --method $method $options --schedule @r --json s.json \
        --quiet
    holds s.json runs.1.gmacs runs.1.kl_mean
    gmacs=$(head -n 1 values)
    kl=$(tail -n 1 values)
    holds t.json methods.$n.gmacs methods.$n.kl_mean methods.$n.rounds
    same "$gmacs" "$(sed -n 1p values)" && same "$kl" "$(sed -n 2p values)" ||
        fail "$method: $gmacs, $kl by itself, of several $(cat values)"
    if awk "BEGIN { exit !($kl < $least) }"; then
        least=$kl
        best=$method
    fi
    n=$((n + 1))
done
grep -qx "method=$best" chosen || fail "$best is best, not $(cat chosen)"

# With them, thresholds are searched for as well. The file is what was reported.
search() {
    run 0 tune pictures --method "tome,upward[prop=1],evit" $goal --rounds 1 \
        --metric K -o "$@" --resume journal
}
search written --json t.json
holds t.json methods.0.rounds methods.1.rounds methods.2.kl_mean
sed -n 2p values | grep -qx 1 || fail "no round for thresholds: $(cat values)"
taken() {
    holds t.json runs.1.gmacs runs.1.top1 runs.1.kl_mean runs.1.method
    cp values reported
    run 0 sweep held --method "@$1" --json s.json --quiet
    holds s.json runs.1.gmacs runs.1.top1 runs.1.kl_mean runs.1.method
    cmp reported values || fail "tune reports others than sweep"
}
taken written
grep -qx metric=K written || fail "forgets --metric: $(cat written)"

# Told the same again, it finds all of its answers in the journal.
search again
cmp written again || fail "another answer by the journal"
run 2 tune pictures --method "tome,evit" $goal --rounds 1 --resume journal
says err "was begun with --r"

# Thresholds, with what else was said of the method.
run 0 tune pictures --method "upward[prop=1],topk" $goal --rounds 0 \
    -o thresholds --json t.json
for line in method=upward prop=1 threshold=0:; do
    says thresholds $line
done
taken thresholds

# Of all, what the model cannot have is left out.
model=$srcdir/tests/fixtures/layouts/timm_differential_class.safetensors
case $model in /*) ;; *) model=$OLDPWD/$model ;; esac
mkdir five
for class in $(ls found | head -n 5); do cp -R "found/$class" five; done
run 0 tune five --model "$model" --method all --max-drift 0.9 --rounds 0 \
    --limit 4 --json t.json
says err "evit is left out: --method: expected a method that ranks no tokens"
holds t.json methods.0.found methods.4.method methods.4.found \
    methods.4.left_out
printf 'true\n"evit"\nfalse\n' >expected
head -n 3 values | cmp - expected || fail "$(cat values)"

run 2 tune pictures --method tome,mpm $goal
says err "--method mpm has no r to tune"
run 2 tune pictures --method "tome,evit[keep=0.5]" $goal
says err "--method evit with these options has no r to tune"
run 2 tune pictures --method @written $goal
says err "has no r to tune"
run 1 tune pictures --method tome,topk --target-gmacs 0.0001 --rounds 0
says err "method topk: none that keeps to the goal"
says err "no schedule is at most 0.0001 GMACs"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# tune of a method that goes by thresholds: what it writes keeps to the target on
# the images that it was found on, is what the report is of, and is taken by the
# other commands.
. "${srcdir:-.}/tests/guard.sh"
sources=$(cd "$srcdir" && pwd -P)
. "${srcdir:-.}/tests/command.sh"
halves=32
. "$sources/tests/halves.sh"

run 0 tune pictures --method upward --target-gmacs 0.2 --rounds 1 -o bounds \
    --json t.json --quiet --resume journal
says bounds "for --method upward --method-options @FILE"
test "$(tail -n 1 bounds | tr : '\n' | wc -l)" = 12 || fail "of other layers"
tail -n 1 bounds | grep -q '^threshold=0:.*:1e+30$' || fail "no thresholds"
holds t.json method_options
test "\"$(tail -n 1 bounds)\"" = "$(cat values)" || fail "reported: $(cat values)"
holds t.json runs.1.gmacs runs.1.top1 runs.1.kl_mean
cp values reported

# The other half of the pictures, by another command.
run 0 sweep held --method upward --method-options @bounds --json s.json --quiet
holds s.json runs.1.gmacs runs.1.top1 runs.1.kl_mean
cmp reported values || fail "tune reports others than sweep"

# The half that they were found on: all of the target, and no more.
run 0 sweep found --method upward --method-options @bounds --json s.json --quiet
holds s.json runs.1.gmacs runs.1.kl_mean
gmacs=$(head -n 1 values)
awk "BEGIN { exit !($gmacs <= 0.2 && $gmacs > 0.19) }" || fail "GMACs: $gmacs"

# The search moved the answers less than what it began with.
moved=$(tail -n 1 values)
run 0 tune pictures --method upward --target-gmacs 0.2 --rounds 0 -o ramp --quiet
run 0 sweep found --method upward --method-options @ramp --json s.json --quiet
holds s.json runs.1.gmacs runs.1.kl_mean
awk "BEGIN { exit !($(head -n 1 values) <= 0.2 &&
    $moved < 0.9 * $(tail -n 1 values)) }" ||
    fail "moved by $moved; by a ramp: $(cat values)"

# Told the same again, it finds all of its answers in the journal.
cp bounds first
run 0 tune pictures --method upward --target-gmacs 0.2 --rounds 1 -o bounds \
    --quiet --resume journal
cmp first bounds || fail "another answer by the journal"

run 1 tune pictures --method upward --target-gmacs 0.0001 --rounds 0
says err "no schedule is at most 0.0001 GMACs"
run 2 eval pictures --method upward --method-options @nowhere
says err "nowhere"
run 2 eval pictures --method upward --method-options margin=1
says err "'margin' is no option of method upward"
exit $status

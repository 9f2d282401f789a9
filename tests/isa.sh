#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions stay in their tier: no object outside the tier libraries holds
# one that only newer x86-64 CPUs know, and a tier's object shows the rest
# only symbols that carry the tier's name (so no function shared through a
# header is emitted there and picked by the linker for everyone).
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "the sanitizers add code of their own"
objdump=${OBJDUMP:-objdump}
tool "$objdump" || skip "no objdump"
set -- $(objects tomerge vit src)
test $# -gt 0 || { fail "found no object"; exit 1; }
$objdump -f "$1" | grep -q x86-64 || skip "not an x86-64 build"

# VEX and EVEX instructions are those that begin with v (but verr and verw);
# the rest is BMI, FMA's friends and AMX. tzcnt decodes as rep bsf on a CPU
# without it, so compilers emit it for the baseline.
newer='v[a-z0-9]+|k(mov|or|and|xor|not|add|shift|test|unpck)[a-z]*|pdep|pext'
newer="$newer"'|mulx|rorx|sarx|shlx|shrx|andn|bextr|bzhi|bls(i|r|msk)|lzcnt'
newer="$newer"'|tile[a-z0-9]*|tdp[a-z0-9]*|(ld|st)tilecfg'

checked=0 tiers=0
for object in "$@"; do
    case ${object##*/} in
    lib*_avx2_la-* | lib*_avx512*_la-* | lib*_amx*_la-*)
        tier=$(expr "${object##*/}" : 'lib[a-z]*_\(.*\)_la-') ;;
    *)
        tier= ;;
    esac
    if test -z "$tier"; then
        checked=$((checked + 1))
        $objdump -d --no-show-raw-insn "$object" |
            awk -F '\t' -v newer="^($newer)\$" '{
                split($2, word, " ")
                if (word[1] ~ newer && word[1] !~ /^ver[rw]$/) print
            }' >"$scratch/found"
        test -s "$scratch/found" || continue
        fail "$object is for the baseline and holds:"
        head -n 5 "$scratch/found"
    else
        tiers=$((tiers + 1))
        ${NM:-nm} -g --defined-only "$object" |
            awk -v tier="$tier" 'NF && !index($NF, tier) || / [WVuC] /' \
                >"$scratch/found"
        test -s "$scratch/found" || continue
        fail "$object defines for all, without its tier's name:"
        cat "$scratch/found"
    fi
done
echo "$name: $checked baseline objects, $tiers tier objects"
exit $status

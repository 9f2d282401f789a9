#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions stay in their tier: no object outside the tier libraries holds
# one that only newer CPUs of its architecture know, a tier's object of AArch64
# none but the tier's, and it shows the rest only symbols that carry the tier's
# name (so no function shared through a header is emitted there and picked by
# the linker for everyone).
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "the sanitizers add code of their own"
objdump=${OBJDUMP:-objdump}
tool "$objdump" || skip "no objdump"
set -- $(objects tomerge vit src)
test $# -gt 0 || { fail "found no object"; exit 1; }
case $($objdump -f "$1") in
*x86-64*) machine=x86-64 ;;
*aarch64*) machine=aarch64 ;;
*) skip "no build for x86-64 or AArch64" ;;
esac

# VEX and EVEX instructions are those that begin with v (but verr and verw);
# the rest is BMI, FMA's friends and AMX. tzcnt decodes as rep bsf on a CPU
# without it, so compilers emit it for the baseline.
x86='v[a-z0-9]+|k(mov|or|and|xor|not|add|shift|test|unpck)[a-z]*|pdep|pext'
x86="$x86"'|mulx|rorx|sarx|shlx|shrx|andn|bextr|bzhi|bls(i|r|msk)|lzcnt'
x86="$x86"'|tile[a-z0-9]*|tdp[a-z0-9]*|(ld|st)tilecfg'

# Of AArch64, all that came after 8.0 and a compiler might choose by itself:
# atomics (LSE), crc32, rounding doubling products, pointer authentication but
# for its hints, complex numbers, SHA and dot products, and whatever has a
# register of SVE or a half as its operand.
dot='[su]dot|usdot|sudot' i8mm='[us]mmla|usmmla' bf16='bf(dot|mmla|cvtn?2?|mlal[bt])'
atomic='(ld|st)(add|clr|eor|set|[su]max|[su]min)a?l?[bh]?|swpa?l?[bh]?|cas.*'
later="$atomic|crc32.*|sqrdml[as]h|ld(apr|aprb|aprh)|fc(add|mla)|fjcvtzs"
later="$later|aes.*|sha[0-9].*|sm[34].*|eor3|bcax|rax1|xar|fmlal2?|fmlsl2?"
newer_of() {
    case $machine-$1 in
    x86-64-*) echo "$x86" ;;
    *_neondotprod) echo "$later|$i8mm|usdot|sudot|$bf16" ;;
    *_neoni8mm) echo "$later|$bf16" ;;
    *_neonbf16) echo "$later|$dot|$i8mm" ;;
    *) echo "$later|$dot|$i8mm|$bf16" ;;
    esac
}

# newer_in TIER OBJECT: its instructions that are newer than the tier.
newer_in() {
    $objdump -d --no-show-raw-insn "$2" |
        awk -F '\t' -v newer="^($(newer_of "_$1"))\$" -v machine=$machine '{
            split($2, word, " ")
            operands = $3
            sub(/\/\/.*|<.*/, "", operands)
            if (word[1] ~ newer && word[1] !~ /^ver[rw]$/ ||
                machine == "aarch64" && operands ~ /(^|[ ,{\[])z[0-9]+\./ ||
                machine == "aarch64" && word[1] ~ /^(f|[su]cvtf)/ &&
                    word[1] !~ /^fcvt[ln]?2?$/ &&
                    operands ~ /\.[48]h|(^|[ ,])h[0-9]/)
                print
        }'
}

checked=0 tiers=0
for object in "$@"; do
    case ${object##*/} in
    lib*_avx2_la-* | lib*_avx512*_la-* | lib*_amx*_la-* | lib*_neon*_la-*)
        tier=$(expr "${object##*/}" : 'lib[a-z]*_\(.*\)_la-') ;;
    *)
        tier= ;;
    esac
    # A tier of x86-64 is what its flags allow; there are too many to list.
    if test -z "$tier" || test $machine = aarch64; then
        newer_in "$tier" "$object" >"$scratch/found"
        if test -s "$scratch/found"; then
            fail "$object is for ${tier:-the baseline} and holds:"
            head -n 5 "$scratch/found"
        fi
    fi
    if test -z "$tier"; then
        checked=$((checked + 1))
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
echo "$name: $checked baseline objects, $tiers tier objects of $machine"
exit $status

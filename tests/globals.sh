#!/bin/sh
# SPDX-License-Identifier: MIT
# The libraries keep no mutable global but the CPU mask and the remembered
# answer of cpuid: nothing else lies in a writable section. (.data.rel.ro is
# written by the dynamic linker only.)
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "the sanitizers add data of their own"
objdump=${OBJDUMP:-objdump}
tool "$objdump" || skip "no objdump"
set -- $(objects tomerge vit ! -path "*/examples/*")
test $# -gt 0 || fail "found no object"

for object in "$@"; do
    $objdump -t "$object" | awk '
        # address flags section, a tab, size name
        { n = split($0, half, "\t"); last = split(half[2], tail, " ")
          m = split(half[1], head, " "); section = head[m] }
        n == 2 && half[1] !~ / d / &&
        (section ~ /^\.(t?data|t?bss|ldata|lbss)/ || section == "*COM*") &&
        section !~ /^\.data\.rel\.ro/ { print tail[last] }
    ' >"$scratch/mutable"
    case $object in
    tomerge/*cpu.o)
        allowed='^(cpu_mask|(tomerge_cpu_detected\.)?cached(\.[0-9]+)?)$' ;;
    *)
        allowed='^$' ;;
    esac
    grep -vE "$allowed" "$scratch/mutable" &&
        fail "$object keeps the mutable globals above"
done
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# What the inner loops of AArch64's products consist of, as the compiler made
# them: instructions, and multiply-accumulates (MACs) an instruction. Run in a
# folder where an AArch64 build is, such as build-arm64 after `.ci/run
# emulated`. Counts, not times: no ARM machine was at hand.
objdump=${OBJDUMP:-aarch64-linux-gnu-objdump}

# count NAME OBJECT FUNCTION INSTRUCTION MACS: of the loop without a loop in it
# that has most of these instructions, of MACS each.
count() {
    $objdump -d --no-show-raw-insn "$2" | awk -v name="$1" -v function_="<$3>:" \
        -v instruction="$4" -v macs="$5" '
        / <.*>:$/ { inside = $2 == function_ }
        !inside || !/^ *[0-9a-f]+:/ { next }
        {
            sub(/ *\/\/.*/, "")
            n++
            at[$1] = n
            word[n] = $2
            if ($2 ~ /^(b\.|cbn?z|tbn?z)/)
                target[n] = $(NF - 1) ":"
        }
        END {
            for (i = 1; i <= n; i++) {
                first = i in target && target[i] in at ? at[target[i]] : i
                if (first >= i) continue
                found = 0
                for (j = first; j <= i; j++) {
                    if (word[j] ~ /^(b|br|ret)$/ ||
                        (j < i && j in target && at[target[j]] <= j))
                        found = -1e9
                    found += word[j] ~ "^(" instruction ")$"
                }
                if (found > most) { most = found; from = first; to = i }
            }
            for (j = from; j <= to; j++) {
                loads += word[j] ~ /^(ldr|ldp|ldur|ld1r?)$/
                moves += word[j] ~ /^(zip|trn|uzp|dup|ext|ins|mov|sh?ll?$|shl|and|bic)/
            }
            all = to - from + 1
            printf "| %s | %d | %d | %d | %d | %.1f |\n", name, all, most,
                loads, moves, most * macs / all
        }'
}

echo "| tier | instructions | products | loads | moves | MACs an instruction |"
echo "|---|---|---|---|---|---|"
at=vit/kernels/arm/libtomevit
count "f32, neon" ${at}_neon_la-neon.o multiply fmla 4
count "bf16, neon" ${at}_neon_la-bf16_neon.o tile fmla 4
count "bf16, neon-bf16" ${at}_neonbf16_la-bf16_neonbf16.o tile bfmmla 16
count "int8, neon" ${at}_neon_la-int8_neon.o tile 'smull2?|smlal2?' 8
count "int8, neon-dotprod" ${at}_neondotprod_la-int8_neondotprod.o tile sdot 16
count "int8, neon-i8mm" ${at}_neoni8mm_la-int8_neoni8mm.o tile smmla 32

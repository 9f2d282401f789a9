#!/bin/sh
# SPDX-License-Identifier: MIT
# --method @FILE: every command merges as the file says, which is as the same
# options would have it; what it says is in the reports and pinned by journals;
# nothing else may say it too.
. "${srcdir:-.}/tests/guard.sh"
. "${srcdir:-.}/tests/command.sh"

"$build/data/make-images" --count 16 pictures || fail "no pictures"
one=$(find pictures -type f | LC_ALL=C sort | head -n 1)

printf '# found\nmethod=tome\nr=8:6:4:2:0:0:0:0:0:0:0:0\nmetric=X # rows\n' >file
said="--method tome --schedule 8,6,4,2 --metric X"
printf 'method=upward\nthreshold=0.0004 prop=0' >bounds

# What there is to compare of a report, without times and the names given.
merged() {
    tr -d ' \n' <"$1" | sed 's/.*"similarity"//; s/"dtype".*//'
    "$fixture" json "$1" top1 2>/dev/null
}
for command in "classify $one" "eval pictures"; do
    run 0 $command --method @file --json by-file.json
    run 0 $command $said --json by-options.json
    merged by-file.json >by-file
    merged by-options.json >by-options
    test -s by-file || fail "$command: nothing to compare"
    cmp by-file by-options || fail "$command merges otherwise"
    run 0 $command --json none.json
    merged none.json >none
    cmp -s by-file none && fail "$command merges nothing"
done
run 0 embed pictures --method @file -o file.npy --quiet
run 0 embed pictures $said -o options.npy --quiet
cmp file.npy options.npy || fail "embed merges otherwise"
run 0 embed pictures -o none.npy --quiet
cmp -s file.npy none.npy && fail "embed merges nothing"
run 0 visualize "$one" --method @file -o file.png
run 0 visualize "$one" --r 0 -o none.png
cmp -s file.png none.png && fail "visualize merges nothing"
run 0 bench --method @file --seconds 0.01 --batch 1 --json b.json --quiet
holds b.json runs.0.tokens_left
grep -qx 177 values || fail "bench: $(cat values)"

# In a list it is one of several, and the others' r or budget is not for it.
run 0 sweep pictures --method @bounds,tome --json s.json --quiet --r 4
run 0 sweep pictures --method tome,@file,@bounds --r 4 --json s.json --quiet
holds s.json runs.1.series runs.2.series runs.2.method runs.2.method_options \
    runs.2.tokens_left runs.3.method runs.3.prop_attn
printf '"tome"\n"@file"\n"tome"\n' >expected
printf '"r=8:6:4:2:0:0:0:0:0:0:0:0,metric=X"\n177\n"upward"\nfalse\n' >>expected
cmp values expected || fail "sweep: $(cat values)"
run 0 sweep pictures --method threshold,@file --budget 0.25 --calibrate 4 \
    --json s.json --quiet
holds s.json runs.1.budget runs.2.series runs.2.tokens_left
printf '0.25\n"@file"\n177\n' >expected
cmp values expected || fail "with a budget: $(cat values)"

# A journal goes by what is in the file.
run 0 eval pictures --method @file --resume journal --quiet
run 0 eval pictures --method @file --resume journal --quiet
sed 's/8:6/8:5/' file >other && mv other file
run 2 eval pictures --method @file --resume journal --quiet
says err "files of --method"

# The manual's program that reads one is a program.
readme=$srcdir/vit/README.md
case $readme in /*) ;; *) readme=$OLDPWD/$readme ;; esac
sed -n '/^```c$/,/^```$/p' "$readme" | grep -v '^```' >example.c
grep -q tomevit_merging_read example.c || fail "no example in vit/README.md"
${CC:-cc} -std=c11 -Wall -Werror -I"${readme%vit/*}include" -c -o example.o \
    example.c || fail "the example of vit/README.md is not C"

# Refused in one line, by name.
for option in "--r 4" "--schedule 4" "--merge-ratio 0.1" "--similarity cosine" \
    "--metric K" "--combine max" "--prop-attn on" "--seed 1" "--stride 2" \
    "--rope-merge mean" "--ema-merge rows" "--method-options keep=1"; do
    run 2 eval pictures --method @file $option
    says err "@file says how tokens merge: ${option% *} is not for it"
done
run 2 sweep pictures --method tome,@file --metric K
says err "--metric is not for it"
run 2 sweep pictures --method @file --budget 0.2
says err "--budget is not for it"
run 2 eval pictures --method @nowhere
says err "nowhere: No such file"
refused() {
    printf '%s' "$1" >bad
    run 2 eval pictures --method @bad
    says err "bad: $2"
    test "$(wc -l <err)" = 1 || fail "in more than a line: $(cat err)"
}
refused 'r=8' "expected method=NAME of a method, found none"
refused 'method=tomes r=8' "expected method=NAME of a method, found tomes"
refused 'method=tome' "no r"
refused 'method=tome r=8 r=8' "twice the key 'r'"
refused 'method=tome r=1:2' "r of other layers than the model's: '1:2'"
refused 'method=tome r=8 margin=1' "'margin' is no option of method tome"
refused 'method=tome r=8 combine=most' "combine 'most'"
refused 'method=evit keep=0.5 r=8' "r beside"
run 2 eval pictures --method @file --json file
says err "is the input 'file'"
exit $status

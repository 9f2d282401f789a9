#!/bin/sh
# SPDX-License-Identifier: MIT
# --max-memory: within any limit the command does what it would have done, or
# names the limit in one line and exits with 1; a picture that would take more
# than a quarter of it is refused by name, and the rest go on. Whatever is asked
# for, the kernel gives no more: what a file claims cannot matter.
. "${srcdir:-.}/tests/guard.sh"
srcdir=$(cd "$srcdir" && pwd) # command.sh leaves the build folder
. "$srcdir/tests/command.sh"

test -z "$SANITIZED" || skip "the sanitizers take what memory they like"
"$fixture" model plain.safetensors 2 '{"num_heads": "3"}' || fail "no model"
"$tomerge" inspect plain.safetensors --max-memory 1G >out 2>err || {
    grep -q "no such limit" err && skip "$(cat err)"
    fail "1G does not do"
}
OMP_DISPLAY_ENV=verbose "$tomerge" inspect 2>&1 | grep -q KMP_ &&
    skip "LLVM's OpenMP does not survive that memory is refused to it"
OMP_NUM_THREADS=2
export OMP_NUM_THREADS
for class in a b; do
    mkdir -p pictures/$class tiles/$class
    for i in 1 2 3; do
        "$fixture" image pictures/$class/$i.png 40 40 $i || fail "no image"
        "$fixture" image tiles/$class/$i.png 4 4 $i || fail "no image"
    done
done
layouts=$srcdir/tests/fixtures/layouts
bytes=$srcdir/tests/fixtures/bytes/gelu.safetensors

# ---- any limit

limits="1K 100K 200K 400K 1M 2M 5M 16M 64M 256M"
while read -r command; do
    "$tomerge" $command >out 2>err || { fail "$command"; cat err; }
    rm -f written written.*
    refused=0 done=0
    for limit in $limits; do
        "$tomerge" $command --max-memory $limit >out 2>err </dev/null
        got=$?
        rm -f written written.*
        if test $got = 0; then
            done=$((done + 1))
        elif test $got = 1 && test "$(wc -l <err)" = 1 &&
            grep -q -- '--max-memory\|^libgomp: ' err; then
            refused=$((refused + 1))
            test $done = 0 || fail "$command: not with $limit, but with less"
        else
            fail "$command with $limit: exit status $got"
            sed 's/^/    /' err
        fi
    done
    all=$((${all-0} + refused)) # a small model may do with what is there
    test $done -gt 0 || fail "$command is always refused"
done <<EOT
eval -q --model plain.safetensors pictures --r 2 --predictions written
sweep -q --model plain.safetensors pictures --r 0,2 --html written
classify -q --model plain.safetensors pictures
embed -q --model plain.safetensors pictures -o written
visualize -q --model plain.safetensors pictures/a/1.png -o written
convert $layouts/deit3.pth -o written
inspect $layouts/google.npz
inspect $layouts/hf_clip
inspect $layouts/deit3.pth
density -q --model $bytes tiles --csv written
compress -q --model $bytes tiles -o written
EOT

test $all -gt 20 || fail "only $all runs were refused"

# ---- large pictures: the same ones whatever the threads

"$fixture" image pictures/a/large.png 2400 2400 1 || fail "no large image"
for threads in 1 2 5; do
    run 3 classify -q --model plain.safetensors pictures --max-memory 40M \
        --threads $threads
    lines err 1
    says err "pictures/a/large.png: "
    says err "more than the limit of 3495253"
    lines out 6
done
run 0 classify -q --model plain.safetensors pictures --max-memory 400M
lines out 7
run 2 classify --model plain.safetensors pictures --max-memory 0
says err "--max-memory: '0' is not a size such as 512M"

# ---- a journal knows it

run 3 eval -q --model plain.safetensors pictures --max-memory 40M --resume journal
run 2 eval -q --model plain.safetensors pictures --resume journal
says err "--max-memory"
exit $status

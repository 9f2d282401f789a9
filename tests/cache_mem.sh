#!/bin/sh
# SPDX-License-Identifier: MIT
# --cache-mem: what a sweep holds of images that wait for the model is as much
# as it was given, not more by a twentieth. Two sweeps that differ in that alone
# differ so much in their peak of memory.
. "${srcdir:-.}/tests/guard.sh"
srcdir=$(cd "$srcdir" && pwd) # command.sh leaves the build folder
. "$srcdir/tests/command.sh"

test -z "$SANITIZED" || skip "the sanitizers take what memory they like"
test "$(uname)" = Linux || skip "peaks of memory are read as Linux gives them"
${CC:-cc} -std=c11 -O1 -o peak "$srcdir/tests/faults/peak.c" ||
    skip "no compiler for a program that reads peaks"
"$fixture" model plain.safetensors 1 '{"num_heads": "3"}' || fail "no model"
mkdir -p set/a
"$fixture" image set/a/1.png 40 40 1 || fail "no image"
# 3.2 kB an image with what is known of it: more than 36 MB
awk 'BEGIN { while (i++ < 12000) print "set/a/1.png" }' >list

# peak SIZE: the peak of a sweep with so much, in kB
peak() {
    ./peak "$tomerge" sweep -q --model plain.safetensors --r 0,2 --list list \
        --batch 8 --cache-mem "$1" --html "$1.html" >out 2>err </dev/null ||
        { fail "a sweep with $1 ends with $?"; cat err; }
    tail -n 1 out
}
less=$(peak 4M)
more=$(peak 36M)
given=$((32 * 1024))
echo "with 4M: $less kB, with 36M: $more kB, apart $((more - less)) of $given"
test $((more - less)) -le $((given * 105 / 100)) || fail "it takes more"
test $((more - less)) -ge $((given * 95 / 100)) || fail "it is not used"
exit $status

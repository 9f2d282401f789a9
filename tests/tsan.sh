#!/bin/sh
# SPDX-License-Identifier: MIT
# The library and its test of threads, both built under ThreadSanitizer, find
# no race. Without OpenMP, which races.sh is about, and on the fastest tiers
# there are.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "another sanitizer is in use"
flags="-std=c11 -O1 -g -ffp-contract=off -fsanitize=thread -pthread"
echo 'int main(void) { return 0; }' >"$scratch/probe.c"
${CC:-cc} $flags -o "$scratch/probe" "$scratch/probe.c" 2>/dev/null ||
    skip "${CC:-cc} has no ThreadSanitizer"
# It wants its shadow where some kernels put programs at random.
run=
"$scratch/probe" 2>/dev/null || run="setarch -R"
$run "$scratch/probe" 2>/dev/null || skip "ThreadSanitizer does not run here"

set -- "$srcdir"/tomerge/*.c
case $(printf '#ifdef __x86_64__\nx86\n#elif defined(__aarch64__)\narm\n#endif\n' |
    ${CC:-cc} -E -P -) in
*x86*) set -- "$@" -DTOMERGE_TIERS "$srcdir"/tomerge/x86/*.c ;;
*arm*) set -- "$@" -DTOMERGE_TIERS "$srcdir"/tomerge/arm/*.c ;;
esac
${CC:-cc} $flags -I"$srcdir/include" -o "$scratch/threads" \
    "$srcdir/tests/test_threads.c" "$@" -lm ||
    { fail "the library does not compile"; exit 1; }
TSAN_OPTIONS="halt_on_error=1 exitcode=66" $run "$scratch/threads" ||
    fail "the sanitizer or the test found something"
exit $status

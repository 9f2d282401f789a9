#!/bin/sh
# SPDX-License-Identifier: MIT
# No race in the command: its threads that read images, those that carry them
# through the network, merging and all, under ThreadSanitizer. It knows of
# OpenMP's barriers from LLVM's runtime and Archer alone, so this needs clang;
# scalar kernels, as the others hand out the same work.
. "${srcdir:-.}/tests/guard.sh"
srcdir=$(cd "$srcdir" && pwd) # command.sh leaves the build folder
. "$srcdir/tests/command.sh"

test -z "$SANITIZED" || skip "another sanitizer is in use"
test -n "$OPENMP_CFLAGS" || skip "no OpenMP"
flags="-std=c11 -O1 -g -ffp-contract=off -fsanitize=thread $OPENMP_CFLAGS"
TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66"
export TSAN_OPTIONS

# probe ORDER: two threads write to one place, with ORDER between them
probe() {
    cat >probe.c <<EOT
int main(void)
{
    int sum = 0;
#pragma omp parallel num_threads(2)
    {
$1
        sum++;
    }
    return sum != 2;
}
EOT
    $CC $flags -o probe probe.c 2>/dev/null && setarch -R ./probe 2>/dev/null
}
probe '#pragma omp critical' ||
    skip "$CC has no ThreadSanitizer that knows OpenMP (clang and Archer do)"
probe '' && skip "ThreadSanitizer finds nothing"

mkdir objects
sed -E 's/^#define HAVE_(AVX|AMX|NEON).*//' "$build/config.h" >config.h
flags="$flags -I. -I$build -I$srcdir/include -DPKGDATADIR=\".\""
export flags
(cd "$srcdir" && find src vit tomerge -name '*.c' ! -path '*/x86/*' \
    ! -path '*/arm/*' ! -path '*/python/*' ! -path '*/examples/*') |
    xargs -P 2 -I{} sh -c \
        '$CC $flags -c -o "objects/$(echo {} | tr / _).o" "$srcdir/{}"' ||
    { fail "the command does not compile"; exit 1; }
$CC $flags -o raced objects/*.o $COMMAND_LIBS ||
    { fail "the command does not link"; exit 1; }
rm objects/src_main.c.o
$CC $flags -pthread -o contexts "$srcdir/tests/test_contexts.c" objects/*.o \
    $COMMAND_LIBS || { fail "test_contexts.c does not link"; exit 1; }

# Eight threads with contexts of their own on one model.
setarch -R ./contexts >out 2>err </dev/null ||
    { fail "contexts on one model"; head -n 40 out err; }

"$fixture" model plain.safetensors 3 '{"num_heads": "3"}' || fail "no model"
for class in a b c; do
    mkdir -p pictures/$class
    for i in 1 2 3 4 5 6; do
        "$fixture" image pictures/$class/$i.png 40 40 $i || fail "no image"
    done
done
# races ARGUMENT...: none, and the command succeeds
races() {
    setarch -R ./raced "$@" --model plain.safetensors >out 2>err </dev/null
    got=$?
    test $got = 0 || { fail "$*: exit status $got"; head -n 40 err; }
}
# Batches that threads share out alone, together, and both.
for threads in 2 3; do
    for batch in 1 4 7; do
        races eval pictures --r 2 --threads $threads --batch $batch
    done
done
for dtype in bf16 int8; do
    races eval pictures --r 2 --threads 3 --batch 7 --dtype $dtype
done
races eval pictures --r 2 --threads 3 --batch 4 --metric X --resume journal
races sweep pictures --r 0,2 --threads 3 --batch 7
races classify pictures/a/1.png pictures/b/2.png --r 2 --threads 3
exit $status

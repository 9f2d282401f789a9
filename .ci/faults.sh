# SPDX-License-Identifier: MIT
# Stages of .ci/run that take long and are asked for by name: the suites on
# other machines than ours, under valgrind, under checks that the sanitizers
# leave out, and what the analyzers say. Sourced by .ci/run, after emulated.sh.

# Every suite, but for models and images that are not ours to ship.
built_suites() {
    (cd "$1" && find tests -name 'test_*' -o -name 'fuzz_*' |
        grep -v '\.' | while read -r suite; do
            test -f "$suite" && test -x "$suite" && echo "$suite"
        done | sort)
}

# Half of all the time goes into these two where there is the scalar tier alone.
# What is slower by tens leaves them to the other stages; test_parts has the same
# types in smaller models.
slow_tests='forward/same_bits_in_bf16_and_int8
    bytes/of_the_demonstration_are_near_in_bf16_and_int8'

# check_with BUILD COMMAND: all of them, each run by the command.
check_with() {
    TOMERGE_SHARED=/none make -C "$1" -j"$JOBS" check \
        TESTS="$(built_suites "$1" | tr '\n' ' ')" \
        LOG_COMPILER="$(echo $2)" && return 0
    cat "$1"/tests/*.log "$1"/tests/fuzz/*.log | grep -B 5 '^not ok'
    return 1
}

# On 32-bit x86 or a big-endian machine: the scalar tier, which is what they
# have. Programs of the former need no emulator here, only its libraries.
other_machine() {
    root=$logs/$1/root
    build_emulated "$1" "$logs/$1" "build-$1" || return 1
    case $1 in
    i386) run="$root/lib/ld-linux.so.2 --library-path
        $root/lib/$multiarch:$root/usr/lib/$multiarch" ;;
    *) run="$emulator -L $root"
       PLAIN_LEFT_OUT=$(echo $slow_tests)
       export PLAIN_LEFT_OUT ;;
    esac
    check_with "build-$1" "$run"
    result=$?
    unset PLAIN_LEFT_OUT
    return $result
}

# The suites on the runner of tests/plain, which starts no programs, without
# threads and tiers: plain_build BUILD FLAG...
plain_build() {
    build=$1
    top=$PWD
    shift
    test -f configure || autoreconf -fi || return 1
    mkdir -p "$build" && (
        cd "$build" || exit 1
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Werror \
            -I"$top/tests/plain" -c -o runner.o "$top/tests/plain/runner.c" &&
            ar rcs librunner.a runner.o || exit 1
        test -f Makefile || "$top/configure" -q --disable-shared \
            --disable-openmp CRITERION_CFLAGS="-I$top/tests/plain" \
            CRITERION_LIBS="$PWD/librunner.a -lm" $no_tiers "$@" || exit 1
        make -j"$JOBS" && make -j"$JOBS" check TESTS=
    )
}

# Reads of what was never written or is gone, and leaks. libjpeg-turbo by its
# plain C, whose pixels are the same: of the last columns that its SSE2 makes,
# valgrind says that they depend on bytes behind the row, and they do not.
memcheck() {
    plain_build build-memcheck CFLAGS="-O3 -g" &&
        (JSIMD_FORCENONE=1
         PLAIN_LEFT_OUT=$(echo $slow_tests)
         export JSIMD_FORCENONE PLAIN_LEFT_OUT
         check_with build-memcheck "valgrind -q --error-exitcode=9
             --leak-check=full --errors-for-leak-kinds=definite")
}

# Numbers that wrap, and conversions that change them, which C allows and few
# mean: where one is meant the function says so (TM_WRAPS) or the cast.
integer() {
    (CC=clang
     export CC
     plain_build build-integer CFLAGS="-O1 -g" \
         --enable-sanitizers=undefined,integer,implicit-conversion) &&
        check_with build-integer "env UBSAN_OPTIONS=print_stacktrace=1"
}

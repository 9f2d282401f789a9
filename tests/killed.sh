# SPDX-License-Identifier: MIT
# For tests that kill the command in the middle of a line of its journal, which
# is the same one on any machine (faults/kill.c). Sourced after guard.sh, before
# command.sh.
kill=$scratch/kill.so
${CC:-cc} -std=c11 -O1 -fPIC -shared -o "$kill" "$srcdir/tests/faults/kill.c" \
    -ldl || fail "no library to preload"
# AddressSanitizer wants to be told that somebody may come before it.
no_order=verify_asan_link_order=0

# dies_in LINE JOURNAL ARGUMENT...: tomerge, in the middle of the LINE-th line
# that it adds. The journal then has the lines before that, what it had is as
# it was, and its last line is torn.
dies_in() {
    line=$1
    grown=$2
    shift 2
    : >was
    test ! -e "$grown" || head -n "$(wc -l <"$grown")" "$grown" >was
    had=$(wc -l <was)
    ASAN_OPTIONS=$no_order LD_PRELOAD=$kill KILL_AT=$line \
        "$tomerge" "$@" >out 2>err </dev/null
    got=$?
    test $got = 137 ||
        { fail "not killed in line $line: exit status $got"; cat err; }
    head -n "$had" "$grown" | cmp -s - was ||
        fail "killed in line $line: what it had before is changed"
    test "$(wc -l <"$grown")" = $((had + line - 1)) ||
        fail "killed in line $line: not so many lines more than $had"
    test "$(tail -c 1 "$grown" | wc -l)" = 0 ||
        fail "killed in line $line: the last line is not torn"
}

# done_in JOURNAL: how many images its whole lines are about
done_in() {
    sed -n 's/^{"from":[0-9]*,"to":\([0-9]*\),.*}$/\1/p' "$1" | tail -n 1
}

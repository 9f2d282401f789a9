# SPDX-License-Identifier: MIT
# What the tests of the command share; sourced after guard.sh. `subcommand` is
# put before the arguments of run, where a script is about one.

build=$(pwd -P)
tomerge=$build/src/tomerge
fixture=$build/tests/fixture
test -x "$tomerge" || skip "the command is not built"
test -x "$fixture" || skip "tests/fixture needs Criterion to be built"
cd "$scratch" || exit 99
LC_ALL=C
export LC_ALL

subcommand=

# run STATUS ARGUMENT...: output in ./out, errors in ./err
run() {
    expected=$1
    shift
    "$tomerge" $subcommand "$@" >out 2>err </dev/null
    got=$?
    test $got = "$expected" && return 0
    fail "tomerge $subcommand $*: exit status $got instead of $expected"
    sed 's/^/    /' err
}
# Can a limit on the size of files stand for a full disk? LLVM's OpenMP keeps a
# file of its own in shared memory: cut short there it would outlive the command
# and kill a later one of the same number (SIGBUS).
files_can_be_limited() {
    ! OMP_DISPLAY_ENV=verbose "$tomerge" inspect 2>&1 | grep -q KMP_
}
# says FILE TEXT: a line of the file holds the text
says() { grep -qF -- "$2" "$1" || { fail "no '$2' in"; sed 's/^/    /' "$1"; }; }
lines() { test "$(wc -l <"$1")" -eq "$2" || { fail "not $2 lines:"; cat "$1"; }; }
# holds FILE NAME...: JSON that has these names; their values in ./values
holds() {
    file=$1
    shift
    "$fixture" json "$file" "$@" >values || fail "JSON lacks a name"
}

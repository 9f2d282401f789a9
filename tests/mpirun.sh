# SPDX-License-Identifier: MIT
# For tests of several processes of one run. Sourced after guard.sh, before
# command.sh.
. "$srcdir/tests/killed.sh"

# needs_mpi: skips the rest where the build has no MPI, or mpirun starts nothing
needs_mpi() {
    grep -q '^#define HAVE_MPI' "$build/config.h" || {
        test $status = 0 && skip "the rest needs a build --with-mpi"
        exit $status
    }
    tool mpirun || skip "no mpirun"
    mpirun -n 2 true >out 2>err || skip "mpirun cannot start processes here"
}

OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
export OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_btl

# launch ARGUMENT...: mpirun, whose programs are "$rank", the command with the
# messages of each rank in a file of its own: mpirun hands them on in pieces,
# and may put words of its own between two of them.
rank=$scratch/rank
launch() {
    printf '#!/bin/sh\nexec "%s" "$@" 2>err.%s\n' "$tomerge" \
        '"$OMPI_COMM_WORLD_RANK"' >"$rank"
    chmod +x "$rank"
    rm -f err.[0-9]*
    mpirun "$@" 2>err.launch
    set -- $?
    cat err.[0-9]* err.launch >&2
    return $1
}

# mpi N STATUS ARGUMENT...: as N ranks on this machine
mpi() {
    ranks=$1
    expected=$2
    shift 2
    launch -n $ranks "$rank" "$@" >out 2>err </dev/null
    got=$?
    test $got = "$expected" && return 0
    fail "$ranks ranks of $*: exit status $got instead of $expected"
    sed 's/^/    /' err
}

# killed_at RANK LINE ARGUMENT...: four ranks, of which this one dies in that
# line of its journal, if it comes so far: how many it writes depends on how
# fast the others are. The first there always is. $kill_at counts otherwise.
kill_at=KILL_AT
killed_at() {
    victim=$1
    line=$2
    shift 2
    launch -n 4 -x LD_PRELOAD="$kill" -x KILL_RANK=$victim -x $kill_at=$line \
        "$rank" "$@" >out 2>err </dev/null
    got=$?
    if test $got = 3 && test $line != 1; then
        return 0
    fi
    killed=$((killed + 1))
    grep -qE "rank $victim .*(signal 9|Killed)" err ||
        { fail "rank $victim, killed in line $line: $got without a name:"
          cat err; }
}

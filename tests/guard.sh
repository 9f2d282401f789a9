# SPDX-License-Identifier: MIT
# What the guard scripts share; sourced. make check runs them in the build
# folder with srcdir and the tools that configure found in the environment.

srcdir=${srcdir:-.}
name=${0##*/}
status=0
fail() { echo "$name: $*"; status=1; }
skip() { echo "$name: skipped: $*"; exit 77; }
tool() { command -v "${1%% *}" >/dev/null 2>&1; }
case " ${TESTS_LEFT_OUT-} " in # names without their ending
*" ${name%.sh} "*) skip "another build runs it" ;;
esac
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

# The compiled files of the libraries and the command, one a line. A library
# compiles each file twice, for shared and for static use; both count.
objects() {
    find "$@" -name '*.o' ! -path '*/.libs/*.lax/*'
}

# declared HEADER PREFIX: the functions a header declares, that is the words
# before "(" once comments and preprocessor lines are gone.
declared() {
    ${CC:-cc} -E -P -I"$srcdir/include" - <<EOT | tr -s '[:space:]' ' ' |
$(sed 's/^#include <.*//' "$1")
EOT
        sed 's/static inline [^{]*{[^}]*}//g' |
        grep -oE '\b[A-Za-z_][A-Za-z0-9_]* ?\(' | tr -d ' (' |
        grep -vE '^(__attribute__|sizeof)$' | grep "^$2_" | sort -u
}

# SPDX-License-Identifier: MIT
# What the guard scripts share; sourced. make check runs them in the build
# folder with srcdir and the tools that configure found in the environment.

srcdir=${srcdir:-.}
name=${0##*/}
status=0
fail() { echo "$name: $*"; status=1; }
skip() { echo "$name: skipped: $*"; exit 77; }
tool() { command -v "${1%% *}" >/dev/null 2>&1; }
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

# The compiled files of the libraries and the command, one a line. A library
# compiles each file twice, for shared and for static use; both count.
objects() {
    find "$@" -name '*.o' ! -path '*/.libs/*.lax/*'
}

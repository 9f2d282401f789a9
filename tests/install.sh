#!/bin/sh
# SPDX-License-Identifier: MIT
# What make install leaves is enough to build against: a program compiles,
# links and runs with nothing but each library's pkg-config file, against the
# shared and against the static library.
. "${srcdir:-.}/tests/guard.sh"

test -z "$SANITIZED" || skip "a sanitized library wants a sanitized program"
pkg_config=${PKG_CONFIG:-pkg-config}
tool "$pkg_config" || skip "no pkg-config"
root=$scratch/root
unset MAKEFLAGS MFLAGS MAKELEVEL
${MAKE:-make} install DESTDIR="$root" >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    fail "make install failed"
    exit 1
}
set -- $(find "$root" -name libtomerge.pc)
test $# = 1 || { fail "libtomerge.pc is not installed once"; exit 1; }
pc=${1%/*}
libdir=${pc%/pkgconfig}
PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_ALLOW_SYSTEM_LIBS=
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR

# build LIBRARY FUNCTION FLAGS KIND: FUNCTION needs all the libraries ours
# needs; pkg-config gets FLAGS.
build() {
    cat >"$scratch/$1.c" <<EOT
#include <$1.h>
#include <stdio.h>
void (*volatile function)(void);
int main(void)
{
    function = (void (*)(void))$2;
    printf("%s\n", $1_version_string());
    return $1_version() != TOMERGE_VERSION || !function;
}
EOT
    flags=$($pkg_config --cflags "lib$1") &&
        libs=$($pkg_config $3 --libs "lib$1") || fail "no flags for lib$1"
    ${CC:-cc} $CFLAGS $flags -o "$scratch/$1" "$scratch/$1.c" $LDFLAGS \
        $libs || { fail "lib$1 does not link ($4)"; return; }
    version=$(LD_LIBRARY_PATH=$libdir "$scratch/$1") ||
        fail "a program with lib$1 does not run ($4)"
    test "$version" = "$($pkg_config --modversion "lib$1")" ||
        fail "lib$1 says $version ($4)"
}

both() {
    build tomerge tomerge_match_batch "$1" "$2"
    build tomevit tomevit_open "$1" "$2"
}

# A CMake project that asks for this version, and for one that is not here.
with_cmake() {
    cmake --version >/dev/null 2>&1 ||
        { echo "# no cmake: its package is not tried ($1)"; return; }
    rm -rf "$scratch/project"
    mkdir "$scratch/project"
    cp "$scratch/tomerge.c" "$scratch/project/main.c"
    version=$($pkg_config --modversion libtomerge)
    cat >"$scratch/project/CMakeLists.txt" <<EOT
cmake_minimum_required(VERSION 3.10)
project(user C)
find_package(tomerge 2 QUIET CONFIG)
if(tomerge_FOUND)
    message(FATAL_ERROR "version 2 is said to be here")
endif()
find_package(tomerge ${version%.*} REQUIRED CONFIG)
add_executable(user main.c)
target_link_libraries(user tomerge::tomerge)
EOT
    { cmake -S "$scratch/project" -B "$scratch/project/build" \
        -DCMAKE_C_FLAGS="$CFLAGS" \
        -DCMAKE_PREFIX_PATH="${libdir%/lib*}" &&
        cmake --build "$scratch/project/build"; } >"$scratch/log" 2>&1 ||
        { cat "$scratch/log"; fail "CMake does not build ($1)"; return; }
    LD_LIBRARY_PATH=$libdir "$scratch/project/build/user" |
        grep -qx "$version" || fail "CMake's program does not run ($1)"
}

test -e "$libdir/libtomerge.so" && both "" shared && with_cmake shared
if test -e "$libdir/libtomerge.a"; then
    rm -f "$libdir"/*.so*
    both --static static
    with_cmake static
fi
for file in include/tomerge.h include/tomevit.h include/tomevit_bytes.h \
    include/tomevit_methods.h \
    bin/tomerge man3/tomerge.3 man3/tomerge_merge.3 man3/tomerge_unmerge.3; do
    test -n "$(find "$root" -path "*/$file")" || fail "$file is not installed"
done
for link in $(grep -l '^\.so man3/' "$root"/*/man/man3/*.3 \
    "$root"/*/*/man/man3/*.3 "$root"/*/*/*/man/man3/*.3 2>/dev/null); do
    page=$(sed -n 's/^\.so //p' "$link")
    test -f "${link%/man3/*}/$page" || fail "${link##*/} leads nowhere"
done
exit $status

# SPDX-License-Identifier: MIT
# What ./quickstart, ./run-tests and .ci/run share: finding what a build
# needs, getting it through apt where that is allowed, configuring, building.
# Sourced by a POSIX shell whose working directory is the top of the source
# tree.
#
#   BUILD            where to build                      (build)
#   JOBS             how many jobs make runs             (one a processor)
#   CONFIGURE_FLAGS  arguments for configure             (none)

BUILD=${BUILD:-build}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)}
missing=

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
have_library() { have pkg-config && pkg-config --exists "$1"; }

# Takes the whole chain: the compiler, its libraries' headers, the linker.
have_compiler() {
    scratch=$(mktemp -d) || return 1
    echo 'int main(void) { return 0; }' >"$scratch/a.c"
    ${CC:-cc} -include stdio.h -o "$scratch/a" "$scratch/a.c" 2>/dev/null
    works=$?
    rm -rf "$scratch"
    return $works
}

# need PACKAGES TEST...: the packages are missing if the test fails.
need() {
    packages=$1
    shift
    "$@" || missing="$missing $packages"
}

need_to_build() {
    if ! test -f configure; then
        need autoconf have autoreconf
        need automake have automake
        need libtool have libtoolize
    fi
    need make have make
    need "gcc libc6-dev" have_compiler
    need pkg-config have pkg-config
    need libpng-dev have_library "libpng >= 1.6"
    need libjpeg-dev have_library libjpeg
    need libwebp-dev have_library libwebpdemux
    need zlib1g-dev have_library zlib
    need libarchive-dev have_library libarchive
    need libdeflate-dev have_library libdeflate
    need libutf8proc-dev have_library libutf8proc
    need libjansson-dev have_library "jansson >= 2.7"
}

need_to_test() {
    need libcriterion-dev have_library "criterion >= 2.4"
}

# Installs $missing, or says how to and stops. Being root or having sudo
# without a password is taken as leave to install.
install_missing() {
    test -n "$missing" || return 0
    as_root=
    line="apt-get install -y --no-install-recommends$missing"
    if ! have apt-get; then
        die "needed, under Debian's names, and not found:$missing"
    elif test "$(id -u)" != 0; then
        as_root="sudo -n"
        if ! { have sudo && sudo -n true; } 2>/dev/null; then
            say "Something is missing. This installs it:"
            say "    sudo $line"
            exit 1
        fi
    fi
    say "Installing:$missing"
    { $as_root apt-get update -q &&
          $as_root env DEBIAN_FRONTEND=noninteractive $line
    } </dev/null >/dev/null || die "this failed: $line"
    missing=
}

# Configures if that was never done, was done with other arguments, or
# without Criterion which is there now; make does the rest of the tracking.
configure_build() {
    wanted="${CC-}|${CFLAGS-}|${CONFIGURE_FLAGS-}"
    have_library criterion && wanted="$wanted|criterion"
    test -f configure || autoreconf -fi || die "autoreconf failed"
    mkdir -p "$BUILD" || exit 1
    if test -f "$BUILD/Makefile" &&
        test "$(cat "$BUILD/.wanted" 2>/dev/null)" = "$wanted"; then
        return 0
    fi
    source_dir=$PWD
    (cd "$BUILD" && "$source_dir/configure" -q ${CONFIGURE_FLAGS-}) ||
        die "configure failed; see $BUILD/config.log"
    printf '%s\n' "$wanted" >"$BUILD/.wanted"
}

# SPDX-License-Identifier: MIT
# A build for another architecture, whose tests run in an emulator of user
# programs. Sourced by .ci/run, after setup.sh; nothing of the system changes
# but for the compiler and the emulator that are installed.
#
# The libraries of that architecture are Debian's packages, unpacked into a
# folder of ours: apt finds them by lists of its own.

# emulated_names ARCHITECTURE: the names that compiler and emulator have for it,
# and what the folder of its libraries is called.
emulated_names() {
    case $1 in
    arm64) triplet=aarch64-linux-gnu emulator=qemu-aarch64 ;;
    s390x) triplet=s390x-linux-gnu emulator=qemu-s390x ;;
    i386) triplet=i686-linux-gnu emulator= multiarch=i386-linux-gnu; return ;;
    *) return 1 ;;
    esac
    multiarch=$triplet
}

get_emulator() {
    have "$triplet-gcc" && { test -z "$emulator" || have "$emulator"; } &&
        return 0
    have apt-get && test "$(id -u)" = 0 || return 1
    apt-get update -q &&
        apt-get install -y -q --no-install-recommends qemu-user \
            "gcc-$triplet"
}

# get_sysroot ARCHITECTURE FOLDER: what the build needs, once.
get_sysroot() {
    test -f "$2/done" && return 0
    have apt-get && have dpkg-deb || return 1
    rm -rf "$2" && mkdir -p "$2/root" "$2/apt/state/lists/partial" \
        "$2/apt/cache/archives/partial" && : >"$2/apt/status" || return 1
    cat >"$2/apt/conf" <<EOT
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "$2/apt/state";
Dir::State::status "$2/apt/status";
Dir::Cache "$2/apt/cache";
Debug::NoLocking "true";
EOT
    # Lists that do not come today need not be those of these packages.
    APT_CONFIG=$2/apt/conf apt-get update -q
    APT_CONFIG=$2/apt/conf apt-get install -y -q --download-only \
        libc6-dev libgcc-s1 libgomp1 libpng-dev libjpeg-dev libwebp-dev \
        zlib1g-dev libarchive-dev libdeflate-dev libutf8proc-dev \
        libjansson-dev || return 1
    for package in "$2"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$2/root" || return 1
    done
    # Links to /lib/... mean the folder's.
    find "$2/root" -type l -lname '/*' | while read -r link; do
        ln -sfn "$2/root$(readlink "$link")" "$link"
    done
    : >"$2/done"
}

# build_emulated ARCHITECTURE SYSROOT BUILD: the libraries, the command and the
# suites, on the runner of tests/plain.
build_emulated() {
    root=$2/root
    cross="$triplet-gcc --sysroot=$root"
    test -f configure || autoreconf -fi || return 1
    mkdir -p "$3" && (
        top=$PWD
        cd "$3" || exit 1
        $cross -std=c11 -D_GNU_SOURCE -O2 -Wall -Werror \
            -I"$top/tests/plain" -c -o runner.o "$top/tests/plain/runner.c" &&
            "$triplet-ar" rcs librunner.a runner.o || exit 1
        test -f Makefile || "$top/configure" -q --host="$triplet" \
            --enable-werror --disable-shared CC="$cross" \
            PKG_CONFIG_SYSROOT_DIR="$root" \
            PKG_CONFIG_LIBDIR="$root/usr/lib/$multiarch/pkgconfig" \
            CRITERION_CFLAGS="-I$top/tests/plain" \
            CRITERION_LIBS="$PWD/librunner.a -lm" || exit 1
        make -j"$JOBS" && make -j"$JOBS" check TESTS=
    )
}

# test_emulated SYSROOT BUILD CPU SUITE...: on one CPU of the emulator.
test_emulated() {
    root=$1/root
    build=$2
    cpu=$3
    shift 3
    echo "---- $emulator -cpu $cpu"
    find "$build/tests" -name '*.trs' -exec rm -f {} +
    TOMERGE_SHARED=/none make -C "$build" -j"$JOBS" check TESTS="$*" \
        LOG_COMPILER="$emulator -cpu $cpu -L $root"
    result=$?
    sed -n 's/^# \(PASS\|SKIP\|FAIL\|ERROR\): */\1 /p' "$build/test-suite.log" |
        tr '\n' ' '
    echo "on $cpu"
    test $result = 0 && return 0
    cat "$build"/tests/*.log | grep -B 5 '^not ok'
    return 1
}

# test_filtered SYSROOT BUILD CPU SUITE FILTER: a part of one, where the whole
# would take long.
test_filtered() {
    (cd "$2" && srcdir=.. OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive \
        TOMERGE_SHARED=/none "$emulator" -cpu "$3" -L "$1/root" "$4" \
        --filter "$5")
}

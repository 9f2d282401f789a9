# SPDX-License-Identifier: MIT
# A stage of .ci/run that is asked for by name: what the analyzers of clang and
# gcc say of each file that the libraries and the command are built of. Sourced
# by .ci/run, after setup.sh.
#
# Each finding has a line in analyzing.txt with the reason why the code is right
# there: the stage fails on a finding without one, and on one without a finding.
# Lines of code move, so that a finding is known by file and message. Headers
# outside the tree are left out.

# analyzed_build NAME: the libraries and the command, into a build of its own.
analyzed_build() {
    (BUILD=build-$1
     CONFIGURE_FLAGS=--disable-shared
     rm -rf "$BUILD"
     configure_build
     : >"$ANALYZED"            # configure compiles, too
     make -C "$BUILD" -j"$JOBS")
}

# findings TOOL: "TOOL | FILE | MESSAGE" of each warning read, once. A header is
# found by more than one way and from more than one file.
findings() {
    sed -n "s#$PWD/##
        s#^\(\.\./\)*\([^ :]*\):[0-9]*:[0-9]*: warning: #\2 | #
        /^[^ ]* | /!d
        : parent
        s#[^/ ]*/\.\./##
        t parent
        /^\//d
        s#^#$1 | #p" | sort -u
}

analyze() {
    mkdir -p "$logs/analyze" || return 1
    (CC=$PWD/.ci/analyzed-cc
     ANALYZED=$logs/analyze/clang.txt
     export CC ANALYZED
     analyzed_build analyze-clang) || return 1
    (CC=gcc
     CFLAGS="-O1 -fanalyzer -fdiagnostics-plain-output"
     ANALYZED=/dev/null
     export CC CFLAGS
     analyzed_build analyze-gcc) >"$logs/analyze/gcc.txt" 2>&1 ||
        { tail -n 20 "$logs/analyze/gcc.txt"; return 1; }
    { findings clang <"$logs/analyze/clang.txt"
      grep -F '[-Wanalyzer' "$logs/analyze/gcc.txt" | findings gcc
    } >"$logs/analyze/found"
    sed -n '/^\(clang\|gcc\) | /s/ *||.*//p' .ci/analyzing.txt | sort -u \
        >"$logs/analyze/known"
    LC_ALL=C sort -o "$logs/analyze/found" "$logs/analyze/found"
    LC_ALL=C sort -o "$logs/analyze/known" "$logs/analyze/known"
    LC_ALL=C comm -23 "$logs/analyze/found" "$logs/analyze/known" \
        >"$logs/analyze/new"
    LC_ALL=C comm -13 "$logs/analyze/found" "$logs/analyze/known" \
        >"$logs/analyze/gone"
    sed 's/^/found, and no reason is given: /' "$logs/analyze/new"
    sed 's/^/a reason is given, but it is not found: /' "$logs/analyze/gone"
    echo "$(wc -l <"$logs/analyze/found") findings," \
        "$(wc -l <"$logs/analyze/new") without a reason"
    ! test -s "$logs/analyze/new" && ! test -s "$logs/analyze/gone"
}

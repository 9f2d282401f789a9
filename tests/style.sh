#!/bin/sh
# SPDX-License-Identifier: MIT
# What a reader stumbles over: tabs, trailing blanks, a
# missing last newline, a file that does not name its licence.
. "${srcdir:-.}/tests/guard.sh"
cd "$srcdir" || exit 99

set -- $(find include tomerge vit src tests bench data -name '*.[ch]' \
    ! -path '*/python/build/*' 2>/dev/null)
test $# -gt 0 || fail "found no source"
for file in "$@"; do
    sed 1q "$file" | grep -qF '/* SPDX-License-Identifier: MIT */' ||
        fail "$file:1: no SPDX line"
    LC_ALL=C.UTF-8 awk -v file="$file" '
        /\t/ { print file ":" NR ": a tab"; bad = 1 }
        /[ \t\r]$/ { print file ":" NR ": a trailing blank"; bad = 1 }
        END { exit bad }' "$file" || status=1
    test -z "$(tail -c 1 "$file")" || fail "$file: no newline at the end"
done
set -- $(find tomerge/python tomerge/examples bench -name '*.py' \
    ! -path '*/python/build/*' 2>/dev/null)
for file in quickstart run-tests .ci/run .ci/setup.sh tests/*.sh "$@"; do
    sed 2q "$file" | grep -qF '# SPDX-License-Identifier: MIT' ||
        fail "$file: no SPDX line"
done
exit $status

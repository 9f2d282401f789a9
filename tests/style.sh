#!/bin/sh
# SPDX-License-Identifier: MIT
# What a reader stumbles over: tabs, trailing blanks, lines that are too wide, a
# missing last newline, a file that does not name its licence, functions and
# files that are too long. And what ties a build to someone's network: packages
# come by name, from wherever a machine's own clients look.
. "${srcdir:-.}/tests/guard.sh"
cd "$srcdir" || exit 99

COLUMNS=80
FUNCTION_LINES=100
FILE_LINES=500
LONG_LINES=900          # of suites and public headers, which are lists

set -- $(find include tomerge vit src tests bench data -name '*.[ch]' \
    ! -path '*/python/build/*' 2>/dev/null)
test $# -gt 0 || fail "found no source"
# A function begins with "{" and ends with "}" in the first column.
LC_ALL=C.UTF-8 awk -v columns=$COLUMNS -v function_lines=$FUNCTION_LINES \
    -v file_lines=$FILE_LINES -v long_lines=$LONG_LINES '
    function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
    function ended() {
        most = name ~ "^(tests|include)/" ? long_lines : file_lines
        if (lines > most)
            print name ": " lines " lines"
        bad = bad || lines > most
    }
    FNR == 1 {
        ended()
        name = FILENAME
        began = 0
        if ($0 != "/* SPDX-License-Identifier: MIT */")
            say("no SPDX line")
    }
    { lines = FNR }
    /\t/ { say("a tab") }
    /[ \t\r]$/ { say("a trailing blank") }
    length($0) > columns { say(length($0) " columns") }
    /^[ ]*(\|\||&&)/ { say("an operator begins a line") }
    /sizeof [*a-z]/ { say("sizeof without ()") }
    # A pointer is its own condition; NULL is named where a value is stored or
    # returned, or where it is assigned to within the condition.
    /^ *(\} else )?(if|while) \([^=]*[^)] [!=]= NULL/ {
        say("a pointer compared with NULL in a condition")
    }
    /^{/ { began = FNR }
    /^}/ {
        if (began && FNR - began > function_lines)
            say("a function of " FNR - began " lines")
        began = 0
    }
    END { ended(); exit bad }' "$@" || status=1
# Headers that no rule names are left out of the distribution.
cat Makefile.am $(find . -name Makefile.inc ! -path '*/python/build/*') \
    >"$scratch/rules"
for file in "$@"; do
    test -z "$(tail -c 1 "$file")" || fail "$file: no newline at the end"
    case $file in
    *.h) grep -qF "$file" "$scratch/rules" || fail "$file: in no Makefile.inc" ;;
    esac
done

set -- $(find tomerge/python tomerge/examples bench -name '*.py' \
    ! -path '*/python/build/*' 2>/dev/null)
for file in quickstart run-tests .ci/run .ci/setup.sh tests/*.sh "$@"; do
    sed 2q "$file" | grep -qF '# SPDX-License-Identifier: MIT' ||
        fail "$file: no SPDX line"
done

# So is a stage of .ci/run, which then ends before it began.
for file in .ci/*; do
    grep -qF "$file" "$scratch/rules" || fail "$file: in no Makefile.am"
done

# A script that notes its failures ends with them.
for file in tests/*.sh; do
    grep -q '^#!' "$file" && grep -q '/guard\.sh' "$file" || continue
    tail -n 1 "$file" | grep -q '^exit \$status$' ||
        grep -q '^test \$status = 0 || exit 1$' "$file" ||
        fail "$file does not end with its status"
done

# What the pages lead to is there, and the first of them is read to its end.
test "$(wc -l <README.md)" -le 150 || fail "README.md is over 150 lines"
for page in README.md CONTRIBUTING.md NEWS.md */README.md */python/README.md \
    bench/BENCHMARKS.md; do
    for link in $(grep -oE '\]\([^)]*\)' "$page" | tr -d '()]'); do
        case $link in *://*) continue ;; esac
        test -e "$(dirname "$page")/${link%%#*}" ||
            fail "$page leads to $link, which is not there"
    done
done

# CONTRIBUTING names files as they are; NAME, TIER and arm/ are yet to come.
for path in $(grep -oE '`(src|vit|tomerge|include|tests|bench|data)/[^` ]*`' \
    CONTRIBUTING.md | tr -d '`' | grep -vE 'NAME|TIER|/arm/'); do
    test -e "$path" || fail "CONTRIBUTING.md names $path, which is not there"
done

# Addresses of registries, and what hands them to a client. Each is written so
# that it does not find itself.
registry='([p]ypi|[p]ythonhosted|[c]onda|[a]naconda|[d]ownload\.pytorch'
registry="$registry|[r]egistry|[n]pmjs|[c]rates|[g]hcr|[q]uay|[d]ocker"
registry="$registry|[d]eb\.debian|[s]ecurity\.debian|[a]rchive\.ubuntu"
registry="$registry|[p]roxy\.golang|[r]ubygems|[m]aven)[a-z0-9.-]*\.[a-z]+"
option='--[i]ndex-url|--[e]xtra-index-url|--[f]ind-links|PIP_[A-Z_]*_?URL'
option="$option|[s]ources\.list"
find . \( -name .git -o -name 'build*' -o -name autom4te.cache -o -name m4 \
    -o -name _build -o -name _inst -o -name corpus \) -prune -o -type f \
    ! -name Makefile.in ! -name configure ! -name aclocal.m4 -exec \
    grep -InE -e "//([a-z0-9-]+\.)*$registry" -e "$option" /dev/null {} + \
    >"$scratch/registries"
test ! -s "$scratch/registries" ||
    fail "the address of a registry: $(cat "$scratch/registries")"
exit $status

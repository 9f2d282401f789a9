#!/bin/sh
# SPDX-License-Identifier: MIT
# The direction of knowledge is src -> vit -> tomerge: a file may include its
# own component's headers, the public headers below it, and nothing else.
# Also: no -march=native, and no path that exists on one machine only.
. "${srcdir:-.}/tests/guard.sh"
build=$PWD
cd "$srcdir" || exit 99

# includes FILE: the names between quotes
includes() {
    sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$1"
}

# layer FOLDER PUBLIC-HEADER...
layer() {
    folder=$1
    shift
    for file in $(find "$folder" -name '*.[ch]' ! -path '*/examples/*'); do
        for header in $(includes "$file"); do
            case " config.h $* " in *" $header "*) continue ;; esac
            path=$(dirname "$file")/$header
            inside=$(cd "$(dirname "$path")" 2>/dev/null && pwd -P)/
            case $inside in
            "$PWD/$folder/"*) test -f "$path" && continue ;;
            esac
            fail "$file includes \"$header\""
        done
        grep -nE '#[ \t]*include[ \t]*<(tomerge|tomevit)' "$file" &&
            fail "$file includes a header of its own project in <>"
    done
}

# within FOLDER, HEADER-OR-FOLDER/...: what the files of a folder may see of
# the folders beside it and of what lies above them.
within() {
    folder=$1
    shift
    test -d "$folder" || fail "no folder $folder"
    for file in "$folder"/*.[ch]; do
        for header in $(includes "$file"); do
            seen=${header#../}
            case $header in */*) ;; *) continue ;; esac
            case " $* " in
            *" $seen "*|*" $(dirname "$seen")/ "*) continue ;;
            esac
            fail "$file includes \"$header\""
        done
    done
}

PWD=$(pwd -P)
layer include tomerge.h tomevit.h
grep -q '"tomevit' include/tomerge.h &&
    fail "tomerge.h knows of tomevit.h"
grep -q '"tomevit_' include/tomevit.h &&
    fail "tomevit.h knows of what stands on it"
layer tomerge tomerge.h
layer vit tomerge.h tomevit.h tomevit_bytes.h tomevit_methods.h
# Within the model library each room knows only those before it.
within vit/base
within vit/kernels base/
within vit/kernels/vectors dsp.h low.h
within vit/kernels/x86 dsp.h low.h vectors/
within vit/kernels/arm dsp.h low.h vectors/
# What is written once for every vector width knows no architecture.
grep -nE '_mm|__m[0-9]|immintrin|arm_neon' vit/kernels/vectors/*.h \
    tomerge/vectors/*.h && fail "a template names an instruction set"
within vit/pixels base/
within vit/pixels/x86 resample.h
within vit/network base/
# A file's bytes become tensors, tensors get timm's names, and those are
# described: each step knows only the ones before it.
within vit/containers base/
within vit/layouts base/ containers/
within vit/checkpoint base/ kernels/low.h containers/ layouts/ network/
within vit/bytes base/ kernels/ containers/
within vit/text base/ kernels/ containers/ checkpoint/neighbour.h
within vit/methods base/ containers/ network/grid.h
within vit/model base/ kernels/ network/
within vit/forward base/ kernels/ network/ model/
within vit/forward/blocks steps.h
within vit/opening network/ checkpoint/ model/
test -z "$(find vit -maxdepth 1 -name '*.[ch]')" ||
    fail "a source of vit/ lies in no room"
layer src tomerge.h tomevit.h tomevit_bytes.h tomevit_methods.h \
    src/imagenet1k.inc # the last is made by make
# The subcommands see all of these; of one another they see nothing else.
within src/base
within src/images base/
within src/folders base/ images/ src/imagenet1k.inc
within src/session base/ folders/
within src/evaluation base/ folders/ session/
within src/bytes base/ images/ folders/ session/ evaluation/
within src/embeddings base/ folders/ session/ evaluation/
within src/plots base/ images/
within src/density base/ images/ session/ evaluation/ bytes/ plots/
within src/pictures base/ folders/ images/ session/
within src/sweep base/ images/ evaluation/ plots/ pictures/ session/
test -n "$(find tomerge -name '*.c')" || fail "found no source to check"

# No circles among the files of the libraries, a source and its header being
# one. tsort orders what includes what, and fails where no order is.
find tomerge vit -name '*.[ch]' ! -path '*/examples/*' ! -path '*/python/*' \
    -exec awk '
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, part, "\"")
        folder = FILENAME
        sub("[^/]*$", "", folder)
        path = folder part[2]
        while (match(path, "[^/]*/\\.\\./"))
            path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
        if ((getline line < path) < 0)
            next    # the public header or config.h
        close(path)
        from = FILENAME
        sub("\\.[a-z]*$", "", from)
        sub("\\.[a-z]*$", "", path)
        if (from != path)
            print from, path
    }' {} + >"$scratch/includes"
test -s "$scratch/includes" || fail "found no file that includes another"
tsort "$scratch/includes" >/dev/null 2>"$scratch/circles" ||
    fail "files in a circle: $(cat "$scratch/circles")"

# Nor do the rooms of the model library call each other in a circle: an include
# shows who knows a function's name, the compiled files where it lies.
nm=${NM:-nm}
if tool "$nm"; then
    (cd "$build" && for object in $(objects vit); do
        room=${object#vit/}
        $nm -P "$object" | sed "s,^,${room%%/*} ,"
    done) | sort -u | awk '
        $3 ~ /^[TDRBV]$/ { home[$2] = $1 }
        $3 == "U" { uses[$1 " " $2] }
        END {
            for (use in uses) {
                split(use, part, " ")
                if (part[2] in home && home[part[2]] != part[1])
                    print part[1], home[part[2]]
            }
        }' >"$scratch/calls"
    test -s "$scratch/calls" || fail "found no room that calls another"
    tsort "$scratch/calls" >/dev/null 2>"$scratch/circles" ||
        fail "rooms of vit/ in a circle: $(cat "$scratch/circles")"
fi

# Whatever is ours and text; built files and the version control's are not.
sources() {
    find . \( -name '.git' -o -name 'autom4te.cache' -o -name 'build*' -o \
        -name 'm4' -o -name '_build' -o -name '_inst' \) -prune -o -type f \
        \( -name '*.[chS]' -o -name '*.sh' -o -name '*.am' -o -name '*.ac' \
        -o -name Makefile.inc -o -name '*.md' -o -name '*.py' -o -name '*.in' -o -name '*.[13]' \
        -o -path './.ci/*' -o -path ./quickstart -o -path ./run-tests \) \
        ! -name 'Makefile.in' ! -name 'config.h.in' ! -name 'libtool*' -print
}
native='-m(arch|tune|cpu)=[n]ative'
machine='(^|[^A-Za-z0-9_.])/([h]ome|[w]ork|[r]oot|[U]sers|[t]mp)/'
for file in $(sources); do
    grep -nE -e "$native" "$file" | grep -viE "(never|no) $native" &&
        fail "$file builds for one CPU"
    grep -nE "$machine" "$file" && fail "$file names a path of some machine"
done
exit $status

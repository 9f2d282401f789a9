#!/bin/sh
# SPDX-License-Identifier: MIT
# data/make-images as its user meets it.
. "${srcdir:-.}/tests/guard.sh"

make_images=data/make-images
work=$scratch

# refused STATUS WORDS ARGUMENT...: that exit status and one line with the words.
refused() {
    want=$1 words=$2
    shift 2
    "$make_images" "$@" >"$work/out" 2>"$work/err"
    got=$?
    test "$got" -eq "$want" || fail "$*: exit $got, not $want"
    grep -q -- "$words" "$work/err" || fail "$*: says $(cat "$work/err")"
    test ! -s "$work/out" || fail "$*: printed $(head -n 1 "$work/out")"
}

refused 2 'one FOLDER'
refused 2 'one FOLDER' "$work/a" "$work/b"
refused 2 "found 'dev'" --split dev "$work/a"
refused 2 "found '0'" --count 0 "$work/a"
refused 2 "found '-1'" --seed=-1 "$work/a"
refused 2 "found '9x'" --count 9x "$work/a"
refused 2 'unrecognized option' --sead 1 "$work/a"
refused 1 'No such file' "$work/none/a"
mkdir "$work/full"
touch "$work/full/x"
refused 1 'new or empty' "$work/full"
refused 1 'No such file' --covers "$work/none/a" "$work/new"
test ! -e "$work/new" || fail "a folder was made in vain"
if test -c /dev/full; then
    refused 1 'No space' --count 8 --covers /dev/full "$work/new"
fi

echo old >"$work/old"
refused 1 'new or empty' --covers "$work/old" "$work/full"
test "$(cat "$work/old")" = old || fail "covers that failed took others' place"
test "$(ls "$work"/old*)" = "$work/old" || fail "a part is left"

"$make_images" --help >"$work/out" || fail "--help failed"
awk 'length > 80 { exit 1 }' "$work/out" || fail "--help is over 80 wide"

"$make_images" --count 48 "$work/set" || fail "48 pictures failed"
test "$(find "$work/set" -type f | wc -l)" -eq 48 || fail "not 48 files"
for class in $("$make_images" --classes); do
    test "$(ls "$work/set/$class" | wc -l)" -eq 3 || fail "$class: not 3"
done
for kind in png jpg; do
    find "$work/set" -name "*.$kind" | grep -q . || fail "no .$kind"
    test "$(find "$work/set" -name '.*' | wc -l)" -eq 0 || fail "parts are left"
done

# The same again, and others from another seed.
"$make_images" --count 48 --covers "$work/1" "$work/again"
diff -r "$work/set" "$work/again" >/dev/null || fail "two runs differ"
"$make_images" --count 48 --covers "$work/2" --seed 2 "$work/others"
test "$(wc -c <"$work/1")" -eq $((48 * 64 * 64)) || fail "covers' size"
! cmp -s "$work/1" "$work/2" || fail "seeds give the same"
for picture in $(cd "$work/set" && echo */*); do
    ! cmp -s "$work/set/$picture" "$work/others/$picture" ||
        fail "seeds give the same $picture"
done
exit $status

# SPDX-License-Identifier: MIT
# For tests of tune, which searches on every other image and reports on the
# rest: $halves drawn pictures, as `pictures` and as the folders `found` and
# `held` of the two halves. Sourced after guard.sh and command.sh.
test -z "$SANITIZED" || skip "too slow under the sanitizers"
"$tomerge" inspect --cpu >cpu || fail "inspect --cpu"
! grep -q '^f32 *scalar' cpu || skip "minutes by scalar kernels"
"$build/data/make-images" --count "$halves" pictures || fail "no pictures"
n=0
(cd pictures && find . -type f) | LC_ALL=C sort >all
while read -r file; do
    half=found
    test $((n % 2)) = 0 || half=held
    mkdir -p "$half/${file%/*}" && cp "pictures/$file" "$half/$file"
    n=$((n + 1))
done <all

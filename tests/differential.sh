#!/bin/sh
# SPDX-License-Identifier: MIT
# Texts by tokenizers of Gemma's kind are the numbers that the tokenizers library
# makes of them (tests/differential/texts.py), where PYTHON (python3) has it.
# Files that Pillow wrote, whole and damaged, have the pixels and the verdict
# here that they have there (tests/differential/images.py), and merging gives
# what NumPy gives (merges.py), where PYTHON (python3) has Pillow and NumPy; and
# what was once found that way.
. "${srcdir:-.}/tests/guard.sh"

fixture=$PWD/tests/fixture
test -x "$fixture" || skip "tests/fixture needs Criterion to be built"
# Its pixels go on in what lies behind their chunk.
"$fixture" decode "$srcdir/tests/fixtures/pictures/pixels-behind-chunk.webp" \
    >"$scratch/out"
grep -q '^refused' "$scratch/out" ||
    fail "pixels behind a WebP's chunk are taken: $(cat "$scratch/out")"
# What is said to follow its picture is longer than chunks can be.
"$fixture" decode "$srcdir/tests/fixtures/pictures/no-chunk-behind.webp" \
    >"$scratch/out"
grep -q '^refused.*chunks' "$scratch/out" ||
    fail "a WebP that cannot be demuxed is taken: $(cat "$scratch/out")"

python=${PYTHON:-python3}
printf '[""]' >"$scratch/none"
"$fixture" tokens "$srcdir/tests/fixtures/texts/hf_siglip2/tokenizer.json" \
    "$scratch/none" 2>"$scratch/out" >&2
if "$python" -c 'import tokenizers' 2>"$scratch/log" &&
    ! grep -q 'built without utf8proc' "$scratch/out"; then
    PYTHONDONTWRITEBYTECODE=1 "$python" "$srcdir/tests/differential/texts.py" \
        --fixture "$fixture" --count "${DIFFERENTIAL_TEXTS-2000}" ||
        fail "the tokenizers library and this project differ"
else
    echo "no texts: $python has no tokenizers, or built without utf8proc"
fi
test -z "$SANITIZED" || { test $status = 0 || exit 1
    skip "a sanitized library wants a sanitized Python"; }
"$python" -c 'import numpy, PIL' 2>"$scratch/log" ||
    { test $status = 0 || exit 1; skip "$python has no NumPy and Pillow"; }
# Other versions of Pillow's libraries may judge other damage otherwise.
PYTHONDONTWRITEBYTECODE=1 "$python" "$srcdir/tests/differential/images.py" \
    --fixture "$fixture" --count "${DIFFERENTIAL_IMAGES-400}" ||
    fail "Pillow and this project differ"
library=$PWD/.libs/libtomerge.so
test ! -e "$library" || TOMERGE_LIBRARY=$library \
    PYTHONPATH=$srcdir/tomerge/python/src PYTHONDONTWRITEBYTECODE=1 \
    "$python" "$srcdir/tests/differential/merges.py" \
    --count "${DIFFERENTIAL_MERGES-300}" ||
    fail "NumPy and this project differ"
exit $status

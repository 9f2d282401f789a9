#!/bin/sh
# SPDX-License-Identifier: MIT
# The Python package on the library of this build: tomerge/python/tests, by
# the Python that PYTHON names (python3), with NumPy and pytest. What needs
# torch and timm too skips without them; the log says so.
. "${srcdir:-.}/tests/guard.sh"

python=${PYTHON:-python3}
test -z "$SANITIZED" || skip "a sanitized library wants a sanitized Python"
tool "$python" || skip "no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
    skip "$python is older than 3.9"
for module in numpy pytest; do
    "$python" -c "import $module" 2>"$scratch/log" ||
        skip "$python has no $module"
done
TOMERGE_LIBRARY=$(ls "$PWD"/.libs/libtomerge.so "$PWD"/.libs/libtomerge.dylib \
    2>/dev/null | head -n 1)
test -n "$TOMERGE_LIBRARY" || skip "no shared library was built"
folder=$(cd "$srcdir" && pwd)/tomerge/python
PYTHONPATH=$folder/src${PYTHONPATH:+:$PYTHONPATH} PYTHONDONTWRITEBYTECODE=1
TOMERGE_COMMAND=
test ! -x "$PWD/src/tomerge" || TOMERGE_COMMAND=$PWD/src/tomerge
export TOMERGE_COMMAND TOMERGE_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE
"$python" -m pytest -q -rs -p no:cacheprovider --rootdir "$scratch" \
    "$folder/tests" || fail "the Python package's tests failed"
exit $status

#!/bin/sh
# SPDX-License-Identifier: MIT
# Merging as an operator of ONNX Runtime: models exported by torch, rewritten
# by onnx_merge.py, give the reference's logits. By the Python that PYTHON
# names (python3), which needs numpy, onnx, onnxruntime, torch, timm and
# safetensors.
. "${srcdir:-.}/tests/guard.sh"

library=$PWD/tomerge/examples/.libs/libtomerge_onnxruntime.so
test -f "$library" || skip "configure was not given --with-onnxruntime=DIR"
test -z "$SANITIZED" || skip "a sanitized library wants a sanitized Python"
python=${PYTHON:-python3}
tool "$python" || skip "no $python"
source=$(cd "$srcdir" && pwd)
TOMERGE_LIBRARY=$PWD/.libs/libtomerge.so PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$source/tomerge/python/src${PYTHONPATH:+:$PYTHONPATH}
export TOMERGE_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE
"$python" "$source/tomerge/examples/onnx_check.py" "$library" \
    "$source/tests/golden" "$TOMERGE_SHARED/golden"
case $? in
0) ;;
77) exit 77 ;;
*) fail "the operator for ONNX Runtime failed" ;;
esac
exit $status

# SPDX-License-Identifier: MIT
"""A few of the random models of tests/differential/models.py: Model gives
what PyTorch gives, merging or not."""
import importlib.util
import os
import random

import pytest

pytest.importorskip("timm")
pytest.importorskip("safetensors")
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PROGRAM = os.path.join(TOP, "tests", "differential", "models.py")
if not os.path.exists(PROGRAM):
    pytest.skip("not beside the library's sources", allow_module_level=True)

try:
    from tomerge._vit import library

    library()
except ImportError as error:
    pytest.skip(f"no libtomevit: {error}", allow_module_level=True)


def test_random_models_agree(tmp_path):
    found = importlib.util.spec_from_file_location("differential", PROGRAM)
    program = importlib.util.module_from_spec(found)
    found.loader.exec_module(program)
    said = [program.compare(random.Random(i), i, tmp_path) for i in range(20)]
    assert [s for s in said if s] == []
    assert said.count(None) < 3  # what rounding decides is rare

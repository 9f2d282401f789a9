# SPDX-License-Identifier: MIT
"""A part of the zoo (bench/zoo.py), small enough to be looked at every time:
what other libraries publish agrees with them or is refused, with the files
beside the weights and without."""

import os
import re
import shutil
import subprocess
import sys

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
ZOO = os.path.join(TOP, "bench", "zoo.py")

# Of each library: the module, which of its models, and how many at least agree.
PARTS = {
    "timm": ("timm", ["--match", "test_*"], 2),
    "open_clip": ("open_clip", ["--match", "ViT-B-32 laion400m_e31"], 1),
    "torchvision": ("torchvision", ["--match", "vit_b_32"], 1),
    "transformers": ("transformers", ["--some", "3"], 25),
}

try:
    from tomerge._vit import library

    LIBRARY = library()._name
except ImportError as error:
    pytest.skip(f"no libtomevit: {error}", allow_module_level=True)
if not os.path.exists(ZOO):
    pytest.skip("not beside the library's sources", allow_module_level=True)


def compiler():
    return shutil.which(os.environ.get("CC", "cc").split()[0])


@pytest.mark.parametrize("zoo", PARTS)
def test_agrees_or_is_refused(zoo):
    module, which, least = PARTS[zoo]
    for needed in ("torch", "safetensors", "PIL", module):
        pytest.importorskip(needed)
    if not compiler():
        pytest.skip("no C compiler: zoo.py asks it for offsets")
    made = subprocess.run(
        [sys.executable, ZOO, "--library", LIBRARY, "--source", TOP, "--of",
         zoo, *which], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"})
    counted = re.search(r"^all +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", made.stdout,
                        re.MULTILINE)
    assert counted, made.stdout + made.stderr
    total, agree, _, wrong, silent = map(int, counted.groups())
    assert (wrong, silent) == (0, 0), made.stdout
    assert made.returncode == 0, made.stdout + made.stderr
    assert agree >= least, made.stdout

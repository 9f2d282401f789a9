# SPDX-License-Identifier: MIT
"""What README.md shows runs as it stands there, but for weights that would
have to be downloaded."""

import os
import re

import pytest

torch = pytest.importorskip("torch")

HERE = os.path.dirname(os.path.abspath(__file__))


def snippets():
    with open(os.path.join(HERE, "..", "README.md")) as file:
        return re.findall(r"^```python\n(.*?)^```", file.read(),
                          re.M | re.S)


def run(code, **names):
    exec(code.replace("pretrained=True", "pretrained=False"), names)
    return names


def test_a_whole_model():
    pytest.importorskip("timm")
    code = snippets()[0]
    assert len(code.splitlines()) < 15
    names = run(code, images=torch.randn(1, 3, 224, 224))
    assert names["logits"].shape == (1, 1000)
    tokens = names["model"].merging.tokens
    shown = re.search(r"\[(\d+), (\d+), \.\.\., (\d+)\]", code).groups()
    assert [tokens[i] for i in (0, 1, -1)] == [int(n) for n in shown]


def test_a_model_of_one_s_own():
    import tomerge

    names = run(snippets()[1], tomerge=tomerge, k=torch.randn(2, 6, 197, 64),
                x=torch.randn(2, 197, 384), size=None)
    assert names["x"].shape == (2, 197, 384)

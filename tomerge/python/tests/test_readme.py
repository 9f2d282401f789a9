# SPDX-License-Identifier: MIT
"""What README.md shows runs as it stands there, but for weights that would
have to be downloaded."""

import os
import re
import shutil

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def snippets():
    with open(os.path.join(HERE, "..", "README.md")) as file:
        return re.findall(r"^```python\n(.*?)^```", file.read(),
                          re.M | re.S)


def run(code, **names):
    exec(code.replace("pretrained=True", "pretrained=False"), names)
    return names


def test_a_checkpoint_alone(tmp_path, monkeypatch):
    Image = pytest.importorskip("PIL.Image")
    import tomerge

    demo = os.path.join(HERE, "..", "..", "..", "data", "demo.safetensors")
    if not os.path.exists(demo):
        pytest.skip("not beside the library's sources")
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo, "model.safetensors")
    try:
        classes = tomerge.Model("model.safetensors").class_names
    except ImportError as error:
        pytest.skip(f"no libtomevit: {error}")
    files = ["cat.jpg", "dog.png", "pictures/x.png"] + [
        f"imagenet/val/{name}/x.png" for name in classes]
    for i, file in enumerate(files):
        os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
        Image.new("RGB", (120, 130), (9 * i, 90, 200 - 7 * i)).save(file)
    model = run(snippets()[0])["model"]
    assert model.eval("imagenet/val", r=13).images == 16
    assert model.embed("pictures/", r=8).shape == (1, 96)


def test_a_whole_model():
    pytest.importorskip("timm")
    torch = pytest.importorskip("torch")
    code = snippets()[1]
    assert len(code.splitlines()) < 15
    names = run(code, images=torch.randn(1, 3, 224, 224))
    assert names["logits"].shape == (1, 1000)
    tokens = names["model"].merging.tokens
    shown = re.search(r"\[(\d+), (\d+), \.\.\., (\d+)\]", code).groups()
    assert [tokens[i] for i in (0, 1, -1)] == [int(n) for n in shown]


def test_a_model_of_one_s_own():
    torch = pytest.importorskip("torch")
    import tomerge

    names = run(snippets()[3], tomerge=tomerge, k=torch.randn(2, 6, 197, 64),
                x=torch.randn(2, 197, 384), size=None)
    assert names["x"].shape == (2, 197, 384)

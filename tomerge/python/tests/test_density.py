# SPDX-License-Identifier: MIT
"""data/train-density: what it trains opens, and says of pictures what PyTorch
says; the commands of data/README.md, as they are written there."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
image = pytest.importorskip("PIL.Image")

TOP = pathlib.Path(__file__).resolve().parents[3]
TRAIN = TOP / "data" / "train-density"
COMMAND = os.environ.get("TOMERGE_COMMAND")
# Small, and in few steps, whatever the time.
SMALL = ["--steps", "3", "--size", "8", "--dg", "4", "--dl", "16",
         "--global-layers", "1", "--local-layers", "1", "--global-heads", "2",
         "--local-heads", "2", "--every", "2"]

if not COMMAND or not TRAIN.exists():
    pytest.skip("not beside the command and the sources",
                allow_module_level=True)


def run(*words, cwd, status=0):
    done = subprocess.run([str(w) for w in words], capture_output=True,
                          text=True, cwd=cwd, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of the model's size and others, in two folders."""
    random = np.random.default_rng(5)
    top = tmp_path_factory.mktemp("pictures")
    for i in range(24):
        side = 8 if i < 20 else 11
        slope = np.linspace(0, 200, side)[:, None, None] * random.random(3)
        pixels = slope + random.integers(0, 30, (side, side, 3))
        path = top / "FOLDER" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels.astype(np.uint8)).save(path)
    return top


def commands():
    """Those of the README, which are of one model."""
    text = (TOP / "data" / "README.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in text.splitlines()
             if line.startswith("    ") and "model.safetensors" in line]
    assert [line[0] for line in lines] == ["train-density"] + 3 * ["tomerge"]
    return lines


@pytest.fixture(scope="module")
def trained(folder):
    """By the first of them, but for how long it is to take."""
    words = commands()[0]
    words = words[1:words.index("--minutes")]
    run(sys.executable, TRAIN, *words, *SMALL, "--log", "log", cwd=folder)
    assert "3 steps" in (folder / "log").read_text()
    return folder / "model.safetensors"


def program():
    loader = importlib.machinery.SourceFileLoader("train_density", str(TRAIN))
    spec = importlib.util.spec_from_loader("train_density", loader)
    module = importlib.util.module_from_spec(spec)
    was, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = was
    return module


def model_of(module, path):
    """The model of a file, and its tensors read without the program's code."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    config = json.loads(header.pop("__metadata__")["config"])
    model = module.Megabyte(config)
    state = {}
    for name, about in header.items():
        at, to = about["data_offsets"]
        bits = np.frombuffer(raw[8 + size + at:8 + size + to], "<u2")
        values = (bits.astype(np.uint32) << 16).view(np.float32)
        state[name] = torch.tensor(values.reshape(about["shape"]))
    model.load_state_dict(state)
    return model, config


def test_says_what_pytorch_says(folder, trained):
    module = program()
    model, config = model_of(module, trained)
    files = sorted((folder / "FOLDER").rglob("*.png"))
    data = module.scan(module.load(folder / "FOLDER", 8), 2)
    with torch.no_grad():
        wanted = {str(f.relative_to(folder / "FOLDER")): float(model(
            torch.from_numpy(data[i:i + 1]).long()))
            for i, f in enumerate(files)}
    report = json.loads(run(COMMAND, "density", "-q", "--model", trained,
                            "FOLDER", "--json", "-", cwd=folder))
    assert config["patches"] == 16
    assert report["images"] == 24
    found = {i["image"]: i["bits_per_byte"] for i in report["ranked"]}
    assert found.keys() == wanted.keys()
    for name, bits in wanted.items():
        assert abs(found[name] - bits) < 2e-5, name


def test_the_readmes_commands(folder, trained):
    for words in commands()[1:]:
        # compress refuses the four that are not of the model's size.
        refused = 3 if words[1] == "compress" else 0
        run(COMMAND, *words[1:], "-q", cwd=folder, status=refused)
    again = sorted((folder / "again").rglob("*.png"))
    assert len(again) == 20
    for path in again:
        before = folder / "FOLDER" / path.relative_to(folder / "again")
        assert np.array_equal(np.asarray(image.open(path)),
                              np.asarray(image.open(before)))

# SPDX-License-Identifier: MIT
"""tomerge.Model: checkpoints of other libraries give those libraries' logits,
and what it makes of images is what the command makes of them."""

import json
import os
import subprocess
import threading

import golden
import numpy as np
import pytest
import tomerge

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
LAYOUTS = os.path.join(TOP, "tests", "fixtures", "layouts")
DEMO = os.path.join(TOP, "data", "demo.safetensors")
ROTARY = os.path.join(TOP, "data", "rotary.safetensors")
COMMAND = os.environ.get("TOMERGE_COMMAND", "")

try:
    from tomerge._vit import library

    library()
except ImportError as error:
    pytest.skip(f"no libtomevit: {error}", allow_module_level=True)
if not os.path.exists(DEMO):
    pytest.skip("not beside the library's sources", allow_module_level=True)


def load(name):
    return golden.load(os.path.join(LAYOUTS, name))


def entries():
    with open(os.path.join(LAYOUTS, "index.json")) as file:
        return json.load(file)


def paths(entry):
    return {key: os.path.join(LAYOUTS, entry[key])
            for key in ("head", "text_embeddings") if key in entry}


@pytest.mark.parametrize("entry", entries(), ids=lambda e: e["name"])
def test_logits_are_the_library_s(entry):
    io, inputs = load(entry["io"]), load("inputs.safetensors")
    for i, run in enumerate(entry["runs"]):
        size, width = run["size"], run.get("width", run["size"])
        asked = size if width == size else (size, width)
        with tomerge.Model(os.path.join(LAYOUTS, entry["weights"]),
                           image_size=asked if entry.get("image_size") else 0,
                           threads=1, **paths(entry)) as m:
            name = f"x_{size}" if width == size else f"x_{size}x{width}"
            x = inputs[name].reshape(1, 3, size, width)
            options = {key: run[key] for key in (
                "prop_attn", "rope_merge", "metric") if key in run}
            found = m.logits(x, r=run["r"] or 0, **options)
            wanted = io[f"logits_{i}"].reshape(1, -1)
            assert found.shape == wanted.shape and found.dtype == np.float32
            scale = np.maximum(1, np.abs(wanted))
            assert (np.abs(found - wanted) <= 1e-4 * scale).all()


def test_images_need_not_be_squares():
    with tomerge.Model(DEMO, image_size=(96, 160), threads=1) as model:
        assert model.preprocessing["size"] == 96
        assert model.preprocessing["width"] == 160
        assert model.description["image_width"] == 160
        picture = np.random.default_rng(4).integers(
            0, 256, (120, 130, 3), np.uint8)
        crop = model.crop(picture)
        assert crop.shape == (96, 160, 3)
        normalised = ((crop / np.float32(255) - np.float32(0.5)) /
                      np.float32(0.5)).transpose(2, 0, 1).astype(np.float32)
        assert np.allclose(model.logits([picture]),
                           model.logits(normalised[None]), atol=1e-4)
        with pytest.raises(ValueError, match=r"\[3, 96, 160\]"):
            model.logits(np.zeros((1, 3, 160, 96), np.float32))
    with pytest.raises(ValueError, match="a height and a width"):
        tomerge.Model(DEMO, image_size=(96, 160, 3))


def test_images_may_keep_their_proportions():
    random = np.random.default_rng(5)
    some = [random.integers(0, 256, shape, np.uint8) for shape in (
        (120, 130, 3), (60, 300, 3), (16, 16, 3))]
    with tomerge.Model(DEMO, max_patches=60, threads=1, batch=2) as model:
        assert model.description["max_patches"] == 60
        assert model.preprocessing["max_patches"] == 60
        crops = [model.crop(picture) for picture in some]
        patch = model.description["patch"]
        assert [tuple(n // patch for n in crop.shape[:2])
                for crop in crops] == [(7, 8), (3, 15), (7, 7)]
        together = model.logits(some, r=2)
        normalised = [((crop / np.float32(255) - np.float32(0.5)) /
                       np.float32(0.5)).transpose(2, 0, 1).astype(np.float32)
                      for crop in crops]
        assert np.allclose(together, model.logits(normalised, r=2), atol=1e-4)
        tokens = model.tokens(some)
        assert [int((sizes > 0).sum()) for sizes in tokens.sizes] == [
            57, 46, 50]
        assert (tokens.map[1, 46:] == -1).all()
        alone = model.logits(normalised)
        with pytest.raises(ValueError, match="at most 60 patches"):
            model.logits([np.zeros((3, 8 * patch, 8 * patch), np.float32)])
        with pytest.raises(ValueError, match="at most 60 patches"):
            model.logits([np.zeros((3, patch + 1, patch), np.float32)])
    for image, logits in zip(normalised, alone):
        with tomerge.Model(DEMO, image_size=image.shape[1:],
                           threads=1) as model:
            assert np.array_equal(model.logits([image])[0], logits)
    with pytest.raises(ValueError, match="takes the place"):
        tomerge.Model(DEMO, max_patches=60, image_size=96)


def pictures(count, seed=3):
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (int(h), int(w), 3), np.uint8)
            for h, w in random.integers(90, 200, (count, 2))]


@pytest.fixture(scope="module")
def demo():
    with tomerge.Model(DEMO, threads=2, batch=4) as model:
        yield model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in class folders, three each, as PNG files."""
    Image = pytest.importorskip("PIL.Image")
    where = tmp_path_factory.mktemp("pictures")
    with tomerge.Model(DEMO) as model:
        names = model.class_names
    for i, picture in enumerate(pictures(3 * len(names))):
        into = where / names[i % len(names)]
        into.mkdir(exist_ok=True)
        Image.fromarray(picture).save(into / f"{i:03}.png")
    return str(where)


def test_what_it_is(demo):
    d = demo.description
    assert (d["depth"], d["dim"], d["tokens"], d["prefix"]) == (12, 96, 197, 1)
    assert demo.classes == 16 and len(demo.class_names) == 16
    assert demo.preprocessing["size"] == 112
    assert "12 layers of 96" in repr(demo)


def test_bits_do_not_depend_on_batch_threads_or_place(demo):
    images = pictures(7)
    wanted = demo.embed(images, r=8)
    assert wanted.shape == (7, 96)
    for batch, threads in (1, 1), (3, 2), (7, 3), (32, 1):
        with tomerge.Model(DEMO, batch=batch, threads=threads) as model:
            assert np.array_equal(model.embed(images, r=8), wanted)
            assert np.array_equal(model.embed(images[::-1], r=8)[::-1], wanted)


def test_kinds_of_images(demo, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    picture, = pictures(1)
    path = tmp_path / "x.png"
    Image.fromarray(picture).save(path)
    wanted = demo.logits(picture)
    crop = demo.crop(picture)
    mean, std = (np.array(demo.preprocessing[k], np.float32)[:, None, None]
                 for k in ("mean", "std"))
    ready = (crop.transpose(2, 0, 1).astype(np.float32) / 255 - mean) / std
    for given in (str(path), path, [path], [picture], picture[None],
                  Image.open(path), str(tmp_path)):
        assert np.array_equal(demo.logits(given), wanted)
    assert np.allclose(demo.logits(ready[None]), wanted, atol=1e-4)
    assert demo.logits([]).shape == (0, 16)


def test_tokens(demo):
    images = pictures(3)
    rows, sizes, at = demo.tokens(images, r=8)
    assert rows.shape == (3, 101, 96) and at.shape == (3, 197)
    assert (sizes.sum(1) == 197).all()
    assert np.array_equal(rows[:, 0], demo.embed(images, r=8))
    for i in range(3):
        assert np.array_equal(np.bincount(at[i], minlength=101), sizes[i])
    unit = demo.embed(images, r=8, normalise=True)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    assert np.array_equal(demo.embed(images, r=8, embedding="class"),
                          demo.embed(images, r=8))


def test_projection():
    with tomerge.Model(os.path.join(LAYOUTS, "hf_clip")) as model:
        assert model.classes == 0 and model.description["embedding"] > 0
        x = load("inputs.safetensors")["x_24"].reshape(1, 3, 24, 24)
        found = model.embed(x, embedding="projected", normalise=True)
        assert found.shape == (1, model.description["embedding"])
        with pytest.raises(ValueError, match="no head"):
            model.logits(x)


def test_eval_by_labels(demo):
    images = pictures(9)
    best = demo.classify(images, r=8, topk=16)
    assert best.index.shape == (9, 16)
    assert np.allclose(best.probability.sum(1), 1, atol=1e-6)
    assert best.names[0][0] == demo.class_names[best.index[0, 0]]
    labels = best.index[:, 0].tolist()
    labels[4] = int(best.index[4, 3])
    labels[5] = int(best.index[5, 9])
    found = demo.eval(images, labels, r=8)
    assert found.images == 9 and found.refused == []
    assert found.top1 == pytest.approx(100 * 7 / 9)
    assert found.top5 == pytest.approx(100 * 8 / 9)
    assert np.array_equal(found.predicted.index, best.index[:, :5])


def test_eval_of_a_folder(demo, folder):
    found = demo.eval(folder, r=8)
    assert found.images == 48
    names = [os.path.basename(os.path.dirname(file)) for file in found.files]
    assert [demo.class_names[i] for i in found.labels] == names
    hit = found.predicted.index[:, 0] == found.labels
    assert found.top1 == pytest.approx(100 * hit.mean())


@pytest.mark.skipif(not COMMAND, reason="TOMERGE_COMMAND names no command")
def test_it_is_the_command(demo, folder, tmp_path):
    out, report = tmp_path / "out.npy", tmp_path / "report.json"
    subprocess.run([COMMAND, "embed", "--quiet", "--model", DEMO, "--r", "8",
                    folder, "-o", out], check=True, capture_output=True)
    assert np.array_equal(np.load(out), demo.embed(folder, r=8))
    subprocess.run([COMMAND, "eval", "--quiet", "--model", DEMO, "--r", "13:-1",
                    "--json", report, folder], check=True, capture_output=True)
    said = json.loads(report.read_text())
    found = demo.eval(folder, r=(13, -1.0))
    assert found.images == said["images"]
    assert found.top1 == pytest.approx(said["top1"])
    assert found.top5 == pytest.approx(said["top5"])


@pytest.mark.parametrize("text", [
    "method=tome r=13:9:9:9:9:9:9:9:9:9:9:0 metric=X",
    "method=upward\nthreshold=0.0004 # of all layers",
    "method=evit keep=0.7 layers=3:6:9"])
def test_a_file_says_how_tokens_merge(demo, folder, tmp_path, text):
    path = tmp_path / "merging"
    path.write_text(text + "\n")
    own = demo.embed(folder, merging=path)
    assert not np.array_equal(own, demo.embed(folder))
    assert np.array_equal(own, demo.embed(folder, merging=str(path)))
    if "tome" in text:
        assert np.array_equal(own, demo.embed(
            folder, r=[13] + [9] * 10 + [0], metric="X"))
    if not COMMAND:
        return
    out = tmp_path / "e.npy"
    subprocess.run([COMMAND, "embed", folder, "--model", DEMO, "--method",
                    f"@{path}", "-o", out, "--quiet"], check=True,
                   capture_output=True)
    assert np.array_equal(own, np.load(out))


@pytest.mark.parametrize("text, words", [
    ("r=8", "method=NAME"), ("method=tome", "no r"),
    ("method=tome r=8 r=9", "twice the key 'r'"),
    ("method=tome r=8 margin=1", "'margin' is no option of method tome")])
def test_a_file_of_merging_is_refused_by_name(demo, folder, tmp_path, text,
                                              words):
    path = tmp_path / "merging"
    path.write_text(text)
    with pytest.raises(tomerge.Error, match=words):
        demo.embed(folder, merging=path)
    with pytest.raises(OSError, match="nowhere"):
        demo.embed(folder, merging="nowhere")
    with pytest.raises(ValueError, match="r is not for it"):
        demo.embed(folder, r=8, merging=path)
    with pytest.raises(ValueError, match="metric is not for it"):
        demo.embed(folder, metric="K", merging=path)


def test_rotary_positions_merge_as_the_command_s(folder, tmp_path):
    """Where nothing is said of them, both take the mean of the rotations."""
    with tomerge.Model(ROTARY, threads=2) as model:
        found = model.embed(folder, r=8)
        assert np.array_equal(model.embed(folder, r=8, rope_merge="mean"),
                              found)
        other = model.embed(folder, r=8, rope_merge="destination")
        assert not np.array_equal(other, found)
    if not COMMAND:
        return
    out = tmp_path / "out.npy"
    subprocess.run([COMMAND, "embed", "--quiet", "--model", ROTARY, "--r", "8",
                    folder, "-o", out], check=True, capture_output=True)
    assert np.array_equal(np.load(out), found)


def test_files_that_cannot_be_read(demo, folder, tmp_path):
    os.makedirs(tmp_path / "set")
    for name in demo.class_names:
        os.symlink(os.path.join(folder, name), tmp_path / "set" / name)
    bad = tmp_path / "set" / demo.class_names[0]
    os.unlink(bad)
    os.makedirs(bad)
    (bad / "x.png").write_bytes(b"nonsense")
    found = demo.eval(str(tmp_path / "set"))
    assert found.images == 45 and len(found.refused) == 1
    assert found.refused[0][0].endswith("x.png")
    with pytest.raises(OSError):
        demo.logits(str(bad / "x.png"))


def test_two_threads_share_a_model(demo):
    images = pictures(6)
    wanted = demo.logits(images, r=8)
    found = [None] * 4

    def work(i):
        found[i] = demo.logits(images, r=8)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(one, wanted) for one in found)


def test_a_child_of_fork(demo):
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    images = pictures(5)
    wanted = demo.logits(images, r=8)
    child = os.fork()
    if child == 0:
        same = np.array_equal(demo.logits(images, r=8), wanted)
        with tomerge.Model(DEMO) as own:
            same &= np.array_equal(own.logits(images, r=8), wanted)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_refusals(demo, tmp_path):
    image, = pictures(1)
    with pytest.raises(OSError, match="nowhere"):
        tomerge.Model("nowhere.safetensors")
    with pytest.raises(tomerge.Error):
        tomerge.Model(__file__)
    with pytest.raises(ValueError, match="one checkpoint in this folder"):
        tomerge.Model(str(tmp_path))
    for wrong in ({"dtype": "f64"}, {"batch": 0}, {"threads": 0}):
        with pytest.raises(ValueError):
            tomerge.Model(DEMO, **wrong)
    for wrong in ({"r": [1] * 13}, {"method": "none"}, {"metric": "Z"},
                  {"combine": "none"}, {"similarity": "none"},
                  {"rope_merge": "none"}):
        with pytest.raises(ValueError):
            demo.logits(image, **wrong)
    with pytest.raises(ValueError, match="embedding"):
        demo.embed(image, embedding="all")
    with pytest.raises(ValueError, match="no projection"):
        demo.embed(image, embedding="projected")
    for wrong in (image[..., :2], image.astype(np.float64), image[0],
                  np.zeros((1, 3, 9, 9), np.float32)):
        with pytest.raises(ValueError, match="images"):
            demo.logits(wrong)
    with pytest.raises(TypeError, match="images"):
        demo.logits([3])
    with pytest.raises(ValueError, match="labels"):
        demo.eval([image], [0, 1])
    with pytest.raises(ValueError, match="16 classes"):
        demo.eval([image], [16])
    with pytest.raises(ValueError, match="class folders"):
        demo.eval([image])
    os.makedirs(tmp_path / "set" / "someone")
    (tmp_path / "set" / "someone" / "x.png").write_bytes(b"")
    with pytest.raises(ValueError, match="neither WordNet ids nor"):
        demo.eval(str(tmp_path / "set"))
    closed = tomerge.Model(DEMO)
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        closed.logits(image)

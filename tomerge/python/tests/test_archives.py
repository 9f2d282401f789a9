# SPDX-License-Identifier: MIT
"""Models on archives, shards and lists: the same answers as on the folder."""

import io
import json
import os
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
import tomerge

pytest.importorskip("PIL.Image")
from test_model import COMMAND, DEMO, demo, folder  # noqa: E402, F401


def files(folder):
    """(path, name below the folder) of every image, sorted."""
    return sorted((os.path.join(where, name),
                   os.path.relpath(os.path.join(where, name), folder))
                  for where, _, names in os.walk(folder) for name in names)


def put(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def make(kind, folder, where):
    """The folder as an archive of this kind; its path."""
    path = str(where / f"set.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for one, name in files(folder):
                archive.write(one, "set/" + name)
    else:
        with tarfile.open(path, "w:" + kind.partition(".")[2]) as archive:
            for one, name in files(folder):
                put(archive, "./set/" + name, read(one))
    return path


@pytest.fixture(scope="module")
def wanted(demo, folder):  # noqa: F811
    return demo.eval(folder, r=8)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_an_archive_is_its_folder(demo, folder, wanted, kind,  # noqa: F811
                                  tmp_path):
    path = make(kind, folder, tmp_path)
    found = demo.eval(path, r=8)
    assert found.images == wanted.images and found.refused == []
    assert np.array_equal(found.labels, wanted.labels)
    assert np.array_equal(found.predicted.index, wanted.predicted.index)
    assert found.files[0] == path + "/set/" + files(folder)[0][1]
    assert np.array_equal(demo.embed(path, r=8), demo.embed(folder, r=8))
    assert demo.classify(path, r=8).names == demo.classify(folder, r=8).names


@pytest.mark.parametrize("beside", ["cls", "json", "names"])
def test_shards(demo, folder, wanted, beside, tmp_path):  # noqa: F811
    for k in range(3):
        with tarfile.open(tmp_path / f"s-{k:03}.tar", "w") as archive:
            for i, (one, name) in list(enumerate(files(folder)))[k::3]:
                label = int(wanted.labels[i])
                put(archive, f"{i:06}.png", read(one))
                if beside == "json":
                    put(archive, f"{i:06}.json", json.dumps(
                        {"caption": "x", "label": label}).encode())
                else:
                    put(archive, f"{i:06}.cls", (
                        demo.class_names[label] if beside == "names"
                        else f"{label}\n").encode())
            put(archive, f"none{k}.png", b"of no class, so never looked at")
    found = demo.eval(str(tmp_path / "s-{000..002}.tar"), r=8)
    order = [i for k in range(3) for i in range(48)[k::3]]
    assert found.images == 48 and found.refused == []
    assert np.array_equal(found.labels, wanted.labels[order])
    assert np.array_equal(found.predicted.index,
                          wanted.predicted.index[order])


def test_lists(demo, folder, wanted, tmp_path):  # noqa: F811
    paths = [path for path, _ in files(folder)]
    (tmp_path / "list.txt").write_text("# of all\n" + "\n".join(paths) + "\n")
    for given in paths, str(tmp_path / "list.txt"):
        found = demo.eval(given, r=8)
        assert np.array_equal(found.labels, wanted.labels)
        assert np.array_equal(found.predicted.index, wanted.predicted.index)
        assert found.files == paths
    assert np.array_equal(demo.embed(str(tmp_path / "list.txt"), r=8),
                          demo.embed(folder, r=8))


@pytest.mark.skipif(not COMMAND, reason="TOMERGE_COMMAND names no command")
def test_it_is_the_command(demo, folder, tmp_path):  # noqa: F811
    path, out = make("tar", folder, tmp_path), tmp_path / "out.npy"
    done = subprocess.run([COMMAND, "embed", "--quiet", "--model", DEMO, "--r",
                           "8", path, "-o", out], capture_output=True)
    if b"reads no archives" in done.stderr:
        pytest.skip("this command reads no archives")
    assert done.returncode == 0
    assert np.array_equal(np.load(out), demo.embed(path, r=8))


def test_harm(demo, folder, tmp_path):  # noqa: F811
    """What a name or a length claims does nothing but lose that image."""
    (one, name), (other, _) = files(folder)[:2]
    path = str(tmp_path / "bad.tar")
    with tarfile.open(path, "w") as archive:
        put(archive, "0/good.png", read(one))
        put(archive, "../../out.png", read(one))
        put(archive, "0/spoilt.png", b"no image at all")
        huge = tarfile.TarInfo("0/huge.png")
        huge.size = 0
        archive.addfile(huge)
        link = tarfile.TarInfo("0/link.png")
        link.type, link.linkname = tarfile.LNKTYPE, "0/nowhere.png"
        archive.addfile(link)
        put(archive, "0/cut.png", read(other))
    size = os.path.getsize(path)
    at = read(path).rindex(b"0/cut.png")
    with open(path, "r+b") as file:
        file.truncate(at + 512 + 100)
    assert os.path.getsize(path) < size
    found = demo.eval(path, r=8)
    assert found.images == 1 and found.files[0].endswith("0/good.png")
    said = {os.path.basename(str(name)): why for name, why in found.refused}
    assert "leads out" in said["out.png"]
    assert {"spoilt.png", "huge.png", "link.png"} <= set(said)
    with pytest.raises(OSError):
        demo.embed(path)


def test_a_claim_is_not_believed(demo, monkeypatch, tmp_path):  # noqa: F811
    from tomerge import _archives

    path = str(tmp_path / "bomb.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0/x.png", bytes(1 << 20))
    monkeypatch.setattr(_archives, "MOST_BYTES", 1 << 16)
    found = demo.eval(path)
    assert found.images == 0
    assert "more than the limit of 65536 bytes" in found.refused[0][1]


def test_refused(demo, tmp_path):  # noqa: F811
    empty, garbage = tmp_path / "empty.tar", tmp_path / "x.tar"
    with tarfile.open(empty, "w") as archive:
        put(archive, "readme", b"nothing")
    garbage.write_bytes(b"\x1f\x8b" + bytes(600))
    with pytest.raises(ValueError, match="no images in it"):
        demo.embed(str(empty))
    with pytest.raises(OSError, match="x.tar"):
        demo.embed(str(garbage))
    with pytest.raises(OSError, match="s-0.tar"):
        demo.embed(str(tmp_path / "s-{0..1}.tar"))
    with pytest.raises(ValueError, match="not a range"):
        demo.embed(str(tmp_path / "s-{3..1}.tar"))
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match="no image is named"):
        demo.embed(str(tmp_path / "list.txt"))
    labelled = tmp_path / "labelled.tar"
    with tarfile.open(labelled, "w") as archive:
        put(archive, "a.png", b"")
        put(archive, "a.cls", b"16")
    with pytest.raises(ValueError, match="a.png: class 16: the model has 16"):
        demo.eval(str(labelled))

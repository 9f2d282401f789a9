# SPDX-License-Identifier: MIT
"""Images in archives, read where they lie, by the rules of the command."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Sequence
from typing import Any, Iterator, NamedTuple, Optional, Union

#: Members of more bytes are refused, as they are by the command.
MOST_BYTES = 1 << 30
_LABEL_BYTES = 1 << 16
_KEYS = ("cls", "label", "class", "class_id", "target", "wnid", "synset")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Member(NamedTuple):
    """An image's bytes, and what it is called."""

    name: str
    data: Union[bytes, OSError]  #: or why there are none

    def open(self) -> Any:
        from PIL import Image

        if isinstance(self.data, OSError):
            raise self.data
        return Image.open(io.BytesIO(self.data))


class _Tar:
    """The members of a tar archive; forward is cheap, back may not be."""

    def __init__(self, path: str) -> None:
        self.file = tarfile.open(path)

    def members(self) -> Iterator[tuple]:
        for info in self.file:
            if info.isfile() or info.islnk():
                yield info.name, info

    def read(self, info: Any, most: int) -> bytes:
        if info.size > most:
            raise OSError(f"more than the limit of {most} bytes")
        source = self.file.extractfile(info)
        if source is None:
            raise OSError("a link to no image")
        with source:
            data = source.read(most + 1)
        if not info.islnk() and len(data) != info.size:
            raise OSError("the archive ends before it")
        return data

    def close(self) -> None:
        self.file.close()


class _Zip:
    def __init__(self, path: str) -> None:
        self.file = zipfile.ZipFile(path)

    def members(self) -> Iterator[tuple]:
        for info in self.file.infolist():
            if not info.is_dir():
                yield info.filename, info

    def read(self, info: Any, most: int) -> bytes:
        with self.file.open(info) as source:  # its claim is not believed
            data = source.read(most + 1)
        if len(data) > most:
            raise OSError(f"more than the limit of {most} bytes")
        return data

    def close(self) -> None:
        self.file.close()


def _open(path: str) -> Union[_Tar, _Zip]:
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"\x28\xb5\x2f\xfd" and not hasattr(tarfile.TarFile, "zstopen"):
        raise ValueError(f"{path}: this Python reads no zstd archives: "
                         "decompress it, or use the command")
    try:
        return _Zip(path) if head[:2] == b"PK" else _Tar(path)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise OSError(f"{path}: {error}") from None


# What goes wrong in the middle of an archive.
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError,
           RuntimeError, NotImplementedError, ValueError)


def is_archive(path: Any) -> bool:
    """By its first bytes; "a-{00..11}.tar" is several of them."""
    path = os.fspath(path)
    if isinstance(path, bytes) or os.path.isdir(path):
        return False
    if not os.path.exists(path):
        return bool(_RANGE.search(path))
    with open(path, "rb") as file:
        head = file.read(512)
    return head[257:262] == b"ustar" or head.startswith((
        b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ",
        b"\x28\xb5\x2f\xfd"))


def _paths(path: str) -> list[str]:
    found = _RANGE.search(path)
    if not found or os.path.exists(path):
        return [path]
    first, last = int(found[1]), int(found[2])
    if first > last or last - first >= 100000:
        raise ValueError(f"{path}: not a range of archives")
    return [path[:found.start()] + str(i).zfill(len(found[1])) +
            path[found.end():] for i in range(first, last + 1)]


def _said(data: bytes, ending: str) -> Optional[str]:
    """The class that a file beside an image gives it."""
    if ending == ".json":
        try:
            value = json.loads(data)
        except ValueError:
            return None
        for key in _KEYS if isinstance(value, dict) else ():
            if isinstance(value.get(key), (str, int)):
                return str(value[key])
        return None
    line = data.decode(errors="replace").strip(" \t\r\n").splitlines()
    return line[0] if line else None


class Members(Sequence):
    """The images of one or more archives, in their order."""

    def __init__(self, path: Any, endings: tuple) -> None:
        #: (archive, member, name in it) of every image
        self.found: list = []
        self.refused: list = []  #: (what it is called, why)
        self._labels: dict = {}
        self._opened: tuple = (None, None)
        for one in _paths(os.fspath(path)):
            self._list(one, endings)
        self.close()

    def _list(self, path: str, endings: tuple) -> None:
        archive, any_found = self._archive(path), False
        try:
            for name, member in archive.members():
                any_found = True
                name = re.sub(r"^(/|\./)+", "", name)
                lower = name.lower()
                if lower.endswith(endings) and ".." in name.split("/"):
                    self.refused.append((f"{path}/{name}", "its name leads "
                                         "out of the archive"))
                elif name.startswith(".") or "/." in name:
                    continue
                elif lower.endswith(endings):
                    self.found.append((path, member, name))
                elif lower.endswith((".cls", ".json")):
                    self._label(archive, path, member, name)
        except _BROKEN as error:
            if not any_found:
                raise OSError(f"{path}: {error}") from None
            self.refused.append((path, str(error)))

    def _label(self, archive: Any, path: str, member: Any, name: str) -> None:
        ending = os.path.splitext(name)[1].lower()
        try:
            text = _said(archive.read(member, _LABEL_BYTES), ending)
        except OSError:
            return
        key = path, _stem(name)
        if text is not None and (ending == ".cls" or key not in self._labels):
            self._labels[key] = text

    def _archive(self, path: str) -> Any:
        if self._opened[0] != path:
            self.close()
            self._opened = path, _open(path)
        return self._opened[1]

    def close(self) -> None:
        if self._opened[1] is not None:
            self._opened[1].close()
        self._opened = None, None

    def __len__(self) -> int:
        return len(self.found)

    def name(self, index: int) -> str:
        path, _, name = self.found[index]
        return f"{path}/{name}"

    def __getitem__(self, index: Any) -> Any:
        """Reads as many as are asked for, here and now: one after another."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        path, member, _ = self.found[index]
        try:
            data: Any = self._archive(path).read(member, MOST_BYTES)
        except _BROKEN as error:
            data = OSError(f"{self.name(index)}: {error}")
        except KeyError:
            data = OSError(f"{self.name(index)}: a link to no image before it")
        return Member(self.name(index), data)

    def labels(self) -> Optional[list]:
        """What the archives say of each image's class; None if nothing."""
        given = [self._labels.get((path, _stem(name)))
                 for path, _, name in self.found]
        return given if any(text is not None for text in given) else None

    def folders(self) -> list:
        """The folder that each image is in, below those that all are in;
        None for one in no folder."""
        parts = [name.split("/")[:-1] for _, _, name in self.found]
        common = 0
        while parts and all(len(p) > common + 1 and p[common] ==
                            parts[0][common] for p in parts):
            common += 1
        return [p[common] if len(p) > common else None for p in parts]


def _stem(name: str) -> str:
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.split('.')[0]}"

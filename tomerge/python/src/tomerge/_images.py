# SPDX-License-Identifier: MIT
"""Images as people have them, to the crops that a model takes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator, Sequence, Union

import numpy as np

from ._archives import Member, Members, is_archive

#: A path, an array [height, width, 3] of uint8, or an image of Pillow's.
Picture = Union[str, "os.PathLike[str]", np.ndarray, Any]

#: Endings of the files that a folder's images are taken from.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def walk(folder: Union[str, "os.PathLike[str]"]) -> list[str]:
    """The images below a folder, sorted; hidden ones are left out."""
    found = []
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [os.path.join(where, f) for f in files
                  if f.lower().endswith(ENDINGS) and not f.startswith(".")]
    return sorted(found)


def read_list(path: Union[str, "os.PathLike[str]"]) -> list[str]:
    """The paths in a file, one a line; lines of # and empty ones are none."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\r\n") for line in file]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ValueError(f"{os.fspath(path)}: no image is named in it")
    return found


def name_of(images: Sequence[Any], index: int) -> Any:
    """What an image is called: what was given, or its place in an archive."""
    return images.name(index) if isinstance(images, Members) else images[index]


def pixels(picture: Picture) -> np.ndarray:
    """[height, width, 3], uint8, rows contiguous."""
    if isinstance(picture, Member):
        with picture.open() as file:
            picture = file.convert("RGB")
    if not isinstance(picture, np.ndarray):
        if is_path(picture):
            from PIL import Image

            with Image.open(picture) as file:
                picture = file.convert("RGB")
        if not hasattr(picture, "convert"):
            raise TypeError("images: expected paths, uint8 arrays or images of "
                            f"Pillow's, found {type(picture).__name__}")
        picture = np.asarray(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError("images: expected uint8 of shape [height, width, 3], "
                         f"found {picture.dtype} of {picture.shape}")
    return np.ascontiguousarray(picture)


def listed(images: Any) -> Sequence[Any]:
    """One image or several, as a sequence of them; of a folder, an archive or
    a list (.txt) its files."""
    if is_path(images):
        if is_archive(images):
            members = Members(images, ENDINGS)
            if not members and not members.refused:
                raise ValueError(f"{os.fspath(images)}: no images in it")
            return members
        if os.fspath(images).lower().endswith(".txt"):
            return read_list(images)
        if os.path.isdir(images):
            files = walk(images)
            if not files:
                raise ValueError(f"{os.fspath(images)}: no images in it")
            return files
        return [images]
    if isinstance(images, np.ndarray):
        if images.ndim not in (3, 4):
            raise ValueError("images: expected [height, width, 3], several of "
                             "them, or normalised float32 [n, 3, size, size], "
                             f"found shape {images.shape}")
        return images if images.ndim == 4 else images[None]
    if hasattr(images, "convert"):
        return [images]
    return list(images)


def batches(images: Sequence[Any], crop: Callable[..., Any], batch: int,
            threads: int) -> Iterator[list[Any]]:
    """What crop(index, image) makes of a few images at a time, decoded ahead
    by threads; an archive is read in order, by one."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: list[Any] = []
        rest: Iterable[int] = iter(range(0, len(images), batch))
        for first in rest:
            ahead.append([pool.submit(crop, first + i, image) for i, image in
                          enumerate(images[first:first + batch])])
            if len(ahead) > 1:
                yield [future.result() for future in ahead.pop(0)]
        for futures in ahead:
            yield [future.result() for future in futures]

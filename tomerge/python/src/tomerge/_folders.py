# SPDX-License-Identifier: MIT
"""Which class a folder of images is, by the rules of the command."""

from __future__ import annotations

import os
import re
from typing import Optional, Sequence

_HERE = os.path.dirname(os.path.abspath(__file__))
#: Beside this file in a wheel; in the repository where the command has it.
_TABLES = (os.path.join(_HERE, "imagenet1k.tsv"),
           os.path.join(_HERE, "..", "..", "..", "..", "data",
                        "imagenet1k.tsv"))


def imagenet() -> tuple[list[str], list[str]]:
    """WordNet ids and names of ImageNet's 1000 classes, in their order."""
    for path in _TABLES:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                rows = [line.rstrip("\n").split("\t") for line in file
                        if not line.startswith("#")]
            return [row[0] for row in rows], [row[1] for row in rows]
    raise FileNotFoundError("imagenet1k.tsv is not in this installation")


def class_folders(folder: str) -> list[str]:
    names = sorted(entry.name for entry in os.scandir(folder)
                   if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise ValueError(f"{folder}: no class folders in it")
    return names


def class_of(text: str, count: int, names: Optional[Sequence[str]]) -> int:
    """The class that a label names: by its number, WordNet id or name."""
    if re.fullmatch(r"[0-9]+", text):
        if int(text) < count:
            return int(text)
        raise ValueError(f"class {int(text)}: the model has {count} classes")
    ids = imagenet()[0] if count == 1000 else []
    if text in ids:
        return ids.index(text)
    same = [i for i, name in enumerate(names or ()) if name == text]
    if len(same) > 1:
        raise ValueError(f"'{text}' is the name of classes {same[0]} and "
                         f"{same[1]}: give the index")
    if not same:
        raise ValueError(f"'{text}' is not a class of the model")
    return same[0]


def classes_of(folders: Sequence[str], count: int,
               names: Optional[Sequence[str]]) -> list[int]:
    """The class of each folder, by WordNet ids, by the model's own names, by
    whole numbers, or in sorted order if there are as many as classes."""
    if count == 1000 and all(re.fullmatch(r"n\d{8}", f) for f in folders):
        ids = {wordnet: i for i, wordnet in enumerate(imagenet()[0])}
        unknown = [f for f in folders if f not in ids]
        if not unknown:
            return [ids[f] for f in folders]
        raise ValueError(f"'{unknown[0]}' is none of ImageNet's classes")
    if names is not None and all(f in names for f in folders):
        return [list(names).index(f) for f in folders]
    if all(f.isdigit() for f in folders):
        numbers = [int(f) for f in folders]  # zeros before them do not matter
        if max(numbers) < count and len(set(numbers)) == len(numbers):
            return numbers
        raise ValueError(f"class folder '{max(folders, key=int)}': the model "
                         f"has {count} classes")
    if len(folders) == count and not any(f.isdigit() for f in folders):
        return list(range(count))
    raise ValueError(
        f"{len(folders)} class folders, such as '{folders[0]}', are neither "
        f"WordNet ids nor the model's class names nor as many as its {count} "
        "classes: give images and labels")

# SPDX-License-Identifier: MIT
"""Reading reference data: tests/golden of the repository, or the whole set in
TOMERGE_SHARED (../shared beside the repository) where that is."""

import json
import os
import struct

import numpy as np

_REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__),
                                           "..", "..", ".."))
_SHARED = os.environ.get("TOMERGE_SHARED",
                         os.path.join(_REPOSITORY, "..", "shared"))
_DTYPES = {"F32": np.float32, "I32": np.int32, "I64": np.int64}


def _folder():
    for folder in (os.path.join(_SHARED, "golden"),
                   os.path.join(_REPOSITORY, "tests", "golden")):
        if os.path.exists(os.path.join(folder, "index.json")):
            return folder
    return None


FOLDER = _folder()


def index(kind):
    """The cases of a kind; none where the data are not at hand."""
    if FOLDER is None:
        return []
    with open(os.path.join(FOLDER, "index.json")) as file:
        return json.load(file)[kind]


def load(name):
    """The tensors of a .safetensors file."""
    with open(os.path.join(FOLDER, name), "rb") as file:
        header, = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(header))
        data = file.read()
    entries.pop("__metadata__", None)
    return {key: np.frombuffer(data[slice(*entry["data_offsets"])],
                               _DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for key, entry in entries.items()}

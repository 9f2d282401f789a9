# SPDX-License-Identifier: MIT
"""NumPy arrays and torch CPU tensors as libtomerge sees them: an address, a
shape, strides in elements, a dtype. Nothing is ever copied."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np

from ._library import View

#: The names NumPy, ml_dtypes and torch have for enum tomerge_dtype.
DTYPES = {"float32": 0, "bfloat16": 1, "float16": 2}
ELEMENT = (4, 2, 2)


def torch_of(array: Any) -> Any:
    """The torch module if this is a tensor, else None; never imports it."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        return torch
    return None


class Buffer(NamedTuple):
    """An array's memory. ``strides`` count elements."""

    pointer: int
    shape: tuple
    strides: tuple
    dtype: int

    def packed_stride(self) -> Optional[int]:
        """From row to row if the rows of all sequences, one after another,
        are equally far apart; else None."""
        if len(self.shape) == 2:
            return self.strides[0]
        batch, tokens, _ = self.shape
        if tokens == 1:
            return self.strides[0]
        if batch == 1 or self.strides[0] == tokens * self.strides[1]:
            return self.strides[1]
        return None

    def view(self, sequence: Optional[int] = None) -> View:
        """All rows packed, or those of one sequence."""
        if sequence is None:
            return View(self.pointer, self.packed_stride(), self.dtype)
        offset = sequence * self.strides[0] * ELEMENT[self.dtype]
        return View(self.pointer + offset, self.strides[1], self.dtype)


def _facts(array: Any, name: str) -> tuple[int, tuple, tuple, str]:
    """Address, shape, strides in elements, name of the dtype."""
    torch = torch_of(array)
    if torch is not None:
        if array.device.type != "cpu" or array.layout is not torch.strided:
            raise ValueError(f"{name}: expected a dense tensor on the CPU, "
                             f"found {array.layout} on {array.device}")
        return (array.data_ptr(), tuple(array.shape), array.stride(),
                str(array.dtype)[len("torch."):])
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array or a torch tensor, "
                        f"found {type(array).__name__}")
    size = array.itemsize
    if any(stride % size for stride in array.strides):
        raise ValueError(f"{name}: strides of {array.strides} bytes are not "
                         f"whole elements of {size} bytes")
    dtype = array.dtype.name if array.dtype.isnative else str(array.dtype)
    return (array.__array_interface__["data"][0], array.shape,
            tuple(stride // size for stride in array.strides), dtype)


def describe(array: Any, name: str, dimensions: Sequence[int]) -> Buffer:
    """Checks an array of rows: dtype, dimensions, channels contiguous."""
    pointer, shape, strides, dtype = _facts(array, name)
    if dtype not in DTYPES:
        raise TypeError(f"{name}: expected float32, bfloat16 or float16, "
                        f"found {dtype}")
    if len(shape) not in dimensions:
        expected = " or ".join(str(n) for n in dimensions)
        raise ValueError(f"{name}: expected {expected} dimensions, found "
                         f"shape {tuple(shape)}")
    if shape[-1] == 0:
        raise ValueError(f"{name}: no channels in shape {tuple(shape)}")
    if shape[-1] > 1 and strides[-1] != 1 and 0 not in shape:
        raise ValueError(f"{name}: the channels (last dimension) must be "
                         f"contiguous, found a stride of {strides[-1]}")
    return Buffer(pointer, tuple(shape), tuple(strides), DTYPES[dtype])


def floats(array: Any, name: str, count: int) -> int:
    """The address of ``count`` contiguous float32, in any shape."""
    pointer, shape, strides, dtype = _facts(array, name)
    if dtype != "float32":
        raise TypeError(f"{name}: expected float32, found {dtype}")
    total, contiguous = 1, True
    for length, stride in zip(reversed(shape), reversed(strides)):
        contiguous = contiguous and (length == 1 or stride == total)
        total *= length
    if total != count:
        raise ValueError(f"{name}: expected {count} values, found shape "
                         f"{tuple(shape)}")
    if not contiguous and total:
        raise ValueError(f"{name}: expected a contiguous array, found strides "
                         f"{tuple(strides)}")
    return pointer


def writable(array: Any, name: str) -> None:
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        raise ValueError(f"{name}: the array is read-only")


def empty_like(array: Any, shape: Sequence[int]) -> Any:
    """A new array of the same library and dtype."""
    if torch_of(array) is not None:
        return array.new_empty(shape)
    return np.empty(shape, array.dtype)


def empty_floats_like(array: Any, shape: Sequence[int]) -> Any:
    torch = torch_of(array)
    if torch is not None:
        return torch.empty(shape, dtype=torch.float32)
    return np.empty(shape, np.float32)


def pointer(array: Any) -> int:
    """Where an array's or a tensor's first element is."""
    if torch_of(array) is not None:
        return array.data_ptr()
    return address(array)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def threads_for(threads: Optional[int], array: Any, sequences: int) -> int:
    """How many threads a call forms: as many as torch uses, or
    OMP_NUM_THREADS, or one a processor, and never more than sequences."""
    if threads is None:
        torch = torch_of(array)
        wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
        if torch is not None:
            threads = torch.get_num_threads()
        elif wanted.isdigit() and int(wanted) > 0:
            threads = int(wanted)
        else:
            threads = _processors()
    elif not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads: expected a number of at least 1, "
                         f"found {threads!r}")
    return _team(min(threads, sequences))


# GNU's OpenMP hangs in a child process of one that has formed a team.
_team_formed = _team_barred = False


def _team(threads: int) -> int:
    global _team_formed
    if threads <= 1 or _team_barred:
        return 1
    _team_formed = True
    return threads


def _after_fork() -> None:
    global _team_barred
    _team_barred = _team_formed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

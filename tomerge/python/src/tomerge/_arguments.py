# SPDX-License-Identifier: MIT
"""Arguments of plans and schedules, checked and as libtomerge takes them.

What depends on numbers alone is made once and kept: a model plans the same
layers again and again.
"""

from __future__ import annotations

import ctypes
import enum
import functools
import operator
import threading
from typing import Any, Iterable

import numpy as np

from ._arrays import address
from ._library import (METHODS, ORDERS, SIMILARITIES, Options, check,
                       library, number_of)


def count(value: Any, name: str) -> int:
    """A whole number of at least 0."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, found "
                        f"{value!r}") from None
    if number < 0:
        raise ValueError(f"{name}: expected a number of at least 0, found "
                         f"{number}")
    return number


def is_number(value: Any) -> bool:
    """Whether this is a number rather than a list or an array of them."""
    return hasattr(value, "__index__") and not getattr(value, "shape", ())


def counts(values: Any, name: str, expected: str) -> list[int]:
    """Whole numbers of at least 0."""
    try:
        values = list(values)
    except TypeError:
        raise TypeError(f"{name}: expected {expected}, found "
                        f"{values!r}") from None
    return [count(value, name) for value in values]


@functools.lru_cache(maxsize=1024)
def even_offsets(sequences: int, tokens: int) -> np.ndarray:
    """Where sequences of one length begin, and the end of the last."""
    offsets = np.arange(sequences + 1, dtype=np.uintp) * np.uintp(tokens)
    offsets.flags.writeable = False
    return offsets


def given_offsets(offsets: Iterable[int], rows: int) -> np.ndarray:
    bounds = counts(offsets, "offsets", "numbers")
    if (len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != rows
            or sorted(bounds) != bounds):
        raise ValueError(f"offsets: expected numbers that rise from 0 to the "
                         f"metric's {rows} rows")
    result = np.array(bounds, np.uintp)
    result.flags.writeable = False
    return result


@functools.lru_cache(maxsize=1024)
def _same_amounts(r: int, sequences: int) -> np.ndarray:
    return np.full(sequences, r, np.uintp)


def amounts(r: Any, sequences: int) -> np.ndarray:
    """r for every sequence."""
    if is_number(r):
        return _same_amounts(count(r, "r"), sequences)
    values = counts(r, "r", "a whole number or one for each sequence")
    if len(values) != sequences:
        raise ValueError(f"r: expected one number for each of {sequences} "
                         f"sequences, found {len(values)}")
    return np.array(values, np.uintp)


@functools.lru_cache(maxsize=1024)
def _options(method: int, similarity: int, protect: int, stride: int,
             seed: int, order: int, exact: bool) -> Options:
    options = Options()
    library.tomerge_options_init(ctypes.byref(options))
    options.method, options.similarity = method, similarity
    options.protect, options.stride, options.seed = protect, stride, seed
    options.order, options.exact = order, int(exact)
    return options


def options(method: str, similarity: str, protect: int, stride: int,
            seed: int, order: str, exact: bool = False) -> Options:
    if count(stride, "stride") < 2:
        raise ValueError(f"stride: expected at least 2, found {stride}")
    return _options(number_of(METHODS, method, "method"),
                    number_of(SIMILARITIES, similarity, "similarity"),
                    count(protect, "protect"), count(stride, "stride"),
                    count(seed, "seed"), number_of(ORDERS, order, "order"),
                    bool(exact))


def with_role(options: Options, role: int) -> Options:
    """A copy of shared options for the tokens whose roles are there."""
    own = Options.from_buffer_copy(options)
    own.role = role
    return own


def roles(role: Any, shape: tuple) -> np.ndarray:
    """One uint8 for every token; a copy only if they lie otherwise."""
    array = np.asarray(role)
    if array.dtype.kind not in "iu":
        raise TypeError(f"role: expected whole numbers, one of tomerge.Role "
                        f"for each token, found {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"role: expected shape {shape}, found {array.shape}")
    if array.size and (array.min() < 0 or array.max() > max(Role)):
        raise ValueError(f"role: expected values of tomerge.Role, found "
                         f"{array.min()} to {array.max()}")
    return np.ascontiguousarray(array, np.uint8)


class Role(enum.IntEnum):
    """What may happen to a token."""

    MERGEABLE = 0
    PROTECTED = 1  #: never merges, at any position
    PADDING = 2    #: not there: never merges, becomes one of the last rows
    DROPPED = 3    #: not there either, and gets no row
    DESTINATION = 4  #: others may merge into it: method "given" needs one


# ---- workspaces ----

_local = threading.local()


def space(need: int) -> tuple[int, int]:
    """Memory of this thread's own, address and size, until its next call."""
    space = getattr(_local, "space", None)
    if space is None or space[1].size < need:
        array = np.empty(need, np.uint8)
        space = _local.space = address(array), array
    return space[0], space[1].size


def match_space(options: Options, offsets: np.ndarray, channels: int,
                threads: int) -> tuple[int, int]:
    need = ctypes.c_size_t()
    check(library.tomerge_match_batch_workspace(
        options, len(offsets) - 1, address(offsets), channels, threads,
        need), "plan")
    return space(need.value)


def rounds_space(options: Options, tokens: int,
                 channels: int) -> tuple[int, int]:
    need = ctypes.c_size_t()
    check(library.tomerge_match_rounds_workspace(options, tokens, channels,
                                                 need), "plan")
    return space(need.value)


def merge_space(offsets: np.ndarray, threads: int) -> tuple[int, int]:
    need = ctypes.c_size_t()
    check(library.tomerge_merge_batch_workspace(
        len(offsets) - 1, address(offsets), threads, need), "merge")
    return space(need.value)

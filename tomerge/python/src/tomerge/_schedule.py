# SPDX-License-Identifier: MIT
"""Schedules: how many tokens merge in every layer."""

from __future__ import annotations

import ctypes
from typing import Sequence, Union

import numpy as np

from ._arguments import count, counts, is_number
from ._arrays import address
from ._library import EINVAL, Error, check, library

#: What `model.r` takes: a number for all layers, a number and an inflection,
#: or a list with a number for each of the first layers.
Schedule = Union[int, tuple, Sequence[int]]


def schedule(layers: int, r: Schedule, inflection: float = 0.0) -> list[int]:
    """r for every layer.

    Args:
        layers: how many there are.
        r: tokens to remove in every layer; or a tuple ``(r, inflection)``; or
            a list for the first layers, the others getting 0.
        inflection: in [-1, 1]: a ramp from ``r * (1 - inflection)`` in the
            first layer to ``r * (1 + inflection)`` in the last. -1 merges
            early and is the fastest.
    """
    out = np.zeros(count(layers, "layers"), np.uintp)
    if isinstance(r, tuple):
        if len(r) != 2:
            raise ValueError(f"r: expected (r, inflection), found {r!r}")
        r, inflection = r
    if is_number(r):
        if not -1.0 <= inflection <= 1.0:
            raise Error(EINVAL, f"r: expected an inflection from -1 to 1, "
                                f"found {inflection!r}")
        check(library.tomerge_schedule(
            len(out), count(r, "r"), float(inflection), address(out)),
            "schedule")
        return out.tolist()
    values = counts(r, "r", "a number, a tuple (r, inflection) or a list")
    if inflection:
        raise ValueError("inflection: a list of r has none")
    if len(values) > len(out):
        raise ValueError(f"r: {len(values)} numbers for {len(out)} layers")
    given = np.array(values, np.uintp)
    check(library.tomerge_schedule_list(
        len(out), len(given), address(given) if len(given) else None,
        address(out)), "schedule")
    return out.tolist()


def schedule_for_ratio(layers: int, tokens: int, ratio: float,
                       protect: int = 1) -> list[int]:
    """The evenest schedule that merges away a share of the tokens.

    Args:
        layers, tokens: of the model; protected tokens count.
        ratio: in [0, 1): the share merged away, averaged over the layers.
        protect: leading tokens that never merge.
    """
    out = np.zeros(count(layers, "layers"), np.uintp)
    check(library.tomerge_schedule_ratio(
        0, len(out), count(tokens, "tokens"), count(protect, "protect"),
        float(ratio), address(out)), "schedule_for_ratio")
    return out.tolist()


def schedule_tokens(r: Sequence[int], tokens: int,
                    protect: int = 1) -> tuple[list[int], float]:
    """What a schedule does to a sequence of ``tokens``: the tokens that leave
    each layer, and the share merged away, averaged over the layers."""
    given = np.array(counts(r, "r", "a list"), np.uintp)
    out = np.zeros(len(given), np.uintp)
    ratio = ctypes.c_double()
    check(library.tomerge_schedule_tokens(
        0, len(given), count(tokens, "tokens"), count(protect, "protect"),
        address(given), address(out), ctypes.byref(ratio)),
        "schedule_tokens")
    return out.tolist(), ratio.value

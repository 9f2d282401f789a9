# SPDX-License-Identifier: MIT
"""Partitions for the method "given": which tokens others may merge into."""

from __future__ import annotations

from ctypes import byref, c_uint64
from typing import Iterable, Optional

import numpy as np

from ._arguments import count, counts
from ._arrays import address
from ._library import check, library


def partition_list(tokens: int, destinations: Iterable[int]) -> np.ndarray:
    """Roles under which the tokens of a list are destinations.

    Args:
        tokens: how many there are.
        destinations: some of them, in any order.

    Returns:
        uint8 ``[tokens]``, for ``plan(..., method="given", role=...)``.
    """
    tokens = count(tokens, "tokens")
    chosen = counts(destinations, "destinations", "whole numbers")
    if chosen and max(chosen) >= tokens:
        raise ValueError(f"destinations: {max(chosen)}: there are {tokens} "
                         "tokens")
    listed, role = np.array(chosen, np.int32), np.empty(tokens, np.uint8)
    check(library.tomerge_partition_list(tokens, len(chosen), address(listed),
                                         address(role)), "partition_list")
    return role


def partition_grid(h: int, w: int, sy: int = 2, sx: int = 2,
                   seed: Optional[int] = None) -> np.ndarray:
    """Roles under which one token of each tile of a grid is a destination.

    It is the partition of Token Merging for Stable Diffusion (Bolya, Hoffman,
    CVPR workshops 2023), whose values are combined by "mean".

    Args:
        h, w: tokens in ``h`` rows of ``w``.
        sy, sx: height and width of a tile; what is left of no whole tile has
            no destination.
        seed: which token of each tile, at random; None: the top left one.

    Returns:
        uint8 ``[h * w]``, for ``plan(..., method="given", role=...)``.
    """
    h, w, sy, sx = (count(value, name) for value, name in
                    ((h, "h"), (w, "w"), (sy, "sy"), (sx, "sx")))
    drawn = None if seed is None else c_uint64(count(seed, "seed"))
    role = np.empty(h * w, np.uint8)
    check(library.tomerge_partition_grid(
        h, w, sy, sx, None if drawn is None else byref(drawn), address(role)),
        f"partition_grid of {h} x {w} tokens in tiles of {sy} x {sx}")
    return role

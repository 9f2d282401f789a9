# SPDX-License-Identifier: MIT
"""Matching and merging as pairs of functions."""

from __future__ import annotations

from typing import Callable, Optional

import torch

from ... import _plain, plan
from ..._arrays import DTYPES
from ..._exact import exact_plan


def do_nothing(x: torch.Tensor, mode: Optional[str] = None) -> torch.Tensor:
    """What merging is where nothing merges."""
    return x


def _functions(map: torch.Tensor, rows: int) -> tuple[Callable, Callable]:
    """merge and unmerge for a map int64 ``[batch, tokens]``; -1: dropped."""
    dropped = map < 0
    index = map.masked_fill(dropped, rows)

    def merge(x: torch.Tensor, mode: str = "mean") -> torch.Tensor:
        """``mode``: as torch.scatter_reduce has it."""
        batch, _, channels = x.shape
        to = index[..., None].expand(-1, -1, channels)
        y = x.new_zeros((batch, rows + 1, channels))
        return y.scatter_reduce(1, to, x, mode, include_self=False)[:, :rows]

    def unmerge(x: torch.Tensor) -> torch.Tensor:
        full = _plain.take(x, index.clamp_max(rows - 1))
        return full.masked_fill(dropped[..., None], 0)

    return merge, unmerge


def bipartite_soft_matching(
        metric: torch.Tensor, r: int, class_token: bool = False,
        distill_token: bool = False) -> tuple[Callable, Callable]:
    """Matches alternating tokens of ``metric`` [batch, tokens, channels].

    Returns:
        ``merge(x, mode="mean")`` and ``unmerge(x)``, for any tensors of
        these tokens, ``[batch, tokens or rows, channels]``.
    """
    protect = int(class_token) + int(distill_token)
    tokens = metric.shape[1]
    r = min(r, (tokens - protect) // 2)
    if r <= 0:
        return do_nothing, do_nothing
    metric = metric.detach()
    if (metric.device.type == "cpu"
            and str(metric.dtype)[len("torch."):] in DTYPES):
        found = exact_plan(metric.contiguous(), r, protect=protect,
                           order="reference")
        map = torch.from_numpy(found.map).long()
    else:
        map, _ = _plain.match(metric, r, protect, order="reference")
    return _functions(map, tokens - r)


def kth_bipartite_soft_matching(
        metric: torch.Tensor, k: int) -> tuple[Callable, Callable]:
    """Merges all tokens into the last of every k; those after the last whole
    group are dropped, and come back as 0."""
    if k <= 1:
        return do_nothing, do_nothing
    found = plan(metric.detach().float().cpu().contiguous(), 0,
                 method="strided", stride=k)
    map = torch.from_numpy(found.map).long().to(metric.device)
    return _functions(map, metric.shape[1] // k)


def random_bipartite_soft_matching(
        metric: torch.Tensor, r: int) -> tuple[Callable, Callable]:
    """Merges r tokens chosen at random (by torch's generator) into the most
    similar of the others."""
    if r <= 0:
        return do_nothing, do_nothing
    seed = int(torch.randint(2 ** 31, (1,)))
    found = plan(metric.detach().float().cpu().contiguous(), r,
                 method="random", seed=seed)
    return _functions(torch.from_numpy(found.map).long().to(metric.device),
                      found.rows)


def merge_wavg(merge: Callable, x: torch.Tensor,
               size: Optional[torch.Tensor] = None
               ) -> tuple[torch.Tensor, torch.Tensor]:
    """Merges by the mean weighted by size, ``[batch, tokens, 1]``; returns
    the rows and their sizes."""
    if size is None:
        size = torch.ones_like(x[..., :1])
    x = merge(x * size, mode="sum")
    size = merge(size, mode="sum")
    return x / size, size


def merge_source(merge: Callable, x: torch.Tensor,
                 source: Optional[torch.Tensor] = None) -> torch.Tensor:
    """Which token is in which row: ``[batch, rows, tokens]`` of 0 and 1.
    ``source`` is that of the layer before."""
    if source is None:
        batch, tokens, _ = x.shape
        source = torch.eye(tokens, device=x.device)[None].expand(
            batch, tokens, tokens)
    return merge(source, mode="amax")

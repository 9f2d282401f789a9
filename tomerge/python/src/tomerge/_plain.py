# SPDX-License-Identifier: MIT
"""Merging in torch's own operations: for tensors that are not on the CPU, and
for graphs that have to run without libtomerge (ONNX).

The same maps as the library's, but for ties that rounding decides: products
are summed in whatever order torch sums them.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

METHODS = ("alternating",)


def rows_left(tokens: Any, r: int, protect: int) -> Any:
    """How many rows leave a layer that is to remove r."""
    if isinstance(tokens, torch.Tensor):  # as torch.jit.trace has sizes
        tokens = int(tokens)
    most = torch.sym_max(tokens - protect, 0) // 2
    return tokens - torch.sym_min(r, most)


def scores_of(sources: torch.Tensor, destinations: torch.Tensor,
              barred: torch.Tensor, similarity: str) -> torch.Tensor:
    """How similar every source is to every destination, -infinity to those
    that are barred."""
    if similarity == "cosine":
        sources = sources / sources.norm(dim=-1, keepdim=True)
        destinations = destinations / destinations.norm(dim=-1, keepdim=True)
    lost = [~part.isfinite().all(-1) for part in (sources, destinations)]
    scores = sources @ destinations.transpose(-1, -2)
    if similarity == "euclidean":
        squares = destinations.square().sum(-1)[..., None, :]
        scores = 2 * scores - squares - sources.square().sum(-1, keepdim=True)
    if similarity == "softmax":
        scores = scores * sources.shape[-1] ** -0.5
        scores = scores.masked_fill(barred, -torch.inf).softmax(-1)
    least = torch.finfo(scores.dtype).min
    scores = scores.nan_to_num(nan=least, neginf=least)
    # Rows that cannot be compared go into one another, if there are such.
    scores = torch.where(lost[1][..., None, :], least, scores)
    scores = torch.where(lost[0][..., None], torch.where(
        lost[1][..., None, :], least / 2, least), scores)
    return scores.masked_fill(barred, -torch.inf)


def match(metric: torch.Tensor, r: int, protect: int = 0,
          similarity: str = "cosine", order: str = "grouped"
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """Bipartite soft matching on alternating tokens that always removes r.

    Rows that cannot be compared (a NaN, no direction) merge last, lowest
    index first, into the first of the same kind or the first of all.

    Args:
        metric: ``[batch, tokens, channels]``.
        r, protect, similarity: as in :func:`tomerge.plan`.
        order: "grouped", "position", or "reference" (see there).

    Returns:
        map, int64 ``[batch, tokens]``, and origin, ``[batch, rows]``.
    """
    batch, tokens = metric.shape[:2]
    rows = rows_left(tokens, r, protect)
    at = torch.arange(tokens, device=metric.device)
    if rows == tokens:
        return (at.expand(batch, -1),) * 2
    scores = scores_of(metric[:, ::2].float(), metric[:, 1::2].float(),
                       at[1::2] < protect, similarity)
    scores = scores.masked_fill((at[::2] < protect)[None, :, None], -torch.inf)
    best, nearest = scores.max(-1)
    falling = _sorted(best, True)
    count = torch.arange(best.shape[1], device=metric.device)
    rank = torch.zeros_like(falling).scatter(  # 0 merges first
        1, falling, count.expand(batch, -1))
    merged = rank < tokens - rows
    # Where a row goes: protected first, then sources, then destinations.
    source_key = tokens + at[::2].expand_as(rank)
    if order == "reference" and protect == 0:
        source_key = tokens + rank
    source_key = torch.where(at[::2] < protect, at[::2], source_key)
    destination_key = torch.where(at[1::2] < protect, at[1::2],
                                  2 * tokens + at[1::2])
    if order == "position":
        first = torch.where(merged, at[::2], 4 * tokens)
        destination_key = at[1::2].expand(batch, -1).scatter_reduce(
            1, nearest, first, "amin")
        source_key = at[::2].expand_as(rank)
    source_key = torch.where(merged, 4 * tokens, source_key)
    origin = _sorted(_interleave(
        source_key, destination_key.expand(batch, -1), tokens))[:, :rows]
    row = torch.zeros_like(at).expand(batch, -1).scatter(
        1, origin, at[:rows].expand(batch, -1))
    into = row[:, 1::2].gather(1, nearest)
    return _interleave(torch.where(merged, into, row[:, ::2]), row[:, 1::2],
                       tokens), origin


def _sorted(values: torch.Tensor, falling: bool = False) -> torch.Tensor:
    """Where the smallest is, or the largest, and so on; of equals the first
    one first."""
    if torch.onnx.is_in_onnx_export():  # whose TopK does that, as no Sort
        return values.topk(values.shape[-1], largest=falling).indices
    return values.sort(dim=-1, descending=falling, stable=True).indices


def _interleave(even: torch.Tensor, odd: torch.Tensor,
                tokens: Any) -> torch.Tensor:
    """Even and odd positions put together again."""
    odd = torch.nn.functional.pad(odd, (0, even.shape[1] - odd.shape[1]))
    return torch.stack((even, odd), -1).flatten(1)[:, :tokens]


def merge(x: torch.Tensor, size: Optional[torch.Tensor], map: torch.Tensor,
          origin: torch.Tensor, combine: str = "weighted"
          ) -> tuple[torch.Tensor, torch.Tensor]:
    """Combines rows as :meth:`tomerge.Plan.merge` does; differentiable."""
    rows = origin.shape[1]
    batch, tokens, channels = x.shape
    if size is None:
        size = x.new_ones((batch, tokens), dtype=torch.float32)
    total = size.new_zeros((batch, rows)).scatter_add(1, map, size)
    if combine == "keep":
        return take(x, origin), total
    wide, index = x.float(), map[..., None].expand(-1, -1, channels)
    if combine == "max":
        y = take(wide, origin).scatter_reduce(1, index, wide, "amax")
        return y.to(x.dtype), total
    weight = torch.ones_like(size) if combine in ("mean", "sum") else size
    y = wide.new_zeros((batch, rows, channels)).scatter_add(
        1, index, wide * weight[..., None])
    if combine != "sum":
        share = total if combine != "mean" else torch.zeros_like(
            total).scatter_add(1, map, weight)
        y = y / share[..., None]
    if combine == "mlerp":
        longest = torch.zeros_like(total).scatter_reduce(
            1, map, wide.norm(dim=-1), "amax")
        length = y.norm(dim=-1)
        factor = torch.where(length > 0, longest / length, 1.0)
        y = y * factor[..., None]
    return y.to(x.dtype), total


def take(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """The rows of each sequence that ``index`` [batch, rows] names."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))

# SPDX-License-Identifier: MIT
"""Vision Transformers that merge, written from the paper for one image at a
time, to judge patched models by. Nothing here is tomerge's.

A row is kept together with the list of tokens in it. Only parts that act on
single rows (norms, MLPs, projections) are the model's own.
"""

import math
from typing import Any, Callable, NamedTuple, Optional

import torch


class Layer(NamedTuple):
    """The parts of one layer; all but ``project`` act on single rows."""

    before: Callable
    project: Callable  # [1, rows, channels] -> q, k, v [heads, rows, c]
    out: Callable
    after: Callable
    mlp: Callable
    # (part, for every row the tokens whose places it has the mean of) -> part
    rotate: Optional[Callable] = None
    table: Optional[torch.Tensor] = None  # [heads, tokens, tokens]
    scale: Optional[float] = None


class Row(NamedTuple):
    members: list  # numbers of tokens
    place: int     # the token that it is built on


def match(metric: torch.Tensor, r: int, protect: int,
          by_score: bool = False) -> tuple[list, dict]:
    """Rows that stay, in order, and for those that go the row they join."""
    unit = metric / metric.norm(dim=-1, keepdim=True)
    tokens = len(metric)
    sources = [i for i in range(0, tokens, 2) if i >= protect]
    targets = [j for j in range(1, tokens, 2) if j >= protect]
    r = min(r, (tokens - protect) // 2)
    if r <= 0:
        return list(range(tokens)), {}
    scores = unit[sources] @ unit[targets].T
    best = [max(range(len(targets)), key=lambda j: row[j])
            for row in scores.tolist()]
    value = [scores[i, j].item() for i, j in enumerate(best)]
    ranked = sorted(range(len(sources)), key=lambda i: -value[i])
    joins = {sources[i]: targets[best[i]] for i in ranked[:r]}
    left = ranked[r:] if by_score else sorted(ranked[r:])
    return (list(range(protect)) + [sources[i] for i in left] + targets,
            joins)


def merge(x: torch.Tensor, rows: list, metric: torch.Tensor, r: int,
          protect: int, by_score: bool) -> tuple[torch.Tensor, list]:
    stay, joins = match(metric, r, protect, by_score)
    merged, result = [], []
    for i in stay:
        group = [i] + [j for j, to in joins.items() if to == i]
        sizes = [len(rows[j].members) for j in group]
        total = sum(x[j] * n for j, n in zip(group, sizes)) / sum(sizes)
        merged.append(total if len(group) > 1 else x[i])
        result.append(Row(sum((rows[j].members for j in group), []),
                          rows[i].place))
    return torch.stack(merged), result


def mean_of(table: torch.Tensor, places: list, axis: int) -> torch.Tensor:
    """A table's entries for rows, each the mean of some tokens'."""
    return torch.stack([table.index_select(
        axis, torch.tensor(group)).mean(axis) for group in places], axis)


def attention(layer: Layer, x: torch.Tensor, rows: list, prop_attn: bool,
              positions: str, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows after attention, and what they are compared by."""
    q, k, v = layer.project(layer.before(x[None]))
    unrotated = k
    places = [[row.place] if positions == "destination" else row.members
              for row in rows]
    if layer.rotate is not None:
        q, k = layer.rotate(q, places), layer.rotate(k, places)
    scale = layer.scale or q.shape[-1] ** -0.5
    logits = scale * (q @ k.transpose(-1, -2))
    if layer.table is not None:
        logits = logits + mean_of(mean_of(layer.table, places, 1), places, 2)
    if prop_attn:
        logits = logits + torch.tensor([math.log(len(row.members))
                                        for row in rows])
    y = logits.softmax(-1) @ v
    x = x + layer.out(y.transpose(0, 1).flatten(1))
    if kind == "input":
        return x, x
    return x, {"keys": k, "queries": q, "values": v,
               "keys-unrotated": unrotated}[kind].mean(0)


def encode(layers: list, x: torch.Tensor, schedule: list, protect: int,
           prop_attn: bool = True, by_score: bool = False,
           positions: str = "destination", metric: str = "keys") -> tuple[torch.Tensor, list]:
    """One image's rows ``[tokens, channels]`` through all layers: the rows of
    every token in the end, and the number of each token's row."""
    rows = [Row([i], i) for i in range(len(x))]
    for layer, r in zip(layers, schedule):
        x, compared = attention(layer, x, rows, prop_attn, positions, metric)
        x, rows = merge(x, rows, compared, r, protect, by_score)
        x = x + layer.mlp(layer.after(x))
    trace = [next(n for n, row in enumerate(rows) if i in row.members)
             for i in range(sum(len(row.members) for row in rows))]
    return x[trace], trace


def run(layers: list, embedded: torch.Tensor, schedule: list, protect: int,
        head: Callable, **choices: Any) -> tuple[torch.Tensor, list]:
    """Logits of a batch, whose head sees a row for every token."""
    whole, traces = zip(*(encode(layers, x, schedule, protect, **choices)
                          for x in embedded))
    return head(torch.stack(whole)), list(traces)

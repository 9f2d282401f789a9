# SPDX-License-Identifier: MIT
"""What a patched model carries: how it merges, and what it merged."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ._plan import plan
from ._schedule import Schedule, schedule


class Merging:
    """How a patched model merges, and what its last forward pass did.

    ``model.merging`` is one. Like the model's buffers it belongs to one
    forward pass at a time.

    Attributes:
        prop_attn: whether log sizes are added to the attention logits.
        trace_source: whether ``trace`` is kept.
        method, similarity, threads: as in :func:`tomerge.plan`.
        protect: leading tokens that never merge.
        schedule: r for every layer.
        tokens: the number of rows that left each layer of the last pass.
        size: of the last pass, how many input tokens each final row stands
            for, ``[batch, rows]``; None if nothing merged.
        trace: of the last pass, the final row of every input token, int32
            ``[batch, tokens]``; None without ``trace_source``.
    """

    def __init__(self, layers: int, protect: int, **choices: Any) -> None:
        self.protect = protect
        self.prop_attn = choices["prop_attn"]
        self.trace_source = choices["trace_source"]
        self.method = choices["method"]
        self.similarity = choices["similarity"]
        self.threads = choices["threads"]
        self.layers = layers
        self.set(0)
        self.begin()

    def set(self, r: Schedule) -> None:
        """What ``model.r = r`` does."""
        self.schedule = schedule(self.layers, r)
        self.r = r

    def begin(self) -> None:
        """Before the first layer of a forward pass."""
        self.tokens: list[int] = []
        self.size: Any = None
        self.trace: Optional[Any] = None

    def bias(self, dtype: Any) -> Any:
        """What to add to attention logits ``[batch, heads, queries, keys]``
        (proportional attention), or None."""
        if self.size is None or not self.prop_attn:
            return None
        return self.size.log().to(dtype)[:, None, None, :]

    def merge(self, layer: int, x: Any, metric: Any) -> Any:
        """Merges the rows ``x`` of a layer by ``metric``."""
        r = self.schedule[layer]
        if r > 0 or self.trace_source:
            merge = self._plan(metric.detach().contiguous(), r)
            if r > 0:
                x = x.contiguous()  # without a class token it may not be
                x, self.size = merge.merge(x, self.size, threads=self.threads)
            if self.trace_source:
                self.trace = merge.trace(self.trace)
        self.tokens.append(x.shape[1])
        return x

    def _plan(self, metric: Any, r: int) -> Any:
        choices = {"protect": self.protect, "method": self.method,
                   "similarity": self.similarity, "threads": self.threads}
        result = plan(metric, r, **choices)
        try:
            result.rows
        except ValueError:
            return self._even_plan(result, metric, r, choices)
        return result

    @staticmethod
    def _even_plan(result: Any, metric: Any, r: int, choices: dict) -> Any:
        """Rows with a NaN or without a direction do not merge, but a batch
        has to stay rectangular: those images merge by dot product instead."""
        choices["similarity"] = "dot"
        other = plan(metric.nan_to_num(0.0, 0.0, 0.0), r, **choices)
        odd = np.diff(result.offsets_out) != np.diff(other.offsets_out)
        result.map[odd], result.origin[odd] = other.map[odd], other.origin[odd]
        result.offsets_out[:] = other.offsets_out
        return result

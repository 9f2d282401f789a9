# SPDX-License-Identifier: MIT
"""What a patched model carries: how it merges, and what it merged."""

from __future__ import annotations

import threading
from typing import Any, Optional

import numpy as np
import torch
from torch.utils.weak import WeakIdKeyDictionary

from . import _plain
from ._exact import exact_plan
from ._schedule import Schedule, schedule

#: What a model's tokens are compared by.
METRICS = ("keys", "keys-unrotated", "queries", "values", "input")
#: What becomes of rotary and relative positions.
POSITIONS = ("destination", "mean")
BACKENDS = ("auto", "library", "torch")


class Pass:
    """What one forward pass has merged so far.

    Attributes:
        layer: the next layer.
        tokens: rows that left each layer.
        size: input tokens that each row stands for, or None: one each.
        trace: the row of every input token, int ``[batch, tokens]``, or None.
        place: for every row the input token whose position it has, int64
            ``[batch, rows]``, or None: its own.
    """

    def __init__(self) -> None:
        self.layer = 0
        self.tokens: list[int] = []
        self.size: Any = None
        self.trace: Any = None
        self.place: Any = None

    def after(self, tokens: int, size: Any, trace: Any, place: Any) -> Pass:
        """The pass one layer on. Nothing is changed in place: a checkpointed
        layer that runs again finds what it found the first time."""
        result = Pass()
        result.layer = self.layer + 1
        result.tokens = self.tokens + [tokens]
        result.size, result.trace, result.place = size, trace, place
        return result


class Merging:
    """How a patched model merges, and what its last forward pass did.

    ``model.merging`` is one. Its settings are the model's; what it tells of a
    forward pass is of the calling thread's last one.

    Attributes:
        prop_attn: whether log sizes are added to the attention logits.
        trace_source: whether ``trace`` is kept.
        method, similarity, order, threads: as in :func:`tomerge.plan`.
        combine: as in :meth:`tomerge.Plan.merge`.
        metric, positions, restore, backend: see :func:`tomerge.patch`.
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
        self.layers = layers
        self.positional = False  # whether rows need to know their place
        for name, value in choices.items():
            setattr(self, name, value)
        _one_of("metric", self.metric, METRICS)
        _one_of("positions", self.positions, POSITIONS)
        _one_of("backend", self.backend, BACKENDS)
        if self.backend == "torch" and self.method not in _plain.METHODS:
            raise ValueError(f"backend: torch has no method {self.method!r}")
        self._forget()
        self.set(0)
        # Fails here, not in the first pass, where a name is wrong.
        self._match_now(torch.ones(1, 2, 1), 0)

    def set(self, r: Schedule) -> None:
        """What ``model.r = r`` does."""
        self.schedule = schedule(self.layers, r)
        self.r = r

    # ---- which pass a layer belongs to ----

    def _forget(self) -> None:
        self._local = threading.local()
        self._inputs = WeakIdKeyDictionary()
        self._compiled: Optional[Pass] = None

    def __getstate__(self) -> dict:
        """Copies have settings of their own, and no pass."""
        return {name: value for name, value in self.__dict__.items()
                if name not in ("_local", "_inputs", "_compiled")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._forget()

    def enter(self, layer: int, x: torch.Tensor,
              rows: Any = None) -> Pass:
        """What came before a layer that is about to run on ``x``, of so many
        rows where its shape does not say so.

        Eagerly a pass is found by the tensor that the layer before returned,
        so that a layer may run again (checkpointing), in another thread, or
        in turns with another pass.
        """
        if torch.compiler.is_compiling():
            state = Pass() if layer == 0 else self._compiled
        else:
            state = self._inputs.get(x)
            if state is None or state.layer != layer:
                state = Pass() if layer == 0 else self._last()
                self._inputs[x] = state
        rows = x.shape[1] if rows is None else rows
        if state is None or state.layer != layer or (
                layer and state.tokens[-1] != rows):
            raise RuntimeError(
                f"layer {layer} of a model that merges tokens runs on rows "
                f"that the layer before did not return. Rows cannot be added "
                f"or taken away between layers, and checkpointing has to be "
                f"of the kind use_reentrant=False")
        return state

    def leave(self, x: torch.Tensor, state: Pass) -> None:
        """After a layer, with what it returned."""
        if torch.compiler.is_compiling():
            self._compiled = state
            return
        self._local.state = state
        self._compiled = None
        if state.layer < self.layers:
            self._inputs[x] = state

    def keep(self, x: torch.Tensor) -> None:
        """Features that the last pass ended in."""
        if not torch.compiler.is_compiling():
            self._inputs[x] = self._last()

    def size_of(self, x: torch.Tensor) -> Any:
        """What the rows of such features stand for; None: one token each."""
        state = None
        if not torch.compiler.is_compiling():
            state = self._inputs.get(x)
        size = (state or self._last() or Pass()).size
        if size is not None and size.shape != x.shape[:2]:
            raise RuntimeError(
                "features of another forward pass than the last one: how "
                "many tokens their rows stand for is not known any more")
        return size

    def _last(self) -> Optional[Pass]:
        state = self._compiled
        if (state is not None and not torch.compiler.is_compiling()
                and state.size is not None
                and type(state.size) is not torch.Tensor):
            state = self._compiled = None  # a compiler's, with no values
        return state or getattr(self._local, "state", None)

    @property
    def tokens(self) -> list[int]:
        state = self._last()
        return [] if state is None else [int(n) for n in state.tokens]

    @property
    def size(self) -> Any:
        state = self._last()
        return None if state is None else state.size

    @property
    def trace(self) -> Optional[np.ndarray]:
        state = self._last()
        if state is None or state.trace is None or not self.trace_source:
            return None
        return np.asarray(state.trace.cpu(), np.int32)

    # ---- what a layer does ----

    def bias(self, state: Pass, dtype: torch.dtype) -> Any:
        """What to add to attention logits ``[batch, heads, queries, keys]``
        (proportional attention), or None."""
        if state.size is None or not self.prop_attn:
            return None
        return state.size.log().to(dtype)[:, None, None, :]

    def merge(self, state: Pass, x: torch.Tensor,
              metric: torch.Tensor) -> tuple[torch.Tensor, Pass]:
        """Merges the rows ``x`` of a layer by ``metric`` [batch, tokens,
        channels]; returns them and the pass after this layer."""
        r = self.schedule[state.layer]
        traced = (self.trace_source or self.restore
                  or self.positional and self.positions == "mean")
        trace, place, size = state.trace, state.place, state.size
        if traced and trace is None:
            trace = _every(x, torch.int32)
        if r > 0:
            x, size, map, origin = self._merge(x, size, metric.detach(), r)
            size = size.detach()
            if traced:
                trace = map.to(torch.int32).gather(1, trace.long())
            if self.positional:
                place = _every(map, torch.int64) if place is None else place
                place = place.gather(1, origin.long())
        return x, state.after(x.shape[1], size, trace, place)

    def restored(self, state: Pass, x: torch.Tensor) -> torch.Tensor:
        """After the last layer: the row of every input token, if wanted."""
        if (not self.restore or state.layer != self.layers
                or state.size is None):
            return x
        return _plain.take(x, state.trace.long())

    def _merge(self, x: torch.Tensor, size: Any, metric: torch.Tensor,
               r: int) -> tuple:
        if self._plainly(x):
            map, origin = _plain.match(metric, r, self.protect,
                                       self.similarity, self.order)
            return _plain.merge(x, size, map, origin, self.combine) + (
                map, origin)
        from . import _ops  # torch 2.4 or newer

        if not _ops.direct(x):
            if self.method == "strided":
                raise NotImplementedError(
                    "strided merging cannot be traced, compiled or exported")
            map, origin = torch.ops.tomerge.match(
                metric, r, self.protect, self.method, self.similarity,
                self.order, self.threads)
            return tuple(torch.ops.tomerge.merge(
                x, size, map, origin, self.combine, self.threads)) + (
                map, origin)
        plan = self._match_now(metric.contiguous(), r)
        x, size = plan.merge(x.contiguous(), size, combine=self.combine,
                             threads=self.threads)
        if not (self.trace_source or self.restore or self.positional):
            return x, size, None, None  # nobody asks where tokens went
        return (x, size, torch.from_numpy(plan.map),
                torch.from_numpy(plan.origin[:, :x.shape[1]]))

    def _match_now(self, metric: torch.Tensor, r: int) -> Any:
        return exact_plan(
            metric, r, protect=self.protect, method=self.method,
            similarity=self.similarity, order=self.order,
            threads=self.threads)

    def _plainly(self, x: torch.Tensor) -> bool:
        """Whether to merge in torch's own operations."""
        if self.backend != "auto":
            return self.backend == "torch"
        plainly = (x.device.type != "cpu" or torch.onnx.is_in_onnx_export()
                   or _transformed(x))
        if plainly and self.method not in _plain.METHODS:
            raise NotImplementedError(
                f"method {self.method!r} off the CPU, in ONNX or under "
                f"torch.func")
        return plainly


def _every(like: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The number of every token of a batch."""
    batch, tokens = like.shape[:2]
    return torch.arange(tokens, dtype=dtype, device=like.device)[None].expand(
        batch, tokens)


def _transformed(x: torch.Tensor) -> bool:
    """Whether torch.func looks at the operations."""
    return (not torch.compiler.is_compiling()
            and torch._C._functorch.is_functorch_wrapped_tensor(x))


def _one_of(name: str, value: str, names: tuple) -> None:
    if value not in names:
        raise ValueError(f"{name}: expected one of {', '.join(names)}, found "
                         f"{value!r}")

# SPDX-License-Identifier: MIT
"""What patching is for modules of any library.

A patched module becomes an instance of a subclass of its own class, with the
same attributes; the class it had is in ``_tomerge_base``.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Optional

import torch
import torch.nn.functional as F

from ._merging import Merging, Pass


class Patched:
    """What the subclasses share: they are made at run time, so copying and
    pickling has to make them again."""

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (_revive, (self._tomerge_kind, self._tomerge_base),
                self.__dict__)


class Model(Patched):
    """A model whose layers merge."""

    @property
    def r(self) -> Any:
        """How many tokens merge in each layer."""
        return self.merging.r

    @r.setter
    def r(self, r: Any) -> None:
        self.merging.set(r)

    def forward_intermediates(self, *arguments: Any, **keywords: Any) -> Any:
        if any(self.merging.schedule):
            raise NotImplementedError(
                "intermediate features of a model that merges: their rows "
                "are no grid any more; set model.r = 0")
        return super().forward_intermediates(*arguments, **keywords)


class Layer(Patched):
    """A layer that merges between its attention and its MLP."""

    def enter(self, x: torch.Tensor) -> Pass:
        return self._tomerge_merging.enter(self._tomerge_layer, x)

    def merge(self, state: Pass, x: torch.Tensor,
              seen: Seen) -> tuple[torch.Tensor, Pass]:
        merging = self._tomerge_merging
        if merging.schedule[state.layer] == 0:
            return merging.merge(state, x, x)
        return merging.merge(state, x, seen.metric(merging.metric, x))

    def leave(self, state: Pass, x: torch.Tensor) -> torch.Tensor:
        x = self._tomerge_merging.restored(state, x)
        self._tomerge_merging.leave(x, state)
        return x


class Seen(NamedTuple):
    """What attention computed, ``[batch, heads, tokens, channels]`` each."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    unrotated: Optional[torch.Tensor] = None

    def metric(self, kind: str, x: torch.Tensor) -> torch.Tensor:
        """What tokens are compared by, ``[batch, tokens, channels]``."""
        if kind == "input":
            return x
        if kind == "keys-unrotated" and self.unrotated is not None:
            return self.unrotated.mean(1)
        return {"queries": self.q, "values": self.v}.get(kind, self.k).mean(1)


class NoLayers(TypeError):
    """There is nothing to patch in a model of this class."""


# ---- patching --------------------------------------------------------------


def install(model: Any, layers: list, protect: int, choices: dict,
            pools: bool, positional: bool = False) -> Merging:
    """Gives layers, which have become :class:`Layer`, what they merge by.

    Args:
        protect: leading tokens; ``choices`` may name more.
        pools: whether the model looks at all rows after its last layer, so
            that every row has to be there as often as its tokens.
        positional: whether attention needs to know where a row is.
    """
    choices = dict(choices)
    more = choices.pop("protect")
    if choices["restore"] is None:
        choices["restore"] = pools
    if choices["restore"] and choices["method"] == "strided":
        raise ValueError("method: strided merging drops tokens, and this "
                         "model looks at all of them in the end")
    merging = Merging(len(layers), max(protect, more or 0), **choices)
    merging.positional = positional
    for number, layer in enumerate(layers):
        layer._tomerge_merging, layer._tomerge_layer = merging, number
    become(model, Model)
    model.merging = merging
    return merging


def check_fresh(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, Patched):
            raise ValueError("the model is patched already: tomerge.unpatch() "
                             "it first, or change model.merging")


def unpatch(model: Any) -> Any:
    if not isinstance(model, Model):
        raise ValueError("the model is not patched")
    for module in list(model.modules()):
        if not isinstance(module, Patched):
            continue
        undo = module.__dict__.pop("_tomerge_undo", None)
        if undo is not None:
            undo(module)
        module.__class__ = module._tomerge_base
        for name in ("_tomerge_merging", "_tomerge_layer"):
            module.__dict__.pop(name, None)
    del model.merging
    return model


@functools.lru_cache(maxsize=None)
def _subclass(kind: type, base: type) -> type:
    return type("Merging" + base.__name__, (kind, base),
                {"_tomerge_base": base, "_tomerge_kind": kind,
                 "__module__": base.__module__})


def become(module: Any, kind: type) -> None:
    module.__class__ = _subclass(kind, type(module))


def _revive(kind: type, base: type) -> Any:
    cls = _subclass(kind, base)
    return cls.__new__(cls)


# ---- attention -------------------------------------------------------------


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
           bias: Optional[torch.Tensor], scale: float, fused: bool,
           drop: float = 0.0) -> torch.Tensor:
    """Attention over ``[batch, heads, tokens, channels]``; returns ``[batch,
    tokens, heads * channels]``."""
    if fused:
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias,
                                           dropout_p=drop, scale=scale)
    else:
        logits = (q * scale) @ k.transpose(-2, -1)
        if bias is not None:
            logits = logits + bias
        x = F.dropout(logits.softmax(dim=-1), drop) @ v
    return x.transpose(1, 2).flatten(2)


def rotary_of(table: Any, state: Pass, prefix: int, positions: str) -> Any:
    """The rows of a rotary table for the rows that are left.

    Args:
        table: ``[tokens, channels]``, ``[heads, tokens, channels]`` or
            ``[batch, heads, tokens, channels]``, without the prefix.
        positions: "destination": a row is where the token it is built on was;
            "mean": it gets the mean of its tokens' entries.

    Returns:
        ``table`` where nothing merged, or ``[batch, heads, rows, channels]``.
    """
    if table is None or state.place is None:
        return table
    batch = state.place.shape[0]
    while table.ndim < 4:
        table = table[None]
    table = table.expand(batch, -1, -1, -1)
    rows = state.place.shape[1] - prefix
    source = state.place if positions == "destination" else state.trace
    index = source[:, prefix:].long() - prefix
    index = index[:, None, :, None].expand(-1, table.shape[1], -1,
                                           table.shape[-1])
    if positions == "destination":
        return table.gather(2, index)
    total = table.new_zeros(table.shape[:2] + (rows, table.shape[-1]))
    size = state.size[:, None, prefix:, None].to(table.dtype)
    return total.scatter_add(2, index, table) / size


def relative_of(table: Any, state: Pass, positions: str) -> Any:
    """Likewise of a table ``[1, heads, tokens, tokens]`` of relative
    positions: ``[batch, heads, rows, rows]``."""
    if table is None or state.place is None:
        return table
    while table.ndim < 4:
        table = table[None]
    for axis in (2, 3):
        table = table.transpose(2, axis)
        table = rotary_of(table, state, 0, positions).transpose(2, axis)
    return table


def summed(*biases: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
    found = [bias for bias in biases if bias is not None]
    return functools.reduce(torch.add, found) if found else None

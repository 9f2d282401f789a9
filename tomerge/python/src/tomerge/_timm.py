# SPDX-License-Identifier: MIT
"""Merging inside timm's Vision Transformers.

A patched module becomes an instance of a subclass of its own class, with the
same attributes; the class it had is in ``_tomerge_base``.
"""

from __future__ import annotations

import functools
from typing import Any, Optional

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import (Attention, Block,
                                            VisionTransformer)

from ._merging import Merging


class _Patched:
    """What the subclasses share: they are made at run time, so copying and
    pickling has to make them again."""

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (_revive, (self._tomerge_kind, self._tomerge_base),
                self.__dict__)


class _Attention(_Patched):
    def forward(self, x: torch.Tensor, bias: Optional[torch.Tensor]) -> tuple:
        """Attention with a bias on its logits; also returns the mean of the
        keys over heads."""
        batch, tokens, _ = x.shape
        gate = self.gate(x).sigmoid() if _has(self, "gate") else None
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if _has(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        if self.fused_attn:
            dropout = self.attn_drop.p if self.training else 0.0
            x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias,
                                               dropout_p=dropout)
        else:
            logits = (q * self.scale) @ k.transpose(-2, -1)
            if bias is not None:
                logits = logits + bias
            x = self.attn_drop(logits.softmax(dim=-1)) @ v
        x = x.transpose(1, 2).flatten(2)
        if _has(self, "norm"):
            x = self.norm(x)
        if gate is not None:
            x = x * gate
        return self.proj_drop(self.proj(x)), k.mean(1)


class _Block(_Patched):
    def forward(self, x: torch.Tensor, attn_mask: Any = None,
                is_causal: bool = False) -> torch.Tensor:
        if attn_mask is not None or is_causal:
            raise NotImplementedError("a patched block takes no attention "
                                      "mask: its tokens merge")
        merging = self._tomerge_merging
        y, metric = self.attn(self.norm1(x), merging.bias(x.dtype))
        x = x + self.drop_path1(self.ls1(y))
        x = _merge(merging, self._tomerge_layer, x, metric)
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))


class _Model(_Patched):
    @property
    def r(self) -> Any:
        """How many tokens merge in each layer."""
        return self.merging.r

    @r.setter
    def r(self, r: Any) -> None:
        self.merging.set(r)

    def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:
        # Whatever runs the blocks comes through here once, before them.
        if self.grad_checkpointing and self.training:
            raise NotImplementedError(
                "merging with gradient checkpointing: a block run again would "
                "merge again; model.set_grad_checkpointing(False)")
        self.merging.begin()
        return super()._pos_embed(x)

    def forward_intermediates(self, *arguments: Any, **keywords: Any) -> Any:
        if any(self.merging.schedule):
            raise NotImplementedError(
                "intermediate features of a model that merges: their rows "
                "are no grid any more; set model.r = 0")
        return super().forward_intermediates(*arguments, **keywords)

    def pool(self, x: torch.Tensor,
             pool_type: Optional[str] = None) -> torch.Tensor:
        size = self.merging.size
        kind = self.global_pool if pool_type is None else pool_type
        if size is None or (self.attn_pool is None and
                            kind in ("", "token", "max")):
            return super().pool(x, pool_type)
        whole = getattr(self, "pool_include_prefix", False)
        first = 0 if whole else self.num_prefix_tokens
        x, size = x[:, first:], size[:, first:]
        if self.attn_pool is not None:
            bias = size.log().to(x.dtype)[:, None, None, :]
            return self.attn_pool(
                x, attn_mask=bias if self.merging.prop_attn else None)
        weight = size.to(x.dtype)[:, :, None]
        mean = (x * weight).sum(1) / weight.sum(1)
        return mean if kind == "avg" else 0.5 * (mean + x.amax(1))


# ---- patching --------------------------------------------------------------


def patch(model: Any, **choices: Any) -> Any:
    if not isinstance(model, VisionTransformer):
        raise TypeError(f"expected a VisionTransformer of timm's, found "
                        f"{type(model).__name__}")
    if isinstance(model, _Patched):
        raise ValueError("the model is patched already: tomerge.unpatch() "
                         "it first, or change model.merging")
    _check(model)
    merging = Merging(len(model.blocks), model.num_prefix_tokens, **choices)
    # Fails here, not in the first pass, where a name is wrong.
    merging._plan(torch.ones(1, 2, 1), 0)
    for layer, block in enumerate(model.blocks):
        _become(block, _Block)
        _become(block.attn, _Attention)
        block._tomerge_merging = merging
        block._tomerge_layer = layer
    _become(model, _Model)
    model.merging = merging
    return model


def unpatch(model: Any) -> Any:
    if not isinstance(model, _Model):
        raise ValueError("the model is not patched")
    for block in model.blocks:
        for module in (block.attn, block):
            module.__class__ = module._tomerge_base
        del block._tomerge_merging, block._tomerge_layer
    model.__class__ = model._tomerge_base
    del model.merging
    return model


def _check(model: Any) -> None:
    """The forward passes above replace these, and no others."""
    for method in ("_pos_embed", "pool", "attn_pool"):
        if not hasattr(model, method):
            raise TypeError(f"this version of timm's VisionTransformer has no "
                            f"{method}: 1.0.9 or newer is needed")
    kind = getattr(model, "global_pool", None)
    if model.attn_pool is None and kind not in ("", "token", "avg", "max",
                                                "avgmax"):
        raise TypeError(f"merging with global_pool {kind!r} is not supported")
    if model.attn_pool is not None and not _takes_mask(model.attn_pool):
        raise TypeError(f"merging before {type(model.attn_pool).__name__} is "
                        f"not supported: it takes no attn_mask")
    for i, block in enumerate(model.blocks):
        if type(block).forward is not Block.forward:
            raise TypeError(f"blocks.{i}: expected a plain block, found "
                            f"{type(block).__name__}")
        if type(block.attn).forward is not Attention.forward:
            raise TypeError(f"blocks.{i}.attn: expected plain attention, "
                            f"found {type(block.attn).__name__}")


def _takes_mask(module: Any) -> bool:
    return "attn_mask" in type(module).forward.__code__.co_varnames


def _has(module: Any, name: str) -> bool:
    """Whether an optional part is there, in this version and model."""
    return getattr(module, name, None) is not None


@functools.lru_cache(maxsize=None)
def _subclass(kind: type, base: type) -> type:
    return type("Merging" + base.__name__, (kind, base),
                {"_tomerge_base": base, "_tomerge_kind": kind,
                 "__module__": __name__})


def _become(module: Any, kind: type) -> None:
    module.__class__ = _subclass(kind, type(module))


def _revive(kind: type, base: type) -> Any:
    cls = _subclass(kind, base)
    return cls.__new__(cls)


@torch.compiler.disable
def _merge(merging: Merging, layer: int, x: torch.Tensor,
           metric: torch.Tensor) -> torch.Tensor:
    return merging.merge(layer, x, metric)

# SPDX-License-Identifier: MIT
"""Merging inside layers around torch's MultiheadAttention: torchvision's
VisionTransformer and SWAG's, open_clip's, and what is built like them."""

from __future__ import annotations

from typing import Any, Optional

import torch
import torch.nn.functional as F

from ._modules import (Layer, Model, NoLayers, Patched, Seen, attend, become,
                       check_fresh, install)


class _Layer(Layer):
    """norm, attention, sum; norm, MLP, sum."""

    def forward(self, x: torch.Tensor, *masks: Any,
                attn_mask: Any = None) -> torch.Tensor:
        if attn_mask is not None or any(mask is not None for mask in masks):
            raise NotImplementedError("a patched layer takes no attention "
                                      "mask: its tokens merge")
        attention = _attention_of(self)
        given, merging = x, self._tomerge_merging
        x = _batch_first(attention, x)
        state = merging.enter(self._tomerge_layer, given, x.shape[1])
        if state.size is None and merging.schedule[state.layer] == 0:
            y = self._tomerge_base.forward(self, given)
            _, state = merging.merge(state, x, x)
        else:
            y, seen = multihead(attention, self.ln_1(x),
                                merging.bias(state, x.dtype))
            x = x + _part(self, "ls_1", "dropout")(y)
            x, state = self.merge(state, x, seen)
            x = x + _part(self, "ls_2")(self.mlp(self.ln_2(x)))
            y = _batch_first(attention, x)
        x = merging.restored(state, _batch_first(attention, y))
        y = _batch_first(attention, x)
        merging.leave(y, state)
        return y


def multihead(attention: torch.nn.MultiheadAttention, x: torch.Tensor,
              bias: Optional[torch.Tensor]) -> tuple[torch.Tensor, Seen]:
    """Self-attention over ``[batch, tokens, channels]`` with a bias."""
    heads = attention.num_heads
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    qkv = qkv.unflatten(-1, (3, heads, attention.embed_dim // heads))
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    drop = attention.dropout if attention.training else 0.0
    y = attend(q, k, v, bias, q.shape[-1] ** -0.5, True, drop)
    return attention.out_proj(y), Seen(q, k, v)


def _attention_of(layer: Any) -> Any:
    found = getattr(layer, "self_attention", None)
    return found if found is not None else getattr(layer, "attn", None)


def _batch_first(attention: Any, x: torch.Tensor) -> torch.Tensor:
    """[batch, tokens, channels] of what the layer takes, and back."""
    return x if attention.batch_first else x.transpose(0, 1)


def _part(layer: Any, *names: str) -> Any:
    for name in names:
        part = getattr(layer, name, None)
        if part is not None:
            return part
    return _same


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


# ---- patching --------------------------------------------------------------


def patch(model: Any, choices: dict) -> Any:
    check_fresh(model)
    visual = getattr(model, "visual", model)
    if hasattr(visual, "trunk"):
        return _patch_trunk(model, visual.trunk, choices)
    layers = _layers_of(visual)
    if not layers:
        raise NoLayers
    for number, layer in enumerate(layers):
        _check(layer, number)
    for layer in layers:
        become(layer, _Layer)
    install(model, layers, _prefix_of(visual), choices, _pools(visual))
    return model


def _patch_trunk(model: Any, trunk: Any, choices: dict) -> Any:
    """open_clip's towers that are models of timm's."""
    from . import _timm

    _timm.patch(trunk, choices)
    if model is not trunk:
        become(model, Model)
        model.merging = trunk.merging
    return model


def _layers_of(visual: Any) -> list:
    for path in ("transformer.resblocks", "encoder.layers"):
        part = visual
        for name in path.split("."):
            part = getattr(part, name, None)
        if part is not None and len(part) and hasattr(part[0], "ln_1"):
            return list(part)
    return []


def _prefix_of(visual: Any) -> int:
    return int(any(getattr(visual, name, None) is not None for name in
                   ("class_token", "class_embedding", "cls_token")))


def _pools(visual: Any) -> bool:
    """Whether rows besides the class token's are looked at in the end."""
    if getattr(visual, "attn_pool", None) is not None:
        return True
    if getattr(visual, "output_tokens", False):
        return True
    return (_prefix_of(visual) == 0
            or getattr(visual, "pool_type", "tok") not in ("tok", "token")
            or getattr(visual, "classifier", "token") != "token")


def _check(layer: Any, number: int) -> None:
    attention = _attention_of(layer)
    if type(attention) is not torch.nn.MultiheadAttention:
        raise TypeError(f"layer {number}: expected torch's "
                        f"MultiheadAttention, found "
                        f"{type(attention).__name__}")
    if type(layer).__name__ not in ("EncoderBlock", "ResidualAttentionBlock"):
        raise TypeError(f"layer {number}: expected a plain layer, found "
                        f"{type(layer).__name__}")
    if (not attention._qkv_same_embed_dim or attention.bias_k is not None
            or attention.add_zero_attn):
        raise TypeError(f"layer {number}: attention with keys of its own")

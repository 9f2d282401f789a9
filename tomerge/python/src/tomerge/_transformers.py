# SPDX-License-Identifier: MIT
"""Merging inside transformers' ViT, DeiT, DINOv2, DINOv3, CLIP, SigLIP and
ViTMAE.

Their attention calls a function that is looked up by name: the one registered
here keeps keys and passes on to the one that the model is set to.
"""

from __future__ import annotations

import copy
import sys
import threading
from typing import Any, Optional

import torch
from transformers import AttentionInterface

from ._modules import (Layer, NoLayers, Patched, Seen, become, check_fresh,
                       install, rotary_of)

#: The names that a layer's parts have, in order of the forward pass.
_PARTS = (("layernorm_before", "norm1", "layer_norm1"),
          ("attention", "self_attn"), ("layer_scale1",),
          ("layernorm_after", "norm2", "layer_norm2"), ("layer_scale2",))
_LAYERS = ("ViTLayer", "DeiTLayer", "Dinov2Layer", "Dinov2WithRegistersLayer",
           "DINOv3ViTLayer", "CLIPEncoderLayer", "SiglipEncoderLayer",
           "ViTMAELayer")


def _attention(module: Any, query: torch.Tensor, key: torch.Tensor,
               value: torch.Tensor, attention_mask: Optional[torch.Tensor],
               **keywords: Any) -> tuple:
    keeper = module if torch.compiler.is_compiling() else _local
    keeper._tomerge_seen = Seen(query, key, value)
    name = module._tomerge_config._attn_implementation
    eager = sys.modules[module._tomerge_base.__module__]
    inner = AttentionInterface().get_interface(
        name, eager.eager_attention_forward)
    if attention_mask is not None and ("flash" in name or "flex" in name):
        raise NotImplementedError(
            f"{name} takes no log sizes: use attn_implementation=\"sdpa\", "
            f"or prop_attn=False")
    return inner(module, query, key, value, attention_mask, **keywords)


AttentionInterface.register("tomerge", _attention)
_local = threading.local()


class _Attention(Patched):
    """As it was, but calling the function above."""

    _tomerge_seen = None

    def _tomerge_take(self) -> Seen:
        """What this thread's last call of that function saw."""
        keeper = self if torch.compiler.is_compiling() else _local
        seen, keeper._tomerge_seen = keeper._tomerge_seen, None
        return seen


class _Layer(Layer):
    def forward(self, hidden_states: torch.Tensor,
                attention_mask: Optional[torch.Tensor] = None,
                position_embeddings: Optional[tuple] = None,
                **keywords: Any) -> torch.Tensor:
        _refuse_mask(attention_mask)
        x, merging = hidden_states, self._tomerge_merging
        state = self.enter(x)
        before, attention, scale1, after, scale2 = (
            _part(self, names) for names in _PARTS)
        if position_embeddings is not None:
            prefix = x.shape[1] - position_embeddings[0].shape[-2]
            if state.place is not None:
                prefix = merging.prefix
            keywords["position_embeddings"] = tuple(
                rotary_of(table, state, prefix, merging.positions)
                for table in position_embeddings)
        y, _ = attention(before(x), attention_mask=merging.bias(
            state, x.dtype), **keywords)
        x = self._tomerge_dropped(scale1(y)) + x
        x, state = self.merge(state, x, attention._tomerge_take())
        x = self._tomerge_dropped(scale2(self.mlp(after(x)))) + x
        return self.leave(state, x)

    def _tomerge_dropped(self, x: torch.Tensor) -> torch.Tensor:
        for name in ("dropout", "drop_path"):
            if hasattr(self, name):
                return getattr(self, name)(x)
        return x


def _part(layer: Any, names: tuple) -> Any:
    for name in names:
        part = getattr(layer, name, None)
        if part is not None:
            return part
    return _same


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _refuse_mask(mask: Optional[torch.Tensor]) -> None:
    if mask is None:
        return
    if torch.compiler.is_compiling() or not bool(
            mask.all() if mask.dtype == torch.bool else (mask == 0).all()):
        raise NotImplementedError("a patched layer takes no attention mask: "
                                  "its tokens merge")


# ---- patching --------------------------------------------------------------


def patch(model: Any, choices: dict) -> Any:
    check_fresh(model)
    layers = [module for name, module in model.named_modules()
              if type(module).__name__ in _LAYERS and
              type(module).__module__.startswith("transformers.") and
              "decoder" not in name.split(".") and _of_images(module)]
    if not layers:
        raise NoLayers
    for number, layer in enumerate(layers):
        _check(layer, number)
    rotary = type(layers[0]).__name__ == "DINOv3ViTLayer"
    if rotary and choices["metric"] == "keys-unrotated":
        raise ValueError("metric: transformers' attention shows only rotated "
                         "keys")
    prefix = _prefix(layers[0])
    for layer in layers:
        attention = _part(layer, _PARTS[1])
        attention._tomerge_config = attention.config
        attention.config = copy.copy(attention.config)
        attention.config._attn_implementation = "tomerge"
        attention._tomerge_undo = _undo
        become(attention, _Attention)
        become(layer, _Layer)
    # Whatever uses a model of transformers may look at all of its rows.
    merging = install(model, layers, prefix, choices, True, rotary)
    merging.prefix = prefix
    return model


def _undo(attention: Any) -> None:
    attention.config = attention.__dict__.pop("_tomerge_config")


def _of_images(layer: Any) -> bool:
    config = _part(layer, _PARTS[1]).config
    return "Text" not in type(config).__name__


def _prefix(layer: Any) -> int:
    """Class, distillation and register tokens."""
    kind, config = type(layer).__name__, _part(layer, _PARTS[1]).config
    prefix = {"DeiTLayer": 2, "SiglipEncoderLayer": 0}.get(kind, 1)
    return prefix + getattr(config, "num_register_tokens", 0)


def _check(layer: Any, number: int) -> None:
    attention = _part(layer, _PARTS[1])
    if not hasattr(attention, "k_proj") or _part(layer, _PARTS[0]) is _same:
        raise TypeError(f"layer {number}: transformers 5 or newer is needed, "
                        f"this {type(layer).__name__} is of another one")

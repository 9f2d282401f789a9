# SPDX-License-Identifier: MIT
"""Merging inside timm's models: VisionTransformer, Eva (EVA-02, DINOv3,
Perception Encoder, RoPE-ViT), NaFlexVit, Beit, and classes built on them."""

from __future__ import annotations

from typing import Any, Optional

import torch
import torch.nn.functional as F
from timm.models import beit, deit, eva, vision_transformer

from ._modules import (Layer, Model, NoLayers, Patched, Seen, attend, become,
                       check_fresh, install, relative_of, rotary_of, summed)

try:
    from timm.layers import AttentionRope, apply_rot_embed_cat
    from timm.models.naflexvit import NaFlexVit
except ImportError:  # older timm: without these models
    AttentionRope = apply_rot_embed_cat = NaFlexVit = None

_ATTENTIONS = tuple(kind for kind in (
    vision_transformer.Attention, AttentionRope,
    getattr(eva, "EvaAttention", None), beit.Attention) if kind is not None)


class _Attention(Patched):
    def forward(self, x: torch.Tensor, bias: Optional[torch.Tensor] = None,
                rope: Optional[torch.Tensor] = None) -> tuple:
        """Attention with a bias on its logits; also returns what it saw."""
        gate = self.gate(x).sigmoid() if _has(self, "gate") else None
        q, k, v = self._tomerge_project(x)
        if _has(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        unrotated = k
        if rope is not None:
            q, k = (self._tomerge_rotate(part, rope, v) for part in (q, k))
        seen = Seen(q, k, v, unrotated)
        groups = getattr(self, "num_kv_groups", 1)
        if groups > 1:
            k, v = (part.repeat_interleave(groups, dim=1) for part in (k, v))
        drop = self.attn_drop.p if self.training else 0.0
        x = attend(q, k, v, bias, self.scale, self.fused_attn, drop)
        if _has(self, "norm"):
            x = self.norm(x)
        if gate is not None:
            x = x * gate
        return self.proj_drop(self.proj(x)), seen

    def _tomerge_project(self, x: torch.Tensor) -> tuple:
        """Queries, keys and values, by heads."""
        if self.qkv is None:
            kv_heads = getattr(self, "num_kv_heads", self.num_heads)
            return tuple(
                _heads(project(x), heads).transpose(1, 2) for project, heads in ((self.q_proj, self.num_heads),
                                       (self.k_proj, kv_heads),
                                       (self.v_proj, kv_heads)))
        if not _has(self, "q_bias"):
            qkv = self.qkv(x)
        else:
            qkv_bias = torch.cat((self.q_bias, self.k_bias, self.v_bias))
            if getattr(self, "qkv_bias_separate", False):
                qkv = self.qkv(x) + qkv_bias
            else:
                qkv = F.linear(x, self.qkv.weight, qkv_bias)
        qkv = _heads(_heads(qkv, 3), self.num_heads)
        return qkv.permute(2, 0, 3, 1, 4).unbind(0)

    def _tomerge_rotate(self, part: torch.Tensor, rope: torch.Tensor,
                        like: torch.Tensor) -> torch.Tensor:
        prefix = self.num_prefix_tokens
        half = {"half": True} if getattr(self, "rotate_half", False) else {}
        turned = apply_rot_embed_cat(part[:, :, prefix:], rope, **half)
        return torch.cat((part[:, :, :prefix], turned), 2).type_as(like)


class _Block(Layer):
    """A block of VisionTransformer."""

    def forward(self, x: torch.Tensor, attn_mask: Any = None,
                is_causal: bool = False) -> torch.Tensor:
        _refuse_mask(attn_mask, is_causal)
        state = self.enter(x)
        bias = self._tomerge_merging.bias(state, x.dtype)
        y, seen = self.attn(self.norm1(x), bias)
        x = x + self.drop_path1(self.ls1(y))
        x, state = self.merge(state, x, seen)
        x = x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))
        return self.leave(state, x)


class _Eva(Layer):
    """A block of Eva, of any order of norms, or of Beit."""

    def forward(self, x: torch.Tensor, rope: Optional[torch.Tensor] = None,
                attn_mask: Any = None, is_causal: bool = False,
                shared_rel_pos_bias: Optional[torch.Tensor] = None
                ) -> torch.Tensor:
        _refuse_mask(attn_mask, is_causal)
        merging, state = self._tomerge_merging, self.enter(x)
        bias = merging.bias(state, x.dtype)
        own = None
        if _has(self.attn, "relative_position_bias_table"):
            own = self.attn._get_rel_pos_bias()
        table = summed(own, shared_rel_pos_bias)
        bias = summed(bias, relative_of(table, state, merging.positions))
        if rope is not None:
            rope = rotary_of(rope, state, self.attn.num_prefix_tokens,
                             merging.positions)
        after = isinstance(self, eva.EvaBlockPostNorm)
        y, seen = self.attn(x if after else self.norm1(x), bias, rope)
        if after:
            y = self.norm1(y)
        elif self.gamma_1 is not None:
            y = self.gamma_1 * y
        x = x + self.drop_path1(y)
        x, state = self.merge(state, x, seen)
        y = self.norm2(self.mlp(x)) if after else self.mlp(self.norm2(x))
        if not after and self.gamma_2 is not None:
            y = self.gamma_2 * y
        return self.leave(state, x + self.drop_path2(y))


class _Pooling(Model):
    """VisionTransformer itself weighs rows in its pooling."""

    def forward_features(self, *arguments: Any,
                         **keywords: Any) -> torch.Tensor:
        x = super().forward_features(*arguments, **keywords)
        self.merging.keep(x)
        return x

    def pool(self, x: torch.Tensor,
             pool_type: Optional[str] = None) -> torch.Tensor:
        size = None if self.merging.restore else self.merging.size_of(x)
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


def patch(model: Any, choices: dict) -> Any:
    check_fresh(model)
    plain = isinstance(model, vision_transformer.VisionTransformer)
    if not plain and not isinstance(model, _kinds()):
        raise NoLayers
    blocks = list(model.blocks)
    for number, block in enumerate(blocks):
        _check(block, number)
    for block in blocks:
        become(block.attn, _Attention)
        become(block, _Block if type(block).forward is
               vision_transformer.Block.forward else _Eva)
    positional = any(_has(block.attn, "relative_position_bias_table") or
                     hasattr(block.attn, "num_prefix_tokens")
                     for block in blocks) or _has(model, "rel_pos_bias")
    pools = (not _weighs(model) if plain
             else getattr(model, "global_pool", "") not in ("", "token")
             or _has(model, "attn_pool"))
    install(model, blocks, model.num_prefix_tokens, choices, pools,
            positional)
    if plain and not pools:
        model.__class__ = model._tomerge_base
        become(model, _Pooling)
    return model


def _kinds() -> tuple:
    return tuple(kind for kind in (eva.Eva, beit.Beit, NaFlexVit)
                 if kind is not None)


def _weighs(model: Any) -> bool:
    """Whether a VisionTransformer does nothing with its rows that
    :class:`_Pooling` does not know."""
    own, base = type(model), vision_transformer.VisionTransformer
    if own not in (base, deit.VisionTransformerDistilled) and any(
            getattr(own, name) is not getattr(base, name)
            for name in ("forward_features", "forward_head", "pool")):
        return False
    if _has(model, "attn_pool"):
        return "attn_mask" in type(
            model.attn_pool).forward.__code__.co_varnames
    return getattr(model, "global_pool", "") in ("", "token", "avg", "max",
                                                 "avgmax")


def _check(block: Any, number: int) -> None:
    """The forward passes above replace these, and no others."""
    plain = tuple(kind.forward for kind in (
        vision_transformer.Block, eva.EvaBlock, eva.EvaBlockPostNorm,
        beit.Block))
    if type(block).forward not in plain:
        raise TypeError(f"blocks.{number}: expected a plain block, found "
                        f"{type(block).__name__}")
    if type(block.attn).forward not in tuple(kind.forward
                                             for kind in _ATTENTIONS):
        raise TypeError(f"blocks.{number}.attn: expected plain attention, "
                        f"found {type(block.attn).__name__}")


def _refuse_mask(mask: Any, is_causal: bool) -> None:
    """A mask that lets everything through is as good as none."""
    if is_causal or mask is not None and not _open(mask):
        raise NotImplementedError("a patched block takes no attention mask: "
                                  "its tokens merge")


def _open(mask: torch.Tensor) -> bool:
    if torch.compiler.is_compiling():
        return False
    return bool(mask.all() if mask.dtype == torch.bool
                else (mask == 0).all())


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """The last dimension in so many parts."""
    return x.unflatten(-1, (heads, x.shape[-1] // heads))


def _has(module: Any, name: str) -> bool:
    """Whether an optional part is there, in this version and model."""
    return getattr(module, name, None) is not None

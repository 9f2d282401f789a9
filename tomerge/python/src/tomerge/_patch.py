# SPDX-License-Identifier: MIT
"""Merging put into whole models, and taken out again."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Optional

#: The module that knows a library's models, and that library.
_FAMILIES = (("_timm", "timm"), ("_transformers", "transformers"),
             ("_multihead", "torch"))


def patch(model: Any, *, trace_source: bool = False, prop_attn: bool = True,
          method: str = "alternating", similarity: str = "cosine",
          metric: str = "keys", combine: str = "weighted",
          protect: Optional[int] = None, order: str = "grouped",
          positions: str = "destination", restore: Optional[bool] = None,
          backend: str = "auto", threads: Optional[int] = None) -> Any:
    """Makes a Vision Transformer merge tokens, in place.

    Afterwards ``model.r`` says how many merge in each layer: a number, a
    tuple ``(r, inflection)``, or a list; it is 0 at first. ``model.merging``
    has the rest (:class:`tomerge.Merging`). The weights are the model's own.

    Class, distillation and register tokens never merge. A row counts as often
    as the tokens it stands for, wherever the model looks at all of them in
    the end (mean or attention pooling).

    Args:
        model: one of timm's VisionTransformer, Eva (EVA-02, DINOv3,
            Perception Encoder, RoPE-ViT), NaFlexVit, Beit; of transformers'
            ViT, DeiT, DINOv2, DINOv3, CLIP, SigLIP, ViTMAE; of torchvision's
            VisionTransformer; of open_clip's; or a subclass. Of models of
            images and text the images' part merges. Layers are plain ones:
            attention and MLP in turn, each added to its input.
        trace_source: keep where every token goes (``model.merging.trace``).
        prop_attn: add log sizes to the attention logits (the paper's
            proportional attention).
        method, similarity, order, threads: see :func:`tomerge.plan`.
        metric: what tokens are compared by, the mean over the heads of
            "keys" (as attention sees them), "keys-unrotated" (before rotary
            positions), "queries" or "values"; or "input", the rows
            themselves.
        combine: see :meth:`tomerge.Plan.merge`.
        protect: leading tokens that never merge, where they are more than
            the model's own.
        positions: what a merged row's rotary or relative position is:
            "destination", that of the token it is built on, or "mean", the
            mean of its tokens' table entries.
        restore: whether every token gets its row again after the last layer.
            By default where the model looks at all rows in the end and cannot
            weigh them.
        backend: "library" merges in libtomerge, on CPU tensors: float32,
            bfloat16 or float16; "torch" in torch's own operations,
            alternating only, the same maps but for rounding; "auto" in torch
            on other devices, in ONNX files and under torch.func, else in the
            library.

    Returns:
        The model.
    """
    choices = dict(locals())
    del choices["model"]
    for name, package in _FAMILIES:
        if package not in sys.modules:  # then no model of its is there
            continue
        family = importlib.import_module("." + name, __package__)
        try:
            return family.patch(model, choices)
        except family.NoLayers:
            continue
    raise TypeError(
        f"expected a Vision Transformer of timm, transformers, torchvision "
        f"or open_clip, found {type(model).__module__}."
        f"{type(model).__name__}")


def unpatch(model: Any) -> Any:
    """Undoes :func:`patch` or :func:`patch_diffusion`, in place; returns the
    model."""
    diffusion = sys.modules.get(f"{__package__}._diffusion")
    if diffusion is not None and diffusion.unpatch(model):
        return model
    from . import _modules

    return _modules.unpatch(model)

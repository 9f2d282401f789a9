# SPDX-License-Identifier: MIT
"""Merging put into whole models, and taken out again."""

from __future__ import annotations

from typing import Any, Optional


def patch(model: Any, *, trace_source: bool = False, prop_attn: bool = True,
          method: str = "alternating", similarity: str = "cosine",
          threads: Optional[int] = None) -> Any:
    """Makes a Vision Transformer of timm's merge tokens, in place.

    Afterwards ``model.r`` says how many merge in each layer: a number, a
    tuple ``(r, inflection)``, or a list; it is 0 at first. ``model.merging``
    has the rest (:class:`tomerge.Merging`). The weights are the model's own.

    Class, distillation and register tokens never merge. Mean pooling weights
    rows by their size, and attention pooling adds their log sizes, so that a
    row counts as often as the tokens it stands for.

    Args:
        model: a ``timm.models.vision_transformer.VisionTransformer`` of plain
            pre-norm blocks, on the CPU; float32, bfloat16 or float16.
        trace_source: keep where every token goes (``model.merging.trace``).
        prop_attn: add log sizes to the attention logits (the paper's
            proportional attention).
        method, similarity, threads: see :func:`tomerge.plan`.

    Returns:
        The model.
    """
    from . import _timm  # the only part that needs torch and timm

    return _timm.patch(model, trace_source=trace_source, prop_attn=prop_attn,
                       method=method, similarity=similarity, threads=threads)


def unpatch(model: Any) -> Any:
    """Undoes :func:`patch`, in place; returns the model."""
    from . import _timm

    return _timm.unpatch(model)

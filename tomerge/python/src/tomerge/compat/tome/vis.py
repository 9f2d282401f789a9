# SPDX-License-Identifier: MIT
"""Pictures of what merged."""

from __future__ import annotations

import colorsys
import random
from typing import Any

import numpy as np
import torch


def generate_colormap(N: int, seed: int = 0) -> list[tuple]:
    """N saturated colours, red, green and blue from 0 to 1."""
    chance = random.Random(seed)
    return [colorsys.hsv_to_rgb(chance.random(), chance.uniform(0.6, 1.0),
                                chance.uniform(0.7, 1.0)) for _ in range(N)]


def make_visualization(img: Any, source: torch.Tensor, patch_size: int = 16,
                       class_token: bool = True) -> Any:
    """Every row's patches in their mean colour, with a border of its own.

    Args:
        img: a PIL image, of the size that the model saw.
        source: ``[1, rows, tokens]``: which token is in which row.
        patch_size: side of a patch, in pixels.
        class_token: whether the first token is no patch.

    Returns:
        A PIL image of the same size.
    """
    from PIL import Image

    pixels = np.asarray(img.convert("RGB"), np.float64) / 255
    high, wide = (side // patch_size for side in pixels.shape[:2])
    rows = source.detach().cpu()[0].argmax(0).numpy()[int(class_token):]
    if len(rows) != high * wide:
        raise ValueError(f"source: {len(rows)} patches for an image of "
                         f"{high} by {wide}")
    rows = rows.reshape(high, wide).repeat(patch_size, 0).repeat(
        patch_size, 1)
    pixels = pixels[:rows.shape[0], :rows.shape[1]]
    groups = source.shape[1]
    count = np.bincount(rows.ravel(), minlength=groups).clip(1)
    mean = np.stack([np.bincount(rows.ravel(), part.ravel(), groups) / count
                     for part in pixels.transpose(2, 0, 1)], -1)
    border = np.zeros(rows.shape, bool)
    down, right = rows[1:] != rows[:-1], rows[:, 1:] != rows[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    result = np.where(border[..., None],
                      np.array(generate_colormap(groups))[rows], mean[rows])
    return Image.fromarray((result * 255).round().astype(np.uint8))

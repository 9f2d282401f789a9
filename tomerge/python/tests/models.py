# SPDX-License-Identifier: MIT
"""Small models of timm's with random weights, for the tests."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer


@torch.no_grad()
def small(kind=VisionTransformer, **choices):
    """A model with random weights large enough to tell tokens apart."""
    config = dict(img_size=48, patch_size=8, embed_dim=48, depth=4,
                  num_heads=3, num_classes=7)
    config.update(choices)
    try:
        model = kind(**config).eval()
    except TypeError as error:
        pytest.skip(f"this version of timm: {error}")
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.3)
    return model


def images(batch=3, side=48):
    return torch.randn(batch, 3, side, side)

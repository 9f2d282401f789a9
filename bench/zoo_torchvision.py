# SPDX-License-Identifier: MIT
"""torchvision's part of bench/zoo.py: its ten weights, under the names of the
files that they come in."""
import os

import torch

from zoo import judge, randomize

LAYERS = 3                      # of a copy, but for ViT-H's: its depth tells
                                # the heads


def look(name, weights, args, jury):
    from torchvision.models import vision_transformer
    side = weights.meta["min_size"][0]
    model = getattr(vision_transformer, name)(image_size=side)
    if name != "vit_h_14":
        model.encoder.layers = model.encoder.layers[:LAYERS]
    randomize(model)
    path = os.path.join(args.folder, weights.url.split("/")[-1])
    torch.save(model.state_dict(), path)
    why = jury.pixels(path, weights.transforms())
    if not why and not args.description:
        x = torch.randn(1, 3, side, side)
        with torch.no_grad():
            logits = model(x)[0].numpy()
        why = jury.numbers(path, x[0].numpy(), {"logits": logits})
    os.unlink(path)
    return ("wrong", why) if why else ("agree", "")


def visit(args, jury, counts):
    from torchvision.models import get_model_weights
    for name in ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"):
        for w in get_model_weights(name):
            if args.wanted(f"{name} {w.name}"):
                judge(counts, "torchvision", name, f"{name} {w.name}",
                      lambda w=w: look(name, w, args, jury))

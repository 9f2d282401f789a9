#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random small models of timm's VisionTransformer, with random weights, and
random merging, through the Python package's Model and in PyTorch: timm's own
forward where nothing merges, tests/fixtures/tome.py's where something does.
Logits are the same within 1e-4 of the largest.

    TOMERGE_LIBRARY=build/.libs/libtomerge.so \\
    TOMEVIT_LIBRARY=build/.libs/libtomevit.so PYTHONPATH=tomerge/python/src \\
        tests/differential/models.py --count 2000

Where two similarities that decide are nearer than f32 can tell, the model is
counted and left out. Exits with 1 if anything differs, and keeps the model
in the folder that --keep names.
"""
import argparse
import os
import random
import sys
import tempfile

import numpy as np
import tomerge
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "fixtures"))
import tome  # noqa: E402

NEAR = 2e-5


class Margins:
    """tome.match, which also notes how narrowly it decided."""

    def __init__(self):
        self.least, self.match = float("inf"), tome.match

    def __call__(self, metric, r, protect):
        unit = metric / metric.norm(dim=1, keepdim=True)
        scores = (unit[0::2] @ unit[1::2].T)[(protect + 1) // 2:,
                                             protect // 2:]
        r = min(r, max(len(metric) - protect, 0) // 2)
        if r > 0 and scores.numel():
            best = scores.max(dim=1).values.sort(descending=True).values
            if r < len(best):
                self.least = min(self.least, float(best[r - 1] - best[r]))
            if scores.shape[1] > 1:
                two = scores.topk(2, dim=1).values
                self.least = min(self.least, float(
                    (two[:, 0] - two[:, 1]).min()))
        return self.match(metric, r, protect)


def square(n):
    return n > 0 and round(n ** 0.5) ** 2 == n


def draw(rng):
    heads = rng.choice([1, 2, 3, 4])
    patch = rng.choice([2, 4, 8])
    pool = rng.choice(["token", "token", "avg", "map"])
    # Attention pooling beside a class token is refused, by name.
    class_token = pool == "token" or pool == "avg" and rng.random() < 0.5
    registers = rng.choice([0, 0, 0, 1, 4]) if pool != "map" else 0
    grid, prefix = rng.randint(2, 8), class_token + registers
    # Positions of patches alone, as many as of a smaller image with its other
    # tokens: no tensor tells which (inspect says that it guesses).
    told = prefix == 0 or not square(grid ** 2 - prefix)
    return dict(
        img_size=patch * grid, patch_size=patch,
        embed_dim=heads * rng.choice([8, 12, 16]), depth=rng.randint(1, 5),
        num_heads=heads, mlp_ratio=rng.choice([1, 2, 3, 4]),
        num_classes=rng.randint(1, 12), global_pool=pool,
        class_token=class_token, qkv_bias=rng.random() < 0.8,
        qk_norm=rng.random() < 0.2, pre_norm=rng.random() < 0.2,
        init_values=0.3 if rng.random() < 0.3 else None,
        reg_tokens=registers,
        no_embed_class=told and rng.random() < 0.2,
        # A norm after pooling beside other pooling is refused, by name.
        fc_norm=rng.choice([None, True, False]) if pool == "avg" else None)


def randomise(model, generator):
    """Weights of about unit gain, so that no part is lost in another."""
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() > 1 and "token" not in name and "pos" not in name:
            noise *= 1.2 / p[0].numel() ** 0.5
        elif p.dim() == 1 and ("norm" in name or "gamma" in name) and (
                "bias" not in name):
            noise = 1 + 0.3 * noise
        else:
            noise *= 0.4
        p.data = noise
    return model.eval()


def metadata(args):
    pool = {"token": "class", "avg": "mean", "map": "map"}[args["global_pool"]]
    said = {"num_heads": str(args["num_heads"]), "pool": pool}
    if pool == "map":  # which the tensors show
        del said["pool"]
    return said


def compare(rng, number, folder):
    """None if it was left out, else what differs ("" for nothing)."""
    args = draw(rng)
    generator = torch.Generator().manual_seed(number)
    model = randomise(VisionTransformer(**args), generator)
    path = os.path.join(folder, "model.safetensors")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()},
              path, metadata(args))
    side = args["img_size"]
    x = torch.randn(1, 3, side, side, generator=generator)
    tokens = (side // args["patch_size"]) ** 2
    r = [rng.choice([0, 1, 2, tokens // 4, tokens // 2])
         for _ in range(args["depth"])]
    prop = rng.random() < 0.7
    margins = Margins()
    try:
        ours = tomerge.Model(path, threads=1)
    except tomerge.Error as error:
        return f"{number}: {error}; {args}"
    with torch.no_grad(), ours:
        plain = model(x)[0]
        tome.match, before = margins, tome.match
        merged = tome.logits(model, x[0], r, prop)
        tome.match = before
        for wanted, found in (
                (plain, ours.logits(x.numpy())[0]),
                (merged, ours.logits(x.numpy(), r=r, prop_attn=prop)[0])):
            wanted = wanted.numpy()
            off = np.abs(found - wanted).max() / max(1, np.abs(wanted).max())
            if off > 1e-4 and wanted is not plain and margins.least < NEAR:
                return None
            if not off <= 1e-4:
                return f"{number}: {off:.3g} off; r {r}, prop {prop}, {args}"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    given = parser.parse_args()
    torch.set_num_threads(1)
    left_out = differ = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(given.count):
            said = compare(random.Random(given.seed * 1000003 + i),
                           given.seed * 1000003 + i, folder)
            left_out += said is None
            if said:
                print(said)
                differ += 1
                if given.keep:
                    os.replace(os.path.join(folder, "model.safetensors"),
                               os.path.join(given.keep, f"{i}.safetensors"))
    print(f"{given.count} models: {left_out} that rounding decides left out, "
          f"{differ} differ")
    return differ > 0


if __name__ == "__main__":
    sys.exit(main())

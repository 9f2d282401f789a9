#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a merged token's relative positions are: four answers on a model that
was trained with such positions (train-demo --positions relative), top-1 and the
mean KL divergence from its answers without merging, in nats.

    bench/relative.py --model data/relative.safetensors --r 10,20,30,36 FOLDER

    destination  those of the token that it was built on, as libtomevit has it
    centroid     the table between its rows and columns, at the distance of the
                 patches' centroids (bilinear)
    merged       the mean of the table over both tokens' patches, as
                 tomerge_merge_table has it
    exact        of a key ln of the mean of exp, over its patches; of a query
                 the mean: what unmerged keys would have got, were they equal

Tokens merge as the command merges them. Needs PyTorch, numpy, Pillow.
"""
import argparse
import importlib.machinery
import importlib.util
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional as F

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def trained():
    """data/train-demo as a module."""
    sys.path.insert(0, str(DATA))
    loader = importlib.machinery.SourceFileLoader("train_demo",
                                                  str(DATA / "train-demo"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("train_demo", loader))
    loader.exec_module(module)
    return module


class Tokens:
    """Rows x [images, n, channels], how many patches each has, whose place it
    has, the centroid, and which tokens it began as: [images, n, tokens]."""

    def __init__(self, x, side):
        count, n = x.shape[:2]
        grid = torch.arange(side).float()
        places = torch.cat([torch.zeros(1, 2),
                            torch.cartesian_prod(grid, grid)])
        self.x, self.size = x, torch.ones(count, n)
        self.own = torch.arange(n).expand(count, -1)
        self.centroid = places.expand(count, -1, -1)
        self.members = torch.eye(n).expand(count, -1, -1)

    def merge(self, metric, r):
        """[facebookresearch/ToMe, tome/merge.py] The class token stays."""
        count, n = metric.shape[:2]
        r = min(r, (n - 1) // 2)
        if not r:
            return
        unit = metric / metric.norm(dim=-1, keepdim=True)
        scores = unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)
        scores[:, 0] = -torch.inf
        best, to = scores.max(-1)
        order = best.argsort(dim=-1, descending=True)
        kept, gone = order[:, r:].sort(1)[0], order[:, :r]
        left, right = kept.shape[1], scores.shape[2]
        image = torch.arange(count)[:, None]
        odd = 2 * torch.arange(right)[None] + 1
        rows = torch.zeros(count, left + right, n)
        rows[image, torch.arange(left)[None], 2 * kept] = 1
        rows[image, left + torch.arange(right)[None], odd] = 1
        rows[image, left + to.gather(1, gone), 2 * gone] = 1
        self.own = self.own.gather(1, torch.cat(
            [2 * kept, odd.expand(count, -1)], 1))
        weights = rows * self.size[:, None]
        self.size = weights.sum(-1)
        self.x, self.centroid = ((weights @ v) / self.size[..., None]
                                 for v in (self.x, self.centroid))
        self.members = rows @ self.members


def destination(t, table, full, side):
    return full[:, t.own[:, :, None], t.own[:, None]].transpose(0, 1)


def merged(t, table, full, side):
    return (torch.einsum("bni,hij,bmj->bhnm", t.members, full, t.members) /
            (t.size[:, None, :, None] * t.size[:, None, None]))


def exact(t, table, full, side):
    keys = (torch.einsum("hij,bmj->bhim", full.exp(), t.members) /
            t.size[:, None, None]).log()
    return (torch.einsum("bni,bhim->bhnm", t.members, keys) /
            t.size[:, None, :, None])


def centroid(t, table, full, side):
    wide = 2 * side - 1
    apart = t.centroid[:, :, None] - t.centroid[:, None] + side - 1
    low = apart.floor().clamp(0, wide - 2)
    y, x = (apart - low).split(1, -1)
    low = low.long()
    found = sum(table[(low[..., 0] + i) * wide + low[..., 1] + j] *
                (y if i else 1 - y) * (x if j else 1 - x)
                for i in (0, 1) for j in (0, 1))
    found[:, 0], found[:, :, 0] = table[wide * wide], table[wide * wide + 1]
    found[:, 0, 0] = table[wide * wide + 2]
    return found.permute(0, 3, 1, 2)


def forward(demo, model, pixels, r, bias):
    x = model.patch_embed(demo.cut(pixels))
    t = Tokens(torch.cat([model.cls_token.expand(len(x), -1, -1), x], 1),
               demo.SIDE)
    for block in model.blocks:
        b, n, width = t.x.shape
        table = block.attn.relative_position_bias_table
        full = table[model.apart].permute(2, 0, 1)
        q, k, v = block.attn.qkv(block.norm1(t.x)).view(
            b, n, 3, demo.HEADS, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(
            q, k, v, bias(t, table, full, demo.SIDE) +
            t.size.log()[:, None, None])
        t.x = t.x + block.attn.proj(y.transpose(1, 2).reshape(b, n, width))
        t.merge(k.mean(1), r)
        t.x = t.x + block.mlp(block.norm2(t.x))
    return model.head(model.norm(t.x)[:, 0])


def answers(demo, model, pictures, r, bias):
    edge, out = (demo.PICTURE - demo.CROP) // 2, []
    for i in range(0, len(pictures), 32):
        part = np.ascontiguousarray(pictures[
            i:i + 32, edge:edge + demo.CROP, edge:edge + demo.CROP])
        out.append(forward(demo, model, demo.normalised(part), r, bias))
    return torch.cat(out).log_softmax(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--model", required=True)
    parser.add_argument("--r", default="10,20,30,36")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    demo = trained()
    model = demo.Vit("relative")
    demo.grow(model)
    demo.read(model, args.model)
    labels, pictures = demo.load(args.folder)
    labels, first = torch.from_numpy(labels), None
    with torch.no_grad():
        for r in [0] + [int(r) for r in args.r.split(",")]:
            for bias in (destination, centroid, merged, exact)[:4 if r else 1]:
                found = answers(demo, model, pictures, r, bias)
                first = found if first is None else first
                right = 100 * (found.argmax(1) == labels).float().mean()
                kl = (first.exp() * (first - found)).sum(1).mean()
                print(f"r {r:3}  {bias.__name__:12} {right:6.2f} {kl:8.4f}",
                      flush=True)


main()

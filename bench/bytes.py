#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How the time of a model of bytes grows with the picture.

MEGABYTE's attention takes (T / P)^2 and T P of T bytes in patches of P, at best
of the order T^(4/3), at P of the order T^(1/3) (arXiv:2305.07185, section 3). This
makes models of random weights, all of one width, for pictures from 3 kB to 1 MB,
and measures `tomerge density` on one thread: the processor's time of three
pictures less that of one, halved, so that opening the model does not count; of
the largest, two less one. A second table has the best patch of each size.

    bytes.py build/src/tomerge [SCRATCH-FOLDER]

Needs numpy and Pillow.
"""
import json
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

WIDTH, GLOBAL_LAYERS = 384, 2
LOCAL, LOCAL_LAYERS = 64, 2
SIDES = 32, 64, 128, 256, 592
PATCHES = 2, 4, 8
MOST = 2e12  # multiply-adds of attention; what takes more is left out


def tensors(c):
    dg, dl = c["dg"], c["dl"]
    yield "global_embed.weight", (256, dg)
    yield "global_pos", (c["patch"] * c["patches"], dg)
    yield "global_pad", (WIDTH,)
    yield "to_local.weight", (dl, dg)
    yield "local_embed.weight", (256, dl)
    yield "local_pad", (dl,)
    for part, dim, layers in (("global", WIDTH, GLOBAL_LAYERS),
                              ("local", dl, LOCAL_LAYERS)):
        for i in range(layers):
            block = f"{part}_model.blocks.{i}"
            for norm in ("norm1", "norm2"):
                yield f"{block}.{norm}.weight", (dim,)
                yield f"{block}.{norm}.bias", (dim,)
            for name in "qkvo":
                yield f"{block}.attn.{name}.weight", (dim, dim)
            yield f"{block}.mlp.up.weight", (4 * dim, dim)
            yield f"{block}.mlp.down.weight", (dim, 4 * dim)
        yield f"{part}_model.norm.weight", (dim,)
        yield f"{part}_model.norm.bias", (dim,)


def write_model(path, side, patch):
    c = {"kind": "megabyte", "patch": 3 * patch * patch,
         "patches": (side // patch) ** 2, "dg": WIDTH // (3 * patch * patch),
         "dl": LOCAL, "global_heads": 6, "local_heads": 2, "mlp": "relu"}
    header = {"__metadata__": {"config": json.dumps(c)}}
    shapes, at = list(tensors(c)), 0
    for name, shape in shapes:
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(0)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes:
            value = random.standard_normal(shape, np.float32) * 0.05
            if "norm" in name and name.endswith("weight"):
                value += 1
            out.write(value.tobytes())
    return c


def attention(c):
    """Multiply-adds of the scores and sums that a causal pass needs."""
    k, p = c["patches"], c["patch"]
    return (GLOBAL_LAYERS * k * (k + 1) * WIDTH +
            LOCAL_LAYERS * k * p * (p + 1) * LOCAL)


def run(tomerge, model, pictures):
    """Seconds of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    pid = subprocess.Popen([tomerge, "density", "--model", model, "--batch",
                            "1", "--threads", "1", "--quiet", *pictures],
                           stdout=subprocess.DEVNULL)
    pid.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before


def main():
    tomerge = sys.argv[1]
    scratch = sys.argv[2] if len(sys.argv) > 2 else None
    print("| bytes | patch | patches | attention, GMACs | seconds | "
          "ns a byte | / T^(4/3), ns |")
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    times = {}  # of T: (seconds, patch) each
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        folder = pathlib.Path(folder)
        for side in SIDES:
            pictures = []
            times[3 * side * side] = []
            for i in range(3 if side <= 128 else 2):
                pixels = np.random.default_rng(i).integers(
                    0, 256, (side, side, 3), np.uint8)
                pictures.append(folder / f"{i}.png")
                Image.fromarray(pixels).save(pictures[-1])
            for patch in PATCHES:
                model = folder / "model.safetensors"
                c = write_model(model, side, patch)
                if attention(c) > MOST:
                    continue
                one = run(tomerge, model, pictures[:1])
                some = run(tomerge, model, pictures)
                t = 3 * side * side
                seconds = (some - one) / (len(pictures) - 1)
                times[t].append((seconds, patch))
                print(f"| {t} | {patch} x {patch} | {c['patches']} | "
                      f"{attention(c) / 1e9:.2f} | {seconds:.3f} | "
                      f"{1e9 * seconds / t:.0f} | "
                      f"{1e9 * seconds / t ** (4 / 3):.1f} |", flush=True)
    print("\n| bytes | best patch | seconds | times the smallest | "
          "T^(4/3) would be |\n|---:|---:|---:|---:|---:|")
    first, least = next((t, min(tried)[0]) for t, tried in times.items())
    for t, tried in times.items():
        seconds, patch = min(tried)
        print(f"| {t} | {patch} x {patch} | {seconds:.3f} | "
              f"{seconds / least:.1f} | {(t / first) ** (4 / 3):.1f} |")


if __name__ == "__main__":
    main()

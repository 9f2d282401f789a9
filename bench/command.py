#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole command: how well decoding and the model share the cores, what a
start costs, and how much memory it takes.

`tomerge eval` on a folder of images (one folder a class), once as the model
is and once merging all it can, where decoding is most of the work; then
`tomerge classify` on one image, from nothing to its classes. The model is a
checkpoint of a published shape with random weights, written for the purpose,
or --model. Needs nothing but Python.

    bench/command.py --tomerge build/src/tomerge FOLDER
"""
import argparse
import array
import json
import os
import random
import struct
import subprocess
import tempfile
import time

ARCHS = {  # dim, depth, heads, patch, image size
    "deit_tiny_patch16_224": (192, 12, 3, 16, 224),
    "deit_small_patch16_224": (384, 12, 6, 16, 224),
    "deit_base_patch16_224": (768, 12, 12, 16, 224),
}
CLASSES = 1000


# ---- a checkpoint ---------------------------------------------------------------

def shapes(arch):
    dim, depth, _, patch, size = ARCHS[arch]
    tokens = (size // patch) ** 2 + 1
    yield "cls_token", (1, 1, dim)
    yield "pos_embed", (1, tokens, dim)
    yield "patch_embed.proj.weight", (dim, 3, patch, patch)
    yield "patch_embed.proj.bias", (dim,)
    for i in range(depth):
        for name, rows, columns in (("attn.qkv", 3 * dim, dim),
                                    ("attn.proj", dim, dim),
                                    ("mlp.fc1", 4 * dim, dim),
                                    ("mlp.fc2", dim, 4 * dim)):
            yield f"blocks.{i}.{name}.weight", (rows, columns)
            yield f"blocks.{i}.{name}.bias", (rows,)
        for norm in ("norm1", "norm2"):
            yield f"blocks.{i}.{norm}.weight", (dim,)
            yield f"blocks.{i}.{norm}.bias", (dim,)
    yield "norm.weight", (dim,)
    yield "norm.bias", (dim,)
    yield "head.weight", (CLASSES, dim)
    yield "head.bias", (CLASSES,)


def write_checkpoint(path, arch):
    """The .safetensors format: length of the header, header, data."""
    header, end = {"__metadata__": {"num_heads": str(ARCHS[arch][2])}}, 0
    for name, shape in shapes(arch):
        begin, count = end, 1
        for length in shape:
            count *= length
        end += 4 * count
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    random.seed(1)
    noise = array.array("f", (random.gauss(0, 0.02)
                              for _ in range(1 << 16))).tobytes()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for at in range(0, end, len(noise)):
            file.write(noise[:end - at])


# ---- runs -----------------------------------------------------------------------

def run(command):
    """Its output, seconds from start to end, and most bytes of memory."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(command)}: {child.returncode}")
        output.seek(0)
        return output.read(), seconds, usage.ru_maxrss * 1024


def first_image(folder):
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith((".jpg", ".jpeg", ".png")):
                return os.path.join(place, name)
    raise SystemExit(f"{folder}: no image")


def eval_row(args, name, r):
    command = [args.tomerge, "eval", "--model", args.model, "--r", r,
               "--dtype", args.dtype,
               "--batch", str(args.batch), "--threads", str(args.threads),
               "--limit", str(args.limit), "--json", "-", "--quiet",
               args.folder]
    results = []
    for _ in range(args.repeats):
        output, _, memory = run(command)
        results.append((json.loads(output), memory))
    report, memory = min(results, key=lambda x: x[0]["seconds"]["wall"])
    seconds, images = report["seconds"], report["images"]
    input_side = seconds["decode"] + seconds["preprocess"]
    share = input_side / args.threads + seconds["forward"]
    print(f"| {name} | {images / seconds['wall']:.1f} | "
          f"{seconds['wall']:.2f} | {share:.2f} | "
          f"{seconds['wall'] / share:.3f} | "
          f"{1e3 * input_side / images:.2f} | {memory / 2**20:.0f} |")


def start_row(args, budget):
    command = [args.tomerge, "classify", "--model", args.model,
               "--dtype", args.dtype, "--threads", str(args.threads),
               "--quiet", first_image(args.folder)]
    runs = [run(command)[1:] for _ in range(max(args.repeats, 10))]
    seconds = min(run[0] for run in runs)
    memory = max(run[1] for run in runs)
    print(f"\nFrom start to the classes of one image: {1e3 * seconds:.0f} ms, "
          f"{memory / 2**20:.0f} MiB at most.")
    print(f"Weights and activations of a batch: {budget / 2**20:.0f} MiB.")


def budget_of(args):
    """Bytes of packed weights and of the activations of one batch."""
    report = json.loads(run([
        args.tomerge, "bench", "--model", args.model, "--dtype", args.dtype,
        "--r", "0", "--batch", str(args.batch), "--threads",
        str(args.threads), "--seconds", "0", "--json", "-", "--quiet"])[0])
    return report["weight_bytes"] + report["activation_bytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="images, one folder a class")
    parser.add_argument("--tomerge", default="build/src/tomerge")
    parser.add_argument("--model", help="a checkpoint instead of --arch")
    parser.add_argument("--arch", default="deit_small_patch16_224",
                        choices=ARCHS)
    parser.add_argument("--dtype", default="f32",
                        choices=("f32", "bf16", "int8"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        if args.model is None:
            args.model = os.path.join(scratch, args.arch + ".safetensors")
            write_checkpoint(args.model, args.arch)
        print("| | images/s | wall s | core-s / cores | ratio | "
              "decode + preprocess, core-ms | most MiB |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        eval_row(args, "the model is most of the work (r=0)", "0")
        eval_row(args, "decoding is most of the work (r=98)", "98")
        start_row(args, budget_of(args))


if __name__ == "__main__":
    main()

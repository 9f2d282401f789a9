#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Decoding and resizing beside Pillow: core-milliseconds an image, in turns.

bench_pixels and Pillow, each on one core, take the images of a folder from
memory to the 224 x 224 crop of an image resized to 248; pixels are the same,
so what is left is time. Needs Pillow.

    bench/pillow.py --bench build/bench/bench_pixels FOLDER
"""
import argparse
import io
import os
import re
import subprocess
import time

import PIL
from PIL import Image

SIDE, CROP = 248, 224


def read_files(folder):
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith((".jpg", ".jpeg", ".png")):
                with open(os.path.join(place, name), "rb") as file:
                    yield file.read()


def crop_of(picture):
    shorter = min(picture.size)
    width, height = (SIDE * side // shorter for side in picture.size)
    picture = picture.resize((width, height), Image.BICUBIC)
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    return picture.crop((left, top, left + CROP, top + CROP))


def with_pillow(files):
    """Milliseconds an image: decoding, and all of it."""
    decoding = total = 0
    for data in files:
        start = time.process_time()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        decoded = time.process_time()
        crop_of(picture).tobytes()
        decoding += decoded - start
        total += time.process_time() - start
    return 1e3 * decoding / len(files), 1e3 * total / len(files)


def with_ours(program, folder):
    """Milliseconds an image of the fastest tier: decoding, and all of it."""
    report = subprocess.run([program, folder, "1"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    decoding = float(re.search(r"crop's part +([\d.]+)", report)[1])
    return decoding, min(map(float, re.findall(r"decoding ([\d.]+) ms",
                                               report)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--bench", default="build/bench/bench_pixels")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    files = list(read_files(args.folder))
    if not files:
        raise SystemExit(f"{args.folder}: no image")
    ours, theirs = [], []
    for _ in range(args.repeats):
        ours.append(with_ours(args.bench, args.folder))
        theirs.append(with_pillow(files))
    print(f"{len(files)} images, core-ms an image, best of {args.repeats}\n")
    print("| | decoding | all | beside Pillow |\n|---|---:|---:|---:|")
    most = min(total for _, total in theirs)
    for name, runs in ((f"Pillow {PIL.__version__}", theirs), ("ours", ours)):
        decoding, total = map(min, zip(*runs))
        print(f"| {name} | {decoding:.2f} | {total:.2f} | "
              f"{total / most:.2f} |")


if __name__ == "__main__":
    main()

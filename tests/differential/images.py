#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images that Pillow wrote, whole and damaged, through Pillow and through this
project's readers: the same verdict and the same pixels.

    tests/differential/images.py --fixture build/tests/fixture --count 20000

Needs Pillow and NumPy. Exits with 1 if there is a difference that KNOWN does not
name; the first files of each kind are kept in --keep. --seed begins elsewhere.
(Gray of 16 bits, where they differ by intent, is not among them.)
"""
import argparse
import collections
import io
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
warnings.simplefilter("ignore")

MODES = {"PNG": ["1", "L", "LA", "P", "RGB", "RGBA"],
         "JPEG": ["L", "RGB", "CMYK"], "WEBP": ["RGB", "RGBA"]}


# What is known to differ, all of it damaged: libpng and libjpeg are stricter
# than Pillow's own reading of chunks and markers, or Pillow is than theirs.
KNOWN = {
    "PNG: refused here: bad PNG near byte # of #: ????: unhandled critical chunk":
        "Pillow passes over critical chunks that nobody knows",
    "PNG: refused here: bad PNG near byte # of #: IDAT: Missing PLTE before IDAT":
        "Pillow makes up a palette",
    "PNG: refused here: bad PNG near byte # of #: Not enough image data":
        "Pillow leaves rows black that are not there",
    "PNG: read here, remarked":
        "all pixels are there, and Pillow wants what comes after them",
    "JPEG: refused here: bad JPEG near byte # of #: Premature end of JPEG file":
        "Pillow does not look for the end after the last row",
    "JPEG: refused here: truncated: # bytes cannot hold the # x # pixels of the "
    "header": "Pillow makes gray of what is not there",
    "JPEG: read here, nothing said":
        "Pillow refuses markers that libjpeg passes over",
}


def picture(rng, mode):
    """Noise, stripes or one colour, of any small size."""
    width, height = rng.randint(1, 70), rng.randint(1, 70)
    kind = rng.randrange(3)
    noise = np.random.RandomState(rng.randrange(1 << 31))
    if kind == 0:
        pixels = noise.randint(0, 256, (height, width, 4))
    elif kind == 1:
        y, x = np.mgrid[:height, :width]
        pixels = np.stack([x * x * k + y * y * (9 - k) >> 3 for k in range(4)],
                          -1) & 255
    else:
        pixels = np.zeros((height, width, 4)) + noise.randint(0, 256, 4)
    rgba = Image.fromarray(pixels.astype(np.uint8), "RGBA")
    if mode == "P":
        return rgba.convert("RGB").quantize(rng.choice([2, 4, 16, 200]))
    return rgba.convert(mode) if mode != "CMYK" else Image.fromarray(
        pixels.astype(np.uint8), "CMYK")


def written(rng):
    """A file of one of the kinds that are read, as bytes."""
    kind = rng.choice(list(MODES))
    made = picture(rng, rng.choice(MODES[kind]))
    options = {}
    if kind == "JPEG":
        options = {"quality": rng.randint(1, 100),
                   "progressive": rng.random() < .3,
                   "optimize": rng.random() < .3}
        if made.mode == "RGB":
            options["subsampling"] = rng.choice([0, 1, 2])
        if rng.random() < .2:
            options["restart_marker_blocks"] = rng.randint(1, 4)
    elif kind == "PNG":
        options = {"compress_level": rng.randint(0, 9)}
        if made.mode == "P" and rng.random() < .5:
            options["bits"] = 8
    else:
        options = {"lossless": rng.random() < .5, "method": rng.randint(0, 3),
                   "quality": rng.randint(0, 100)}
    out = io.BytesIO()
    made.save(out, kind, **options)
    return kind, bytearray(out.getvalue())


def sum_chunks(data):
    """PNG chunks with right checksums, so that what is in them counts."""
    at = 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length,
                         zlib.crc32(data[at + 4:at + 8 + length]))
        at += 12 + length


def damage(rng, kind, data):
    how = rng.randrange(6)
    if how == 0:                                    # bits
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == 1:                                  # the end is missing
        del data[rng.randrange(1, len(data)):]
    elif how == 2:                                  # something in the middle is
        at = rng.randrange(len(data))
        del data[at:at + rng.randint(1, 40)]
    elif how == 3:                                  # or is there twice
        at = rng.randrange(len(data))
        data[at:at] = data[at:at + rng.randint(1, 40)]
    elif how == 4:                                  # other bytes, in one place
        at = rng.randrange(len(data))
        for i in range(at, min(len(data), at + rng.randint(1, 16))):
            data[i] = rng.randrange(256)
    else:                                           # something after the end
        data += bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
    if kind == "PNG" and rng.random() < .6:
        sum_chunks(data)


def of_pillow(path):
    """Width, height and a hash of the pixels; None if it is refused."""
    try:
        with Image.open(path, formats=list(MODES)) as image:
            if image.width * image.height > 1 << 22:
                return "large"
            rgb = image.convert("RGB")
            pixels = rgb.tobytes()
            return (rgb.width, rgb.height, "%08x%08x" % (
                zlib.crc32(pixels), zlib.adler32(pixels)), image.mode)
    except Exception:  # of many kinds, all are refusals
        return None


def judge(kind, pillow, ours):
    """'' where both agree, else what the difference is."""
    status, words, line = ours
    if pillow == "large":                       # refused before it is decoded
        return "" if status == "refused" else "large, and read here"
    if (status == "refused") and pillow is None:
        return ""
    if status == "refused":
        return "refused here: " + line
    if pillow is None:
        return "read here" + (", remarked" if line else ", nothing said")
    if words[:3] == [str(pillow[0]), str(pillow[1]), pillow[2]]:
        return ""
    return "other pixels" + (", remarked" if line else "") + " " + pillow[3]


def ours_of(fixture, paths):
    """(status, words, line) of each file, by one process."""
    got = subprocess.run([fixture, "decode", *map(str, paths)],
                         capture_output=True, text=True, check=True,
                         errors="replace")
    found = []
    for text in got.stdout.splitlines():
        words, _, line = text.partition("\t")
        words = words.split()
        found.append((words[0], words[1:], line))
    assert len(found) == len(paths)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixture", required=True)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path)
    args = parser.parse_args()
    differences = collections.Counter()
    example, verdicts = {}, collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, args.count, 500):
            paths, kinds = [], []
            for i in range(first, min(first + 500, args.count)):
                rng = random.Random(args.seed * 1000003 + i)
                kind, data = written(rng)
                if rng.random() < .7:
                    damage(rng, kind, data)
                path = pathlib.Path(folder) / f"{i}.{kind.lower()}"
                path.write_bytes(data)
                paths.append(path)
                kinds.append(kind)
            for path, kind, ours in zip(paths, kinds,
                                        ours_of(args.fixture, paths)):
                pillow = of_pillow(path)
                what = judge(kind, pillow, ours)
                verdicts[kind, "read" if pillow else "refused"] += 1
                if what:
                    key = f"{kind}: {what}"
                    key = re.sub(r"\d+", "#", key)
                    key = re.sub(r"[A-Za-z]{4}(: unhandled)", r"????\1", key)
                    differences[key] += 1
                    example.setdefault(key, path.name)
                    if args.keep and differences[key] <= 5:
                        args.keep.mkdir(parents=True, exist_ok=True)
                        (args.keep / path.name).write_bytes(path.read_bytes())
                path.unlink()
    print(f"{args.count} images:",
          ", ".join(f"{n} {k} {v}" for (k, v), n in sorted(verdicts.items())))
    for key, n in differences.most_common():
        print(f"{n:6} {key}  ({example[key]}; {KNOWN.get(key, 'not known')})")
    unknown = sum(n for key, n in differences.items() if key not in KNOWN)
    print(f"{sum(differences.values())} differ, {unknown} of them unknown")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

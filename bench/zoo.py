#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The zoo: every Vision Transformer that timm, open_clip, torchvision and
transformers publish, opened by libtomevit and compared with its own library.

Each model is made with random weights, under which every part matters, and
saved as its publisher saves it. Its full size is opened from a file without
bytes, with the files that lie beside it and without any; what a model computes
without merging, logits or features, is compared on a copy of two layers where
its own library allows one, and the pixels of two images on all. Prints a line
for each model that does not agree, and the counts:

    agree    results within 1e-4 of the largest, pixels the same
    refused  not opened; the line says what is missing
    wrong    opened, and something else comes out without a word
    silent   without the files beside it something else, and no guess admitted

    bench/zoo.py --build build [--of timm,open_clip] [--match vit_base] [--some N]

Needs torch, timm, safetensors and Pillow, and what --of names. A model that
its library cannot make here is counted as "unknown". Exits with 1 if anything
is wrong or silent.
"""
import argparse
import collections
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
import warnings

import numpy as np

from zoo_library import MEMBERS, OFFSETS, Library, Refused

NEAR = 1e-4                     # of the largest number
SAME = ("heads", "activation", "norm_eps", "pool", "final_norm", "fc_norm",
        "image_size")


# ---- weights ------------------------------------------------------------------

LIKE_NORM = re.compile(r"norm|\bln|layernorm|ln_", re.I)
LIKE_SCALE = re.compile(r"gamma|layer_scale|\bls_?[12]|lambda[12]$|scale")
LIKE_EMBEDDING = re.compile(r"pos_embed|position|cls_|_token|class_|register")
LAST = re.compile(r"(attn|attention)\.(proj|out_proj)\.|fc2|c_proj|"
                  r"output\.dense|mlp\.3\.|w3|weights_out|down_proj|o_proj")


def randomize(model, seed=0):
    """Weights under which norms, scales and positions all show, and the
    residual stream stays small enough for epsilons to."""
    import torch
    g = torch.Generator().manual_seed(seed)

    def normal(p, std):
        p.copy_(torch.randn(p.shape, generator=g) * std)

    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim <= 1 and LIKE_SCALE.search(name) and "bias" not in name:
                p.copy_(0.7 + 0.3 * torch.rand(p.shape, generator=g))
            elif p.ndim <= 1 and LIKE_NORM.search(name) and "bias" not in name:
                p.copy_(1 + 0.2 * torch.randn(p.shape, generator=g))
            elif p.ndim <= 1:
                normal(p, 0.02 if LAST.search(name) else 0.1)
            elif LIKE_EMBEDDING.search(name):
                normal(p, 0.02)
            else:
                fan = p[0].numel()
                normal(p, (0.05 if LAST.search(name) else 1.5) / fan ** 0.5)
    return model.eval()


NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64",
         "bool": "BOOL", "float64": "F64", "int32": "I32", "uint8": "U8",
         "complex64": "F64"}


def save_shapes(tensors, path):
    """A .safetensors with a hole where the bytes would be; where that is."""
    header, end = {}, 0
    for name, t in tensors.items():
        begin, end = end, end + t.numel() * t.element_size()
        header[name] = {"dtype": NAMES[str(t.dtype).split(".")[1]],
                        "shape": list(t.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        f.truncate(8 + len(text) + end)
    return 8 + len(text)


def save(tensors, path):
    """One tensor after the other, so that large models are not there twice."""
    import torch
    at = save_shapes(tensors, path)
    with open(path, "r+b") as f:
        f.seek(at)
        for t in tensors.values():
            flat = t.detach().contiguous().reshape(-1)
            f.write(flat.view(torch.uint8).numpy())


# ---- judging ------------------------------------------------------------------

def distance(ours, theirs):
    theirs = np.asarray(theirs, np.float64).ravel()
    ours = np.asarray(ours, np.float64).ravel()
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))


class Judge:
    """Says of one model what became of it; a finding is a line of why."""

    def __init__(self, library):
        self.library = library
        rng = np.random.default_rng(3)
        self.images = [self.picture(rng, *s) for s in ((375, 500), (511, 333))]

    @staticmethod
    def picture(rng, height, width):
        y, x = np.mgrid[:height, :width]
        waves = [np.sin(x / rng.uniform(3, 40) + y / rng.uniform(3, 40))
                 for _ in range(3)]
        noise = rng.normal(0, 25, (height, width, 3))
        return np.clip(np.stack(waves, -1) * 90 + 128 + noise, 0,
                       255).astype(np.uint8)

    def pixels(self, path, transform):
        from PIL import Image
        pre = self.library.describe(path)["preprocessing"]
        for i, rgb in enumerate(self.images):
            theirs = np.asarray(transform(Image.fromarray(rgb)))
            ours = self.library.crop(pre, rgb)
            if ours.shape != theirs.shape:
                return f"pixels: {ours.shape[1:]} for {theirs.shape[1:]}"
            if np.abs(ours - theirs).max() > 1e-5 * max(
                    1, np.abs(theirs).max() / 4):
                return (f"pixels: image {i} differs by "
                        f"{np.abs(ours - theirs).max():.3g}")
        return None

    def numbers(self, path, x, expected, **options):
        """`expected`: {"logits": [..], ..}; what differs, or None."""
        _, made = self.library.run(path, x, **options)
        for kind, theirs in expected.items():
            if kind not in made:
                return f"{kind}: ours has none"
            far = distance(made[kind], theirs)
            if not far <= NEAR:
                return f"{kind}: {far:.2g} of the largest"
        return None

    def alone(self, beside, path):
        """The same tensors without the files beside them: what of it differs
        must be said to be a guess. What does so in silence, or None."""
        try:
            facts = self.library.facts(path)
        except Refused:
            return None
        for what, (value, _, guessed) in facts.items():
            said = beside.get(what, (value,))[0]
            if value != said and not guessed:
                return f"{what} {value} for {said}"
        return None


# ---- counting -----------------------------------------------------------------

class Counts:
    def __init__(self):
        self.all = collections.defaultdict(collections.Counter)
        self.reasons = collections.defaultdict(collections.Counter)

    def add(self, zoo, kind, name, verdict, why=""):
        self.all[zoo, kind][verdict] += 1
        if verdict == "refused":
            why = re.sub(r"^.*?\.(safetensors|pth|json)( beside it)?: ", "",
                         why)
            self.reasons[zoo][why] += 1
        if verdict != "agree":
            print(f"{verdict:8} {zoo} {name}: {why}", flush=True)

    def show(self):
        for zoo in sorted({z for z, _ in self.all}):
            print(f"\n{zoo:28}  tags  agree refused wrong silent unknown")
            total = collections.Counter()
            for (z, kind), c in sorted(self.all.items()):
                if z == zoo:
                    self.line(kind, c)
                    total += c
            self.line("all", total)
            for why, n in self.reasons[zoo].most_common(40):
                print(f"  {n:4} {why}")

    @staticmethod
    def line(kind, c):
        print(f"{kind:28} {sum(c.values()):5}  {c['agree']:5} "
              f"{c['refused']:7} {c['wrong']:5} {c['silent']:6} "
              f"{c['unknown']:7}")

    def good(self):
        return not any(c["wrong"] + c["silent"] for c in self.all.values())


def judge(counts, zoo, kind, name, look):
    """`look()` returns (verdict, why) or raises Refused."""
    try:
        verdict, why = look()
    except Refused as refusal:
        verdict, why = "refused", str(refusal)
    except Exception as e:      # what another library does here is its own
        where = traceback.extract_tb(e.__traceback__)[-1]
        verdict = "unknown"
        why = (f"{type(e).__name__}: {str(e)[:160]} "
               f"({os.path.basename(where.filename)}:{where.lineno})")
    counts.add(zoo, kind, name, verdict, why)


def offsets(source, build, folder):
    """Where the members of a description lie, by a program with the header."""
    path = os.path.join(folder, "offsets")
    shows = "".join(f"SHOW({m})\n" for m in MEMBERS)
    with open(path + ".c", "w", encoding="utf-8") as f:
        f.write(OFFSETS.replace("MEMBERS", shows))
    subprocess.run([os.environ.get("CC", "cc"), f"-I{source}/include",
                    f"-I{build}/include", "-o", path, path + ".c"], check=True)
    lines = subprocess.run([path], check=True, capture_output=True,
                           text=True).stdout.split("\n")
    return {w[0]: (int(w[1]), int(w[2])) for w in map(str.split, lines) if w}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--library", help="libtomevit, if not the build's")
    p.add_argument("--source", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), ".."))
    p.add_argument("--of", default="timm,open_clip,torchvision,transformers")
    p.add_argument("--match", default="*", help="names, with * and ?")
    p.add_argument("--some", type=int, default=1,
                   help="only every N-th model, by name")
    p.add_argument("--memory", type=float, default=8, metavar="GB",
                   help="that open_clip's larger towers may take (8); those "
                   "that need more are named, and only described")
    p.add_argument("--description", action="store_true",
                   help="open and compare pixels, compute nothing")
    args = p.parse_args()
    warnings.filterwarnings("ignore")
    import torch
    torch.set_num_threads(1)
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        library = Library(args.library or os.path.join(
            args.build, ".libs", "libtomevit.so"),
            offsets(args.source, args.build, folder))
        args.folder, args.wanted = folder, lambda name: fnmatch.fnmatch(
            name, args.match if "*" in args.match else f"*{args.match}*")
        for zoo in args.of.split(","):
            __import__(f"zoo_{zoo}").visit(args, Judge(library), counts)
    counts.show()
    sys.exit(not counts.good())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every --method beside Token Merging at equal arithmetic.

    bench/methods.py --tomerge build/src/tomerge --model FILE|SHAPE FOLDER

One `tomerge sweep --budget` for each type turns every method's knob on images of
the folder and runs all methods on each batch, in turns. What a method computes a
second over what Token Merging does is found batch by batch, and the median is
printed: multiply-adds and not images, as not every knob has a value that meets
the budget. A SHAPE such as deit_small_patch16_224 has random weights. Needs
nothing but Python.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

from command import ARCHS, write_checkpoint

METHODS = ("tome", "topk", "evit", "evit[layers=3:6:9]", "ppt[layers=3:6:9]",
           "diffrate[file={counts}]", "pitome", "tofu", "grid", "threshold",
           "upward", "mctf", "mctf[layers=3:6:9]", "atc",
           "atc[linkage=complete]")


def write_names(path, folder, count):
    """Images from all over the folder."""
    members = sorted(os.path.join(os.path.abspath(where), name)
                     for where, _, names in os.walk(folder) for name in names)
    step = max(1, len(members) // count)
    with open(path, "w") as file:
        file.writelines(name + "\n" for name in members[::step][:count])


def write_counts(path, tokens=197, depth=12):
    """DiffRate's file: as many tokens go as by a constant r, half of them
    pruned and half merged."""
    counts = {}
    for r in range(1, (tokens - 1) // depth + 1):
        left = [tokens - r * layer for layer in range(depth + 1)]
        counts[str(r)] = {
            "prune_kept_num": str([n - r // 2 for n in left[:-1]]),
            "merge_kept_num": str(left[1:])}
    with open(path, "w") as file:
        json.dump({"even": counts}, file)


def sweep(args, scratch, model, dtype, budget):
    """The runs of the report, and each batch's seconds of all of them."""
    path, journal, counts, names = (os.path.join(scratch, name) for name in
                                    ("report", "journal", "counts", "names"))
    write_names(names, args.folder, args.images)
    write_counts(counts)
    methods = ",".join(args.methods or METHODS).format(counts=counts)
    if os.path.exists(journal):
        os.remove(journal)
    subprocess.run(
        [args.tomerge, "sweep", "--quiet", "--model", model, "--threads",
         str(args.threads), "--batch", str(args.batch), "--dtype", dtype,
         "--method", methods, "--budget", budget, "--calibrate",
         str(args.calibrate), "--list", names, "--json", path, "--resume",
         journal], check=True, stdout=subprocess.DEVNULL)
    with open(path) as file:
        runs = json.load(file)["runs"]
    with open(journal) as file:
        lines = [json.loads(line) for line in file]
    return runs, [(line["seconds"], line["work"]) for line in lines
                  if "seconds" in line]


def show(args, dtype, runs, batches):
    tome = next(i for i, run in enumerate(runs) if run["gmacs"] < runs[0]["gmacs"])
    print(f"{dtype}, {runs[tome]['cpu']}")
    for at, run in enumerate(runs):
        ratios = [work[at][0] / seconds[at] / (work[tome][0] / seconds[tome])
                  for seconds, work in batches]
        speed = args.batch / statistics.median(s[at] for s, _ in batches)
        name = run["series"].split("[file=")[0]
        print(f"  {name:24} {run['schedule']:18} {run['gmacs']:7.4f} GMACs "
              f"{speed:8.1f} images/s  {statistics.median(ratios):6.3f} of "
              f"Token Merging ({min(ratios):.3f} to {max(ratios):.3f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tomerge", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--budget", default="0.73115", help="GMACs")
    parser.add_argument("--dtype", default="f32,bf16,int8")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--calibrate", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = args.model
        if model in ARCHS:
            model = os.path.join(scratch, "model.safetensors")
            write_checkpoint(model, args.model)
        for dtype in args.dtype.split(","):
            show(args, dtype, *sweep(args, scratch, model, dtype,
                                     args.budget))


if __name__ == "__main__":
    main()

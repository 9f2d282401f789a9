#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times `tomerge bench` beside other runtimes, in turns, in one run.

The same shapes (random weights), threads, batch and number type; the forward
alone. Peers are those of onnxruntime, openvino, torch (eager and compiled), MNN
and ncnn that are installed and have the type; needs numpy, onnx for
onnxruntime, openvino and MNN, torch and pnnx for ncnn, timm for the shapes that
are not a plain ViT's (DINOv3's, rotary positions, BEiT).
Prints images/s (median and best of the turns), our median over each peer's,
and, where bench_peak lies beside the command, our share of what the cores can
do at most.

    bench/peers.py --tomerge build/src/tomerge --arch deit_small_patch16_224
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np

from peers_models import ARCHS, TIMM, image_size
from peers_runtimes import PEERS


def peers(args, dtype, pixels):
    """Those that can be had, each after a first run that warms it up."""
    found = {}
    for name in filter(None, args.peers.split(",")):
        peer = PEERS[name]
        if dtype not in peer.dtypes:
            continue
        try:
            made = peer(args.arch, args.batch, args.threads, dtype)
            made.run(pixels)
        except ImportError as missing:
            print(f"{peer.title}, {dtype}: left out ({missing})")
        else:
            found[f"{peer.title} {made.version}"] = made
    return found


# ---- timing ------------------------------------------------------------------

def time_peer(peer, pixels, seconds):
    """Images/s of each run within the time (at least two)."""
    rates, end = [], time.perf_counter() + seconds
    while len(rates) < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        peer.run(pixels)
        rates.append(len(pixels) / (time.perf_counter() - start))
    return rates


def time_tomerge(args, dtype):
    command = [args.tomerge, "bench", "--arch", args.arch, "--batch",
               str(args.batch), "--threads", str(args.threads), "--seconds",
               str(args.seconds), "--r", args.r, "--json", "-", "--quiet"]
    if dtype != "f32":
        command += ["--dtype", dtype]
    if args.cpu:
        command += ["--cpu", args.cpu]
    result = subprocess.run(command, capture_output=True, check=True)
    return json.loads(result.stdout)


def measure_peaks(args):
    """{(tier, dtype): G operations/s}, empty without the program."""
    program = args.peak or os.path.join(
        os.path.dirname(args.tomerge), "..", "bench", "bench_peak")
    if not os.path.exists(program):
        return {}
    result = subprocess.run([program, str(args.threads), "0.3"],
                            capture_output=True, check=True, text=True)
    rows = [line.split() for line in result.stdout.splitlines()]
    return {(row[0], row[1]): float(row[-1]) for row in rows}


def label(run):
    """A constant schedule by its r, any other as a list."""
    r = run["r"]
    return str(r[0]) if len(set(r)) == 1 else ",".join(map(str, r))


class Results:
    def __init__(self):
        self.theirs, self.ours, self.gflops, self.peaks = {}, {}, {}, []
        self.cpu = ""

    def add_ours(self, args, dtype):
        peaks = measure_peaks(args)
        report = time_tomerge(args, dtype)
        self.cpu = report["cpu"]
        if (self.cpu, dtype) in peaks:
            self.peaks.append(peaks[self.cpu, dtype])
        for run in report["runs"]:
            name = "tomerge r=" + label(run)
            self.ours.setdefault(name, []).append(run["images_per_second"])
            self.gflops.setdefault(name, []).append(run["gflops"])


def turns(args, dtype):
    pixels = np.random.default_rng(1).standard_normal(
        (args.batch, 3, *image_size(args.arch)), dtype=np.float32)
    found, results = peers(args, dtype, pixels), Results()
    for _ in range(args.turns):
        for name, peer in found.items():
            results.theirs.setdefault(name, []).extend(
                time_peer(peer, pixels, args.seconds))
        results.add_ours(args, dtype)
    return results


def table(results):
    medians = {name: statistics.median(rates)
               for name, rates in results.theirs.items()}
    over = "".join(f" over {name} |" for name in medians)
    share = " GFLOP/s | of the peak |" if results.peaks else ""
    print(f"| | images/s | best |{over}{share}")
    print("|---|---:|---:|" + "---:|" * (len(medians) + 2 * bool(share)))
    blank = " |" * (len(medians) + 2 * bool(share))
    for name, rates in results.theirs.items():
        print(f"| {name} | {medians[name]:.1f} | {max(rates):.1f} |{blank}")
    for name, rates in results.ours.items():
        median = statistics.median(x["median"] for x in rates)
        best = max(x["best"] for x in rates)
        cells = "".join(f" {median / m:.2f} |" for m in medians.values())
        if results.peaks:
            gflops = statistics.median(results.gflops[name])
            peak = statistics.median(results.peaks)
            cells += f" {gflops:.0f} | {100 * gflops / peak:.0f} % |"
        print(f"| {name} | {median:.1f} | {best:.1f} |{cells}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tomerge", default="build/src/tomerge")
    parser.add_argument("--peak", help="bench_peak, if not beside the command")
    parser.add_argument("--arch", default="deit_small_patch16_224",
                        choices=[*ARCHS, *TIMM])
    parser.add_argument("--dtype", default="f32",
                        help="f32, bf16, int8, or several with commas between")
    parser.add_argument("--peers", default=",".join(PEERS),
                        help="of " + ", ".join(PEERS) + " (default: all)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--r", default="0,8,13,16")
    parser.add_argument("--cpu", help="tier of ours")
    args = parser.parse_args()
    unknown = set(args.peers.split(",")) - set(PEERS) - {""}
    if unknown:
        parser.error("no such peer: " + ", ".join(sorted(unknown)))

    for dtype in args.dtype.split(","):
        results = turns(args, dtype)
        print(f"\n{args.arch}, {dtype}, batch {args.batch}, {args.threads} "
              f"threads, {args.turns} turns, tier {results.cpu}\n")
        table(results)


if __name__ == "__main__":
    main()

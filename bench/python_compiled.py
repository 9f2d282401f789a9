#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much torch.compile adds to a merging model, and to one that does not.

    bench/python_compiled.py [--model NAME] [--r N] [--batch N]

Four models with the same weights, eager and compiled, at r = 0 and merging,
run in turns; prints the median and the best of each in images a second, and
the best of each compiled one against its eager one. What is compiled is whole
(fullgraph). Logits are compared first.
"""

import argparse
import copy
import statistics
import time

import timm
import tomerge
import torch


def seconds(model, x):
    began = time.perf_counter()
    model(x)
    return time.perf_counter() - began


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="deit_small_patch16_224")
    parser.add_argument("--r", type=int, default=13)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    plain = timm.create_model(args.model).eval()
    x = torch.randn((args.batch,) + tuple(plain.default_cfg["input_size"]))
    merging = tomerge.patch(copy.deepcopy(plain))
    merging.r = args.r
    models = {}
    for name, model in ("r=0", plain), (f"r={args.r}", merging):
        models[name, "eager"] = model
        models[name, "compiled"] = torch.compile(copy.deepcopy(model),
                                                 fullgraph=True)
        one, other = (models[name, how](x) for how in ("eager", "compiled"))
        far = ((one - other).abs().max() / one.abs().max()).item()
        print(f"{name}: compiled logits differ by {far:.1e} of the largest")
        assert far < 1e-4
    times = {key: [] for key in models}
    for _ in range(args.turns):
        for key, model in models.items():
            times[key].append(seconds(model, x))
    print(f"{args.model}, batch {args.batch}, {args.threads} threads, torch "
          f"{torch.__version__}")
    for (name, how), each in times.items():
        best, eager = min(each), min(times[name, "eager"])
        print(f"{name:6} {how:9} {args.batch / statistics.median(each):7.1f} "
              f"images/s (best {args.batch / best:7.1f}), "
              f"{eager / best:.2f} of eager")


if __name__ == "__main__":
    main()

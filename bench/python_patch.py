#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python package beside merging written in PyTorch, in turns, in one run.

First matching and merging alone on one batch of tensors, then whole models of
timm's end to end: unpatched, with merging in PyTorch, with tomerge.

The paper's own implementation may not be copied, so something stands in for
it: below, the paper's mathematics [ToMe, 3.2, equation 1, appendix D] in
batched PyTorch operations - normalise, one matrix product, maximum, sort,
gather, scatter - in the place the paper has it. --golden FOLDER, with the
reference's own results, checks first that both give its maps and logits.

Needs torch and timm, and safetensors for --golden. The best of each is
reported: everything else on the machine only ever adds time.

    PYTHONPATH=tomerge/python/src TOMERGE_LIBRARY=build/.libs/libtomerge.so \\
        bench/python_patch.py [--golden tests/golden] [--model NAME]...
"""

import argparse
import json
import os
import platform
import time

import timm
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer

import tomerge


# ---- the stand-in: the paper's mathematics in PyTorch -------------------------


def torch_match(metric, r, protect):
    """Alternating bipartite matching of [batch, tokens, channels]: a function
    that sums the rows of each group."""
    r = min(r, (metric.shape[1] - protect) // 2)
    metric = metric / metric.norm(dim=-1, keepdim=True)
    scores = metric[:, ::2] @ metric[:, 1::2].transpose(1, 2)
    if protect:  # the class token is source 0, the distillation token's
        scores[:, 0] = -torch.inf                            # destination 0
    if protect > 1:
        scores[:, :, 0] = -torch.inf
    best, target = scores.max(dim=-1)
    order = best.argsort(dim=-1, descending=True)
    kept = order[:, r:].sort(dim=-1).values[:, :, None]
    moved = order[:, :r]
    target = target.gather(1, moved)[:, :, None]
    moved = moved[:, :, None]

    def total(x):
        channels = x.shape[-1]
        source, destination = x[:, ::2], x[:, 1::2]
        stay = source.gather(1, kept.expand(-1, -1, channels))
        go = source.gather(1, moved.expand(-1, -1, channels))
        destination = destination.scatter_reduce(
            1, target.expand(-1, -1, channels), go, "sum")
        if protect > 1:  # the distillation token stays the second row
            return torch.cat((stay[:, :1], destination[:, :1], stay[:, 1:],
                              destination[:, 1:]), dim=1)
        return torch.cat((stay, destination), dim=1)

    return total


def torch_merge(metric, x, size, r, protect):
    """The size-weighted mean of every group, and its size."""
    total = torch_match(metric, r, protect)
    if size is None:
        size = torch.ones_like(x[..., :1])
    size, weighted = total(size), total(x * size)
    return weighted / size, size


class TorchMerging:
    """The stand-in as a patch: a model's blocks run by this instead."""

    def __init__(self, model, r):
        self.model = model
        self.schedule = tomerge.schedule(len(model.blocks), r)

    def attention(self, attn, x, size):
        batch, tokens, _ = x.shape
        qkv = attn.qkv(x).reshape(batch, tokens, 3, attn.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        bias = None if size is None else size.log()[:, None, None, :, 0]
        if attn.fused_attn:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        else:
            logits = q * attn.scale @ k.transpose(-2, -1)
            y = (logits if bias is None else logits + bias).softmax(-1) @ v
        return attn.proj(y.transpose(1, 2).reshape(x.shape)), k.mean(1)

    def __call__(self, images):
        model, size = self.model, None
        x = model.norm_pre(model._pos_embed(model.patch_embed(images)))
        for block, r in zip(model.blocks, self.schedule):
            y, metric = self.attention(block.attn, block.norm1(x), size)
            x = x + y
            if r > 0:
                x, size = torch_merge(metric, x, size, r,
                                      model.num_prefix_tokens)
            x = x + block.mlp(block.norm2(x))
        return model.forward_head(model.norm(x))


# ---- both give the reference's results ------------------------------------------


def check_merges(folder, index):
    from safetensors.torch import load_file

    count = 0
    for case in index["merge"]:
        if not case["class_token"]:
            continue  # the reference leaves their order open
        data = load_file(os.path.join(folder, case["file"]))
        protect = case["class_token"] + case["distill_token"]
        size = data["size"].reshape(data["x"].shape[:2])
        plan = tomerge.plan(data["metric"], case["r"], protect=protect)
        ours = plan.merge(data["x"], size)
        theirs = torch_merge(data["metric"], data["x"], size[..., None],
                             case["r"], protect)
        for y, sizes in (ours, theirs):
            torch.testing.assert_close(y, data["merged"])
            torch.testing.assert_close(
                sizes.reshape(-1), data["merged_size"].reshape(-1))
        count += 1
    return count


def check_models(folder, index):
    from safetensors.torch import load_file
    from timm.models.deit import VisionTransformerDistilled

    count, worst = 0, {"ours": 0.0, "theirs": 0.0}
    for case in index["model"]:
        config = dict(case["config"])
        distilled = config.pop("distilled", False)
        kind = VisionTransformerDistilled if distilled else VisionTransformer
        model = kind(**config).eval()
        model.load_state_dict(load_file(os.path.join(folder, case["weights"])))
        data = load_file(os.path.join(folder, case["io"]))
        for j, run in enumerate(case["runs"]):
            r = run["r"]
            r = tuple(r) if isinstance(r, list) and len(r) == 2 else r
            tomerge.patch(model, prop_attn=run["prop_attn"])
            model.r = r
            results = {"ours": model(data["x"])}
            tomerge.unpatch(model)
            if run["prop_attn"]:
                results["theirs"] = TorchMerging(model, r)(data["x"])
            for name, logits in results.items():
                error = (logits - data[f"logits_{j}"]).abs().max().item()
                worst[name] = max(worst[name], error)
                assert error < 1e-5, (case["weights"], run, name, error)
            count += 1
    return count, worst


# ---- time -------------------------------------------------------------------------


def best_of(jobs, seconds, row=1):
    """The best time of each, run in turns of `row` for some seconds."""
    best = dict.fromkeys(jobs, float("inf"))
    for job in jobs.values():
        job()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, job in jobs.items():
            for _ in range(row):
                start = time.perf_counter()
                job()
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def bench_merging(seconds, batch=32, tokens=197, channels=384, head=64, r=13):
    torch.manual_seed(1)
    metric = torch.randn(batch, tokens, head)
    x = torch.randn(batch, tokens, channels)
    size = torch.randint(1, 4, (batch, tokens)).float()
    out = torch.empty(batch, tokens - r, channels)
    jobs = {
        "PyTorch": lambda: torch_merge(metric, x, size[..., None], r, 1),
        "tomerge": lambda: tomerge.plan(metric, r, protect=1).merge(x, size),
        "tomerge, out=": lambda: tomerge.plan(metric, r, protect=1).merge(
            x, size, out=out),
        "copying alone": lambda: out.copy_(x[:, r:]),
    }
    best = best_of(jobs, seconds, row=5)
    print(f"\nmatching and merging alone, batch {batch}, {tokens} tokens, "
          f"{channels} channels, metric of {head}, r={r}:")
    for name, took in best.items():
        print(f"  {name:14} {1e3 * took:8.2f} ms  "
              f"{best['PyTorch'] / took:6.1f} x")


def bench_model(name, batch, r, seconds):
    torch.manual_seed(1)
    plain = timm.create_model(name, pretrained=False).eval()
    patched = timm.create_model(name, pretrained=False).eval()
    patched.load_state_dict(plain.state_dict())
    tomerge.patch(patched)
    patched.r = r
    images = torch.randn(batch, *plain.default_cfg["input_size"])
    theirs = TorchMerging(plain, r)
    difference = (patched(images) - theirs(images)).abs().max().item()
    assert difference < 1e-3, difference
    best = best_of({"r=0, unpatched": lambda: plain(images),
                    f"r={r}, PyTorch": lambda: theirs(images),
                    f"r={r}, tomerge": lambda: patched(images)}, seconds)
    times = list(best.values())
    print(f"\n{name}, batch {batch}, end to end "
          f"(logits differ by at most {difference:.1e}):")
    for job, took in best.items():
        print(f"  {job:16} {batch / took:8.2f} images/s "
              f"{times[0] / took:6.2f} x")
    print(f"  tomerge over PyTorch: {times[1] / times[2]:.3f} x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--golden", metavar="FOLDER")
    parser.add_argument("--model", action="append")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--r", type=int, default=13)
    parser.add_argument("--threads", type=int,
                        default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=10)
    choices = parser.parse_args()
    torch.set_num_threads(choices.threads)
    print(f"torch {torch.__version__}, timm {timm.__version__}, tomerge "
          f"{tomerge.__version__}; {platform.machine()}, "
          f"{choices.threads} threads.\n"
          f"PyTorch: the paper's mathematics written in PyTorch here, which "
          f"stands in for the\npaper's own implementation.")
    with torch.no_grad():
        if choices.golden:
            with open(os.path.join(choices.golden, "index.json")) as file:
                index = json.load(file)
            print(f"{check_merges(choices.golden, index)} merges as the "
                  f"reference has them, by both")
            count, worst = check_models(choices.golden, index)
            print(f"{count} runs of models: logits off the reference's by at "
                  f"most {worst['ours']:.1e} (tomerge), "
                  f"{worst['theirs']:.1e} (PyTorch)")
        bench_merging(choices.seconds / 2, r=choices.r)
        for name in choices.model or ["deit_small_patch16_224"]:
            bench_model(name, choices.batch, choices.r, choices.seconds)


if __name__ == "__main__":
    main()

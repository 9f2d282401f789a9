#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times `tomerge bench` beside ONNX Runtime and OpenVINO, in turns, in one run.

The same shapes (random weights), threads and batch; the forward alone; f32.
Needs numpy and onnx, and times whichever of onnxruntime and openvino are
installed. Prints images/s (median and best of the turns) and our median over
each peer's.

    bench/peers.py --tomerge build/src/tomerge --arch deit_small_patch16_224
"""
import argparse
import json
import statistics
import subprocess
import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ARCHS = {  # dim, depth, heads, patch, image size
    "deit_tiny_patch16_224": (192, 12, 3, 16, 224),
    "deit_small_patch16_224": (384, 12, 6, 16, 224),
    "deit_base_patch16_224": (768, 12, 12, 16, 224),
    "vit_large_patch16_224": (1024, 24, 16, 16, 224),
    "vit_large_patch16_384": (1024, 24, 16, 16, 384),
}


class Graph:
    """Collects nodes and weights under generated names."""

    def __init__(self):
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(0)

    def weight(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def normal(self, *shape):
        value = self.random.standard_normal(shape, dtype=np.float32)
        return self.weight(value * np.float32(0.02))

    def ints(self, *values):
        return self.weight(np.array(values, np.int64))

    def op(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name],
                                           **attributes))
        return name

    def norm(self, x, dim):
        ones = self.weight(np.ones(dim, np.float32))
        zeros = self.weight(np.zeros(dim, np.float32))
        return self.op("LayerNormalization", x, ones, zeros, axis=-1,
                       epsilon=1e-6)

    def linear(self, x, inner, outer):
        product = self.op("MatMul", x, self.normal(inner, outer))
        return self.op("Add", product, self.normal(outer))


def attention(g, x, batch, tokens, dim, heads):
    split = g.ints(batch, tokens, 3, heads, dim // heads)
    qkv = g.op("Reshape", g.linear(x, dim, 3 * dim), split)
    qkv = g.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (g.op("Gather", qkv, g.weight(np.array(i, np.int64)), axis=0)
               for i in range(3))
    scale = g.weight(np.array((dim // heads) ** -0.5, np.float32))
    scores = g.op("MatMul", g.op("Mul", q, scale),
                  g.op("Transpose", k, perm=[0, 1, 3, 2]))
    out = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    out = g.op("Reshape", g.op("Transpose", out, perm=[0, 2, 1, 3]),
               g.ints(batch, tokens, dim))
    return g.linear(out, dim, dim)


def gelu(g, x):
    """The erf form as exporters write it: the runtime fuses it."""
    half = g.weight(np.array(0.5, np.float32))
    one = g.weight(np.array(1.0, np.float32))
    root = g.weight(np.array(2.0 ** 0.5, np.float32))
    inner = g.op("Add", g.op("Erf", g.op("Div", x, root)), one)
    return g.op("Mul", g.op("Mul", x, inner), half)


def build(arch, batch):
    dim, depth, heads, patch, size = ARCHS[arch]
    side = size // patch
    tokens = side * side + 1
    g = Graph()
    x = g.op("Conv", "pixels", g.normal(dim, 3, patch, patch), g.normal(dim),
             strides=[patch, patch])
    x = g.op("Reshape", x, g.ints(batch, dim, side * side))
    x = g.op("Transpose", x, perm=[0, 2, 1])
    x = g.op("Concat", g.normal(batch, 1, dim), x, axis=1)
    x = g.op("Add", x, g.normal(1, tokens, dim))
    for _ in range(depth):
        x = g.op("Add", x, attention(g, g.norm(x, dim), batch, tokens, dim,
                                     heads))
        h = gelu(g, g.linear(g.norm(x, dim), dim, 4 * dim))
        x = g.op("Add", x, g.linear(h, 4 * dim, dim))
    x = g.op("Gather", g.norm(x, dim), g.weight(np.array(0, np.int64)), axis=1)
    logits = g.linear(x, dim, 1000)
    graph = helper.make_graph(
        g.nodes, arch,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT,
                                       [batch, 3, size, size])],
        [helper.make_tensor_value_info(logits, TensorProto.FLOAT,
                                       [batch, 1000])], g.weights)
    return helper.make_model(graph, ir_version=9, opset_imports=[
        helper.make_opsetid("", 17)])


class OnnxRuntime:
    def __init__(self, model, threads):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = \
            ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(model, options,
                                            ["CPUExecutionProvider"])
        self.name = f"ONNX Runtime {ort.__version__}"

    def run(self, pixels):
        self.session.run(None, {"pixels": pixels})


class OpenVino:
    def __init__(self, model, threads):
        import openvino as ov
        core = ov.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()
        self.name = f"OpenVINO {ov.__version__.split('-')[0]}"

    def run(self, pixels):
        self.request.infer({"pixels": pixels}, share_inputs=True)


def peers(model, threads):
    found = []
    for peer in (OnnxRuntime, OpenVino):
        try:
            found.append(peer(model, threads))
        except ImportError as missing:
            print(f"{peer.__name__}: not installed ({missing.name})")
    return found


def time_peer(peer, pixels, seconds):
    """Images/s of each run within the time (at least two)."""
    rates, end = [], time.perf_counter() + seconds
    while len(rates) < 2 or time.perf_counter() < end:
        start = time.perf_counter()
        peer.run(pixels)
        rates.append(len(pixels) / (time.perf_counter() - start))
    return rates


def time_tomerge(args):
    command = [args.tomerge, "bench", "--arch", args.arch, "--batch",
               str(args.batch), "--threads", str(args.threads), "--seconds",
               str(args.seconds), "--r", args.r, "--json", "-", "--quiet"]
    result = subprocess.run(command, capture_output=True, check=True)
    return json.loads(result.stdout)["runs"]


def label(run):
    """A constant schedule by its r, any other as a list."""
    r = run["r"]
    return str(r[0]) if len(set(r)) == 1 else ",".join(map(str, r))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tomerge", default="build/src/tomerge")
    parser.add_argument("--arch", default="deit_small_patch16_224",
                        choices=ARCHS)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--r", default="0,8,13,16")
    args = parser.parse_args()

    size = ARCHS[args.arch][4]
    found = peers(build(args.arch, args.batch).SerializeToString(),
                  args.threads)
    pixels = np.random.default_rng(1).standard_normal(
        (args.batch, 3, size, size), dtype=np.float32)
    theirs, ours = {peer.name: [] for peer in found}, {}
    for peer in found:
        time_peer(peer, pixels, 0)
    for _ in range(args.turns):
        for peer in found:
            theirs[peer.name] += time_peer(peer, pixels, args.seconds)
        for run in time_tomerge(args):
            ours.setdefault("tomerge r=" + label(run), []).append(
                run["images_per_second"])
    print(f"{args.arch}, batch {args.batch}, {args.threads} threads, f32, "
          f"{args.turns} turns")
    table(theirs, ours)


def table(theirs, ours):
    medians = {name: statistics.median(rates)
               for name, rates in theirs.items()}
    over = "".join(f"{'over ' + name.split()[0]:>15}" for name in medians)
    print(f"{'':26}{'median':>9}{'best':>9}{over}")
    for name, rates in theirs.items():
        print(f"{name:26}{medians[name]:9.1f}{max(rates):9.1f}")
    for name, rates in ours.items():
        median = statistics.median(x["median"] for x in rates)
        best = max(x["best"] for x in rates)
        ratios = "".join(f"{median / m:15.2f}" for m in medians.values())
        print(f"{name:26}{median:9.1f}{best:9.1f}{ratios}")


if __name__ == "__main__":
    main()

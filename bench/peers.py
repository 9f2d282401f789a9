#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times `tomerge bench` beside other runtimes, in turns, in one run.

The same shapes (random weights), threads, batch and number type; the forward
alone. Peers are those of onnxruntime, openvino and torch (eager and compiled)
that are installed and have the type; needs numpy, and onnx for the first two.
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
import tempfile
import time

import numpy as np

ARCHS = {  # dim, depth, heads, patch, image size
    "deit_tiny_patch16_224": (192, 12, 3, 16, 224),
    "deit_small_patch16_224": (384, 12, 6, 16, 224),
    "deit_base_patch16_224": (768, 12, 12, 16, 224),
    "vit_large_patch16_224": (1024, 24, 16, 16, 224),
    "vit_large_patch16_384": (1024, 24, 16, 16, 384),
}
CLASSES = 1000


# ---- the model as an ONNX graph ---------------------------------------------

class Graph:
    """Collects nodes and weights under generated names."""

    def __init__(self):
        from onnx import helper, numpy_helper
        self.make_node, self.tensor = helper.make_node, numpy_helper.from_array
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(0)

    def weight(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(self.tensor(value, name))
        return name

    def normal(self, *shape):
        value = self.random.standard_normal(shape, dtype=np.float32)
        return self.weight(value * np.float32(0.02))

    def ints(self, *values):
        return self.weight(np.array(values, np.int64))

    def op(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(self.make_node(kind, list(inputs), [name], name=name,
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


def onnx_model(arch, batch):
    from onnx import TensorProto, helper
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
    logits = g.linear(x, dim, CLASSES)
    graph = helper.make_graph(
        g.nodes, arch,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT,
                                       [batch, 3, size, size])],
        [helper.make_tensor_value_info(logits, TensorProto.FLOAT,
                                       [batch, CLASSES])], g.weights)
    return helper.make_model(graph, ir_version=9, opset_imports=[
        helper.make_opsetid("", 17)])


class OneBatch:
    """Calibrates on noise: what is timed does not depend on the values."""

    def __init__(self, arch, batch):
        size = ARCHS[arch][4]
        self.batches = [{"pixels": np.random.default_rng(2).standard_normal(
            (batch, 3, size, size), dtype=np.float32)}]

    def get_next(self):
        return self.batches.pop() if self.batches else None


def int8_model(arch, batch, folder, static):
    """Weights and activations in 8 bits: activations by the range of each
    tensor when it is met, or in ranges fixed beforehand."""
    import onnx
    from onnxruntime import quantization as q
    plain = os.path.join(folder, "plain.onnx")
    narrow = os.path.join(folder, "static.onnx" if static else "dynamic.onnx")
    onnx.save(onnx_model(arch, batch), plain)
    if static:
        q.quantize_static(plain, narrow, OneBatch(arch, batch),
                          quant_format=q.QuantFormat.QDQ, per_channel=True,
                          op_types_to_quantize=["MatMul"],
                          activation_type=q.QuantType.QUInt8,
                          weight_type=q.QuantType.QInt8)
    else:
        q.quantize_dynamic(plain, narrow, per_channel=True,
                           op_types_to_quantize=["MatMul"])
    with open(narrow, "rb") as file:
        return file.read()


# ---- peers: a name, the types they have, and run(pixels) ---------------------

class OnnxRuntime:
    title, dtypes = "ONNX Runtime", ("f32", "int8")

    def __init__(self, arch, batch, threads, dtype):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = \
            ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if dtype == "int8":
            with tempfile.TemporaryDirectory() as folder:
                model = int8_model(arch, batch, folder, static=False)
        else:
            model = onnx_model(arch, batch).SerializeToString()
        self.session = ort.InferenceSession(model, options,
                                            ["CPUExecutionProvider"])
        self.version = ort.__version__

    def run(self, pixels):
        self.session.run(None, {"pixels": pixels})


class OpenVino:
    """With one stream, or a batch in halves at the same time, which may be
    faster."""
    title, dtypes = "OpenVINO", ("f32", "bf16", "int8")
    streams = 1

    def __init__(self, arch, batch, threads, dtype):
        import openvino as ov
        core = ov.Core()
        if batch % self.streams:
            raise ImportError(f"{batch} images are not for two streams")
        batch //= self.streams
        if dtype == "bf16" and "BF16" not in core.get_property(
                "CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ImportError("this CPU has no bf16 it would use")
        if dtype == "int8":
            with tempfile.TemporaryDirectory() as folder:
                model = int8_model(arch, batch, folder, static=True)
        else:
            model = onnx_model(arch, batch).SerializeToString()
        compiled = core.compile_model(core.read_model(model), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32"})
        self.requests = [compiled.create_infer_request()
                         for _ in range(self.streams)]
        self.version = ov.__version__.split("-")[0]

    def run(self, pixels):
        parts = np.split(pixels, self.streams)
        for request, part in zip(self.requests, parts):
            request.start_async({"pixels": part}, share_inputs=True)
        for request in self.requests:
            request.wait()


class OpenVinoStreams(OpenVino):
    title, streams = "OpenVINO (2 streams)", 2


def torch_model(arch):
    import torch
    from torch import nn
    dim, depth, heads, patch, size = ARCHS[arch]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = nn.LayerNorm(dim, eps=1e-6)
            self.norm2 = nn.LayerNorm(dim, eps=1e-6)
            self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.fc1 = nn.Linear(dim, 4 * dim)
            self.fc2 = nn.Linear(4 * dim, dim)

        def forward(self, x):
            b, t, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(b, t, 3, heads, dim // heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            x = x + self.proj(y.transpose(1, 2).reshape(b, t, dim))
            h = nn.functional.gelu(self.fc1(self.norm2(x)))
            return x + self.fc2(h)

    class Vit(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, dim, patch, patch)
            self.cls = nn.Parameter(torch.zeros(1, 1, dim))
            self.pos = nn.Parameter(
                torch.zeros(1, (size // patch) ** 2 + 1, dim))
            self.blocks = nn.ModuleList(Block() for _ in range(depth))
            self.norm = nn.LayerNorm(dim, eps=1e-6)
            self.head = nn.Linear(dim, CLASSES)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x[:, 0]))

    return Vit().eval()


class Torch:
    title, dtypes = "PyTorch eager", ("f32", "bf16", "int8")
    mode = None            # of torch.compile

    def __init__(self, arch, batch, threads, dtype):
        import torch
        torch.set_num_threads(threads)
        self.torch, self.dtype = torch, torch.float32
        model = torch_model(arch)
        if dtype == "bf16":
            self.dtype = torch.bfloat16
            model = model.to(torch.bfloat16)
        elif dtype == "int8":
            model = torch.ao.quantization.quantize_dynamic(
                model, {torch.nn.Linear}, dtype=torch.qint8)
        if self.mode:
            from torch._inductor import config
            config.freezing = True      # weights are packed beforehand
            model = torch.compile(model, mode=self.mode)
        self.model = model
        self.version = torch.__version__.split("+")[0]

    def run(self, pixels):
        with self.torch.inference_mode():
            self.model(self.torch.from_numpy(pixels).to(self.dtype))


class TorchCompiled(Torch):
    title, dtypes, mode = "PyTorch compiled", ("f32", "bf16"), "default"


class TorchAutotuned(TorchCompiled):
    """Tries several kernels for each product, which takes minutes."""
    title, mode = "PyTorch max-autotune", "max-autotune"


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino,
         "openvino-streams": OpenVinoStreams, "torch": Torch,
         "torch-compiled": TorchCompiled, "torch-autotune": TorchAutotuned}


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


# ---- timing -------------------------------------------------------------------

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
    size = ARCHS[args.arch][4]
    pixels = np.random.default_rng(1).standard_normal(
        (args.batch, 3, size, size), dtype=np.float32)
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
                        choices=ARCHS)
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

# SPDX-License-Identifier: MIT
"""The same Vision Transformer, random weights, as an ONNX graph and as a module
of PyTorch, for other runtimes to run: plain ones written here, others as timm
makes and PyTorch exports them."""
import io
import os

import numpy as np

ARCHS = {  # dim, depth, heads, patch, image size
    "deit_tiny_patch16_224": (192, 12, 3, 16, 224),
    "deit_small_patch16_224": (384, 12, 6, 16, 224),
    "deit_base_patch16_224": (768, 12, 12, 16, 224),
    "vit_large_patch16_224": (1024, 24, 16, 16, 224),
    "vit_large_patch16_384": (1024, 24, 16, 16, 384),
}
TIMM = {name: size for size, names in {
    256: ["vit_small_patch16_dinov3", "vit_base_patch16_dinov3",
          "vit_large_patch16_dinov3"],
    224: ["vit_small_patch16_rope_224", "vit_base_patch16_rope_224",
          "beit_base_patch16_224"],
}.items() for name in names}
CLASSES = 1000


def image_size(arch):
    size = TIMM[arch] if arch in TIMM else ARCHS[arch][4]
    return size, size


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
    return (exported if arch in TIMM else built)(arch, batch)


def exported(arch, batch):
    """timm's model, with attention as the products and softmax that runtimes
    look for."""
    import onnx
    import torch
    from timm.layers import set_fused_attn
    set_fused_attn(False)
    try:
        file = io.BytesIO()
        torch.onnx.export(torch_model(arch),
                          torch.zeros(batch, 3, *image_size(arch)), file,
                          opset_version=17, dynamo=False,
                          input_names=["pixels"], output_names=["features"])
    finally:
        set_fused_attn(True)
    return onnx.load_from_string(file.getvalue())


def built(arch, batch):
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
        self.batches = [{"pixels": np.random.default_rng(2).standard_normal(
            (batch, 3, *image_size(arch)), dtype=np.float32)}]

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


# ---- the model in PyTorch ----------------------------------------------------

def torch_model(arch):
    if arch in TIMM:
        import timm
        return timm.create_model(arch, pretrained=False).eval()
    return written(arch)


def written(arch):
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
            q, k, v = (y.reshape(b, t, heads, dim // heads).transpose(1, 2)
                       for y in self.qkv(self.norm1(x)).chunk(3, -1))
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
            x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x[:, 0]))

    return Vit().eval()

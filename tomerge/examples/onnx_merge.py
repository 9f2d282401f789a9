#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a Vision Transformer in an ONNX file merge tokens.

    onnx_merge.py vit.onnx merging.onnx --r 13

The model is one that attends with MatMul, Softmax, MatMul over tokens of one
class token and patches, as torch.onnx.export writes timm's. Between attention
and MLP of each block goes the operator tomerge.MergeTokens (onnxruntime.c),
measuring similarity on the mean of the keys over heads, and into each
attention the logarithm of the sizes. Running it:

    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library("libtomerge_onnxruntime.so")
    session = onnxruntime.InferenceSession("merging.onnx", options)

Needs the Python packages onnx and tomerge.
"""

import argparse
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

import tomerge


class Refused(Exception):
    """The graph is not what can be rewritten."""


class Graph:
    """A graph with its ways forwards and backwards."""

    def __init__(self, model):
        self.graph = model.graph
        self.opset = max(entry.version for entry in model.opset_import
                         if entry.domain in ("", "ai.onnx"))
        if self.opset < 13:
            raise Refused(f"opset {self.opset}: 13 or newer is needed")
        self.constants = {entry.name: entry for entry in self.graph.initializer}
        self.producer, self.consumers = {}, {}
        for node in self.graph.node:
            self.learn(node)
        self.before, self.after = {}, {}

    def learn(self, node):
        for name in node.output:
            self.producer[name] = node
        for name in node.input:
            self.consumers.setdefault(name, []).append(node)
        if node.op_type == "Constant":
            self.constants[node.output[0]] = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants[node.output[0]] = self.constants[node.input[0]]

    def moving(self, node):
        """The inputs that depend on the image."""
        return [name for name in node.input
                if name and name not in self.constants]

    def constant(self, name, values):
        self.graph.initializer.append(
            numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def put(self, where, anchor, op, inputs, outputs, **attributes):
        """A new node, to stand before or after another."""
        node = helper.make_node(op, inputs, outputs, name=outputs[0],
                                **attributes)
        where.setdefault(id(anchor), []).append(node)
        return node

    def finish(self):
        nodes = []
        for node in self.graph.node:
            nodes += self.before.get(id(node), [])
            nodes.append(node)
            nodes += self.after.get(id(node), [])
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        del self.graph.value_info[:]  # shapes before merging


def logits_of(graph, softmax):
    """The product of queries and keys behind a softmax."""
    node = graph.producer.get(softmax.input[0])
    while node is not None and node.op_type in ("Add", "Mul", "Div"):
        moving = graph.moving(node)
        if len(moving) != 1:
            raise Refused(f"{node.name}: attention with a mask")
        node = graph.producer.get(moving[0])
    if node is None or node.op_type != "MatMul":
        raise Refused(f"{softmax.name}: no MatMul of queries and keys before "
                      f"this softmax")
    return node


def residual_of(graph, softmax):
    """The sum of a block's input and its attention."""
    name = softmax.output[0]
    for _ in range(16):
        onward = [node for node in graph.consumers.get(name, [])
                  if node.op_type not in ("Shape", "IsNaN")]
        if len(onward) != 1:
            break
        node = onward[0]
        if node.op_type == "Add" and len(graph.moving(node)) == 2:
            return node
        name = node.output[0]
    raise Refused(f"{softmax.name}: no residual sum after this softmax")


def add_size_bias(graph, softmax, size, layer):
    """Proportional attention: a row of n tokens counts n times."""
    log, bias = f"tomerge_log_{layer}", f"tomerge_bias_{layer}"
    logits = f"tomerge_logits_{layer}"
    axes = graph.constant(f"tomerge_axes_{layer}", [1, 2])
    graph.put(graph.before, softmax, "Log", [size], [log])
    graph.put(graph.before, softmax, "Unsqueeze", [log, axes], [bias])
    graph.put(graph.before, softmax, "Add", [softmax.input[0], bias], [logits])
    softmax.input[0] = logits


def add_metric(graph, keys, anchor, layer):
    """The mean over heads of keys [batch, heads, channels, tokens]."""
    mean, metric = f"tomerge_mean_{layer}", f"tomerge_metric_{layer}"
    if graph.opset < 18:
        graph.put(graph.after, anchor, "ReduceMean", [keys], [mean], axes=[1],
                  keepdims=0)
    else:
        axis = graph.constant(f"tomerge_heads_{layer}", [1])
        graph.put(graph.after, anchor, "ReduceMean", [keys, axis], [mean],
                  keepdims=0)
    graph.put(graph.after, anchor, "Transpose", [mean], [metric],
              perm=[0, 2, 1])
    return metric


def add_merge(graph, softmax, size, layer, attributes):
    """Merges the rows of one block; returns the name of their sizes."""
    keys = logits_of(graph, softmax).input[1]
    residual = residual_of(graph, softmax)
    rows = residual.output[0]
    if any(entry.name == rows for entry in graph.graph.output):
        raise Refused(f"{rows}: merged rows cannot be an output")
    merged, sizes = f"tomerge_rows_{layer}", f"tomerge_size_{layer}"
    metric = add_metric(graph, keys, residual, layer)
    for node in graph.consumers[rows]:
        for i, name in enumerate(node.input):
            if name == rows:
                node.input[i] = merged
    graph.put(graph.after, residual, "MergeTokens",
              [rows, metric] + ([size] if size else []), [merged, sizes],
              domain="tomerge", **attributes)
    return sizes


def free_shapes(graph, tokens):
    """Reshapes to a fixed number of tokens take it from their input."""
    for node in graph.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in graph.constants:
            continue
        shape = numpy_helper.to_array(graph.constants[node.input[1]]).copy()
        if len(shape) > 2 and shape[1] == tokens:
            shape[:2] = 0
            node.input[1] = graph.constant(node.output[0] + "_shape", shape)


def tokens_of(model):
    """How many tokens the first softmax is over, if the file says."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {entry.name: entry.type.tensor_type.shape.dim
              for entry in inferred.value_info}
    for node in inferred.node:
        if node.op_type == "Softmax" and node.output[0] in shapes:
            return shapes[node.output[0]][-1].dim_value
    return 0


def refuse_pooling(graph, softmaxes):
    """Sizes would have to weigh a mean over tokens."""
    nodes = list(graph.graph.node)
    for node in nodes[nodes.index(softmaxes[-1]):]:
        if node.op_type != "ReduceMean":
            continue
        axes = [list(a.ints) for a in node.attribute if a.name == "axes"]
        if len(node.input) > 1 and node.input[1] in graph.constants:
            axes.append(numpy_helper.to_array(
                graph.constants[node.input[1]]).tolist())
        if [1] in axes:
            raise Refused(f"{node.name}: mean pooling over tokens; only models "
                          f"that read their class token can be rewritten")


def rewrite(model, r, protect=1, threads=1):
    """Rewrites a model in place; r as for tomerge.schedule."""
    graph = Graph(model)
    softmaxes = [node for node in graph.graph.node
                 if node.op_type == "Softmax"]
    if not softmaxes:
        raise Refused("no Softmax, so no attention that could be rewritten")
    refuse_pooling(graph, softmaxes)
    schedule = tomerge.schedule(len(softmaxes), r)
    tokens, size = tokens_of(model), None
    if tokens:
        free_shapes(graph, tokens)
    for layer, softmax in enumerate(softmaxes):
        following = size
        if schedule[layer]:
            following = add_merge(graph, softmax, size, layer,
                                  {"r": schedule[layer], "protect": protect,
                                   "threads": threads})
        if size:
            add_size_bias(graph, softmax, size, layer)
        size = following
    graph.finish()
    if not any(entry.domain == "tomerge" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("tomerge", 1))
    return schedule


def parse_r(text):
    """13, 13:-1 or 20,20,10."""
    if "," in text:
        return [int(part) for part in text.split(",")]
    if ":" in text:
        r, inflection = text.split(":")
        return int(r), float(inflection)
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("output")
    parser.add_argument("--r", required=True, type=parse_r,
                        metavar="N|N:INFLECTION|N,N,...")
    parser.add_argument("--protect", type=int, default=1,
                        help="leading tokens that never merge (1)")
    parser.add_argument("--threads", type=int, default=1,
                        help="that share a batch (1)")
    choices = parser.parse_args()
    try:
        model = onnx.load(choices.model)
        schedule = rewrite(model, choices.r, choices.protect, choices.threads)
    except (Refused, ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {choices.model}: {error}")
    onnx.save(model, choices.output)
    print("tokens merged in each block:", *schedule)


if __name__ == "__main__":
    main()

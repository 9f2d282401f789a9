#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a Vision Transformer in an ONNX file merge tokens.

    onnx_merge.py vit.onnx merging.onnx --r 13

Between attention and MLP of each block goes MergeTokens, which measures
similarity on the mean of the keys over heads, and into each attention the
logarithm of the sizes. After the last block every token gets its row again,
so that whatever the model does with its rows goes on as before.

MergeTokens is a function of ONNX's own operators that the file carries
(onnx_function.py): it runs wherever the model did. With --operator it is the
operator of libtomerge instead (onnxruntime.c), for models that read nothing
but their class token:

    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library("libtomerge_onnxruntime.so")
    session = onnxruntime.InferenceSession("merging.onnx", options)

The model is one as torch.onnx.export writes it, by either exporter: attention
of MatMul, Softmax, MatMul or of ONNX's operator Attention, no positions inside
the blocks. Whatever else there is, is refused. Where onnxruntime is installed
the new model is run before it is written.

Needs the Python packages onnx and tomerge.
"""

import argparse
import sys

import onnx

from onnx_graph import (Graph, Layer, Refused, Shapes, attentions, check,
                        free_shapes)
from onnx_operators import add_bias, add_merge, add_restore, refuse_pooling

import tomerge


def rewrite(model, r, protect=1, threads=1, operator=False):
    """Rewrites a model in place; r as for tomerge.schedule."""
    graph = Graph(model, 13 if operator else 16)
    found = attentions(graph)
    schedule = tomerge.schedule(len(found), r)
    if not any(schedule):
        return schedule
    shapes = Shapes(model)
    layers = [Layer(graph, node) for node in found]
    if operator:
        refuse_pooling(graph, layers[-1])
    free_shapes(graph, layers, schedule, shapes, protect)
    size = trace = None
    for number, layer in enumerate(layers):
        if size is not None:
            add_bias(graph, layer, size, number)
        if schedule[number]:
            size, trace = add_merge(graph, layer, size, trace, number,
                                    schedule[number], protect, threads,
                                    operator)
    if not operator:
        add_restore(graph, layers[-1], trace)
    graph.finish()
    if not any(entry.domain == "tomerge" for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("tomerge", 1))
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
    parser.add_argument("--operator", action="store_true",
                        help="merge by libtomerge's operator")
    parser.add_argument("--threads", type=int, default=1,
                        help="that share a batch, of that operator (1)")
    choices = parser.parse_args()
    try:
        model = onnx.load(choices.model)
        schedule = rewrite(model, choices.r, choices.protect, choices.threads,
                           choices.operator)
        if not choices.operator:
            print(check(model))
    except (Refused, ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {choices.model}: {error}")
    onnx.save(model, choices.output)
    print("tokens merged in each block:", *schedule)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""What goes into a layer of an ONNX graph: merging, sizes in its attention,
and in the end a row for every token."""

import numpy as np

from onnx_function import function, name_of
from onnx_graph import Refused


def add_bias(graph, layer, size, number):
    """Proportional attention: a row of n tokens counts n times."""
    attention = layer.attention
    log, bias = f"tomerge_log_{number}", f"tomerge_bias_{number}"
    axes = graph.constant(f"tomerge_axes_{number}", np.int64([1, 2]))
    logits = attention.input[0]  # of a softmax, or queries: of their type
    graph.put(graph.before, attention, "Log", [size], [log])
    graph.put(graph.before, attention, "Unsqueeze", [log, axes], [bias])
    if graph.opset >= 15:
        graph.put(graph.before, attention, "CastLike", [bias, logits],
                  [bias + "_cast"])
        bias += "_cast"
    if attention.op_type == "Attention":
        _as_mask(graph, attention, bias, size, number)
        return
    summed = f"tomerge_logits_{number}"
    graph.put(graph.before, attention, "Add", [logits, bias], [summed])
    attention.input[0] = summed


def _as_mask(graph, attention, bias, size, number):
    """[batch, 1, queries, keys], which not every runtime broadcasts."""
    one = graph.constant(f"tomerge_one_{number}", np.int64([1]))
    rows, shape, mask = (f"tomerge_{name}_{number}"
                         for name in ("count", "square", "mask"))
    graph.put(graph.before, attention, "Shape", [size], [rows], start=1)
    graph.put(graph.before, attention, "Concat", [one, one, rows, one],
              [shape], axis=0)
    graph.put(graph.before, attention, "Expand", [bias, shape], [mask])
    del attention.input[3:]
    attention.input.append(mask)


def _add_metric(graph, layer, number):
    """The mean of the keys over heads, [batch, tokens, channels]."""
    mean, metric = f"tomerge_mean_{number}", f"tomerge_metric_{number}"
    anchor = layer.residual
    if graph.opset < 18:
        graph.put(graph.after, anchor, "ReduceMean", [layer.keys], [mean],
                  axes=[1], keepdims=0)
    else:
        axis = graph.constant(f"tomerge_heads_{number}", np.int64([1]))
        graph.put(graph.after, anchor, "ReduceMean", [layer.keys, axis],
                  [mean], keepdims=0)
    if not layer.turned:
        return mean
    graph.put(graph.after, anchor, "Transpose", [mean], [metric],
              perm=[0, 2, 1])
    return metric


def add_merge(graph, layer, size, trace, number, r, protect, threads,
              operator):
    """Merges the rows of one block; returns the names of their sizes and of
    the row of every token."""
    merged, sizes, rows_of = (f"tomerge_{name}_{number}"
                              for name in ("rows", "size", "map"))
    metric = _add_metric(graph, layer, number)
    graph.redirect(layer.rows, merged)
    if operator:
        graph.put(graph.after, layer.residual, "MergeTokens",
                  [layer.rows, metric] + ([size] if size else []),
                  [merged, sizes], domain="tomerge", r=r, protect=protect,
                  threads=threads)
        return sizes, None
    name = name_of(r, protect)
    if not any(entry.name == name for entry in graph.model.functions):
        graph.model.functions.append(function(r, protect, graph.opset))
    size = size or _ones(graph, layer, number)
    graph.put(graph.after, layer.residual, name, [layer.rows, metric, size],
              [merged, sizes, rows_of], domain="tomerge")
    if trace is None:
        return sizes, rows_of
    followed = f"tomerge_trace_{number}"
    graph.put(graph.after, layer.residual, "GatherElements", [rows_of, trace],
              [followed], axis=1)
    return sizes, followed


def _ones(graph, layer, number):
    one = graph.constant(f"tomerge_unit_{number}", np.float32([1.0]))
    shape, ones = f"tomerge_tokens_{number}", f"tomerge_ones_{number}"
    graph.put(graph.after, layer.residual, "Shape", [layer.rows], [shape],
              end=2)
    graph.put(graph.after, layer.residual, "Expand", [one, shape], [ones])
    return ones


def add_restore(graph, layer, trace):
    """After the last block, the row of every token."""
    if layer.out is None:
        raise Refused(f"{layer.rows}: no sum with an MLP after these rows")
    rows, anchor = layer.out.output[0], layer.out
    names = {name: f"tomerge_{name}" for name in (
        "restored", "trace_column", "trace_count", "trace_channels",
        "trace_shape", "trace_all")}
    last = graph.constant("tomerge_last", np.int64([-1]))
    graph.redirect(rows, names["restored"])
    for op, inputs, output, attributes in (
            ("Unsqueeze", [trace, last], "trace_column", {}),
            ("Shape", [trace], "trace_count", {}),
            ("Shape", [rows], "trace_channels", {"start": 2}),
            ("Concat", [names["trace_count"], names["trace_channels"]],
             "trace_shape", {"axis": 0}),
            ("Expand", [names["trace_column"], names["trace_shape"]],
             "trace_all", {}),
            ("GatherElements", [rows, names["trace_all"]], "restored",
             {"axis": 1})):
        graph.put(graph.after, anchor, op, inputs, [names[output]],
                  **attributes)


def refuse_pooling(graph, layer):
    """Sizes would have to weigh a mean over tokens, and the operator keeps no
    map to restore rows by."""
    for node in graph.nodes[graph.place[id(layer.attention)]:]:
        if node.op_type != "ReduceMean":
            continue
        axes = [list(a.ints) for a in node.attribute if a.name == "axes"]
        if len(node.input) > 1 and node.input[1] in graph.constants:
            axes.append(graph.array(node.input[1]).tolist())
        if [1] in axes:
            raise Refused(f"{node.name}: mean pooling over tokens; with "
                          f"--operator only models that read their class "
                          f"token can be rewritten")

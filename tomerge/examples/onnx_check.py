#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exports reference models through torch and timm, rewrites them with
onnx_merge.py --operator, runs them in ONNX Runtime and compares their logits
with the reference's:

    onnx_check.py LIBRARY GOLDEN-FOLDER...

Also that the operator refuses what it has to. Exit status 77 says what is
missing.
"""

import json
import os
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnx
    import onnxruntime
    import torch
    from safetensors.torch import load_file
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import onnx_merge


def session(model):
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(sys.argv[1])
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])


def export(case, folder, x, dynamic):
    config = dict(case["config"])
    distilled = config.pop("distilled", False)
    model = (VisionTransformerDistilled if distilled
             else VisionTransformer)(**config).eval()
    model.load_state_dict(load_file(os.path.join(folder, case["weights"])))
    axes = {"x": {0: "batch"}, "y": {0: "batch"}} if dynamic else None
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = os.path.join(scratch, "model.onnx")
        torch.onnx.export(model, (x,), path, input_names=["x"],
                          output_names=["y"], dynamo=False, opset_version=17,
                          dynamic_axes=axes)
        return onnx.load(path)


def check_models(folder):
    with open(os.path.join(folder, "index.json")) as file:
        cases = json.load(file)["model"]
    count, worst = 0, 0.0
    for case in cases:
        data = load_file(os.path.join(folder, case["io"]))
        protect = 2 if case["config"].get("distilled") else 1
        for dynamic in (True, False):
            exported = export(case, folder, data["x"], dynamic)
            for j, run in enumerate(case["runs"]):
                if not run["prop_attn"]:
                    continue
                r = run["r"]
                r = tuple(r) if isinstance(r, list) and len(r) == 2 else r
                model = onnx.ModelProto()
                model.CopyFrom(exported)
                onnx_merge.rewrite(model, r, protect, threads=1 + j % 2,
                                   operator=True)
                found, = session(model).run(None, {"x": data["x"].numpy()})
                error = np.abs(found - data[f"logits_{j}"].numpy()).max()
                assert error < 1e-5, (case["weights"], run, dynamic, error)
                worst, count = max(worst, error), count + 1
    assert count
    return count, worst


def operator(shapes, **attributes):
    """A model of nothing but the operator, on inputs of these shapes."""
    from onnx import TensorProto, helper

    names = ["x", "metric", "size"][:len(shapes)]
    node = helper.make_node("MergeTokens", names, ["y", "total"],
                            domain="tomerge", **attributes)
    graph = helper.make_graph(
        [node], "operator",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT,
                                       [None] * len(shape))
         for name, shape in zip(names, shapes)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
         for name in ("y", "total")])
    model = helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("tomerge", 1)])
    return {name: np.random.default_rng(1).random(shape, np.float32)
            for name, shape in zip(names, shapes)}, model


def check_refusals():
    feeds, model = operator([(2, 9, 4), (2, 9, 3)], r=3, protect=1)
    y, total = session(model).run(None, feeds)
    assert y.shape == (2, 6, 4) and (total.sum(1) == 9).all()
    feeds["metric"][1] = np.nan  # the number of rows is the same all the same
    y, total = session(model).run(None, feeds)
    assert y.shape == (2, 6, 4) and (total.sum(1) == 9).all()
    for shapes, change, message in [
            ([(2, 9, 4), (2, 8, 3)], {}, "differ in their batch or tokens"),
            ([(2, 9, 4), (2, 9, 3), (2, 8)], {}, "differ in their"),
            ([(2, 9, 4), (2, 9, 3), (2, 9, 1)], {}, "dimensions"),
            ([(2, 9, 4), (9, 3)], {}, "dimensions"),
            ([(0, 9, 4), (0, 9, 3)], {}, "empty batch"),
            ([(2, 9, 4), (2, 9, 3)], {"r": -1}, "out of range"),
            ([(2, 9, 4), (2, 9, 3)], {"threads": 0}, "out of range")]:
        feeds, model = operator(shapes, **{"r": 4, **change})
        try:
            session(model).run(None, feeds)
        except Exception as error:
            assert message in str(error), (message, error)
        else:
            raise AssertionError(f"not refused: {shapes} {change}")


def main():
    check_refusals()
    for folder in sys.argv[2:]:
        if os.path.exists(os.path.join(folder, "index.json")):
            count, worst = check_models(folder)
            print(f"{folder}: {count} runs, logits off by at most {worst:.1e}")


if __name__ == "__main__":
    main()

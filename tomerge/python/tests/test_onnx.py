# SPDX-License-Identifier: MIT
"""tomerge/examples/onnx_merge.py on what exporters write: the rewritten file
is loaded, run and compared with independent.py, or it is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

import independent  # noqa: E402
from test_models import (hugging, hugging_layer, timm_layer,  # noqa: E402
                         timm_model)

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                        "..", "examples")
if not os.path.exists(os.path.join(EXAMPLES, "onnx_merge.py")):
    pytest.skip("not beside the library's examples", allow_module_level=True)
sys.path.insert(0, EXAMPLES)

import onnx_graph  # noqa: E402
import onnx_merge  # noqa: E402

SCHEDULE = [6, 5]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(4)
    with torch.no_grad():
        yield


class Logits(torch.nn.Module):
    """One of the outputs of a model of transformers."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, x):
        return getattr(self.model(x), self.name)


def timm_case(fused=True, **choices):
    model = timm_model("vit_tiny_patch16_224", depth=2, **choices)
    for block in model.blocks:
        block.attn.fused_attn = fused

    def expected(x):
        rows = model._pos_embed(model.patch_embed(x))
        return independent.run(
            [timm_layer(block) for block in model.blocks], rows, SCHEDULE,
            model.num_prefix_tokens,
            lambda rows: model.forward_head(model.norm(rows)))[0]

    return model, expected, model.num_prefix_tokens


def hugging_case(name, inner, layers, head):
    model = hugging(f"{name}ForImageClassification", f"{name}Config",
                    num_hidden_layers=2)
    base = getattr(model, inner)

    def expected(x):
        return independent.run(
            [hugging_layer(layer) for layer in base.get_submodule(layers)],
            base.embeddings(x), SCHEDULE, 1,
            lambda rows: model.classifier(head(base.layernorm(rows))))[0]

    return Logits(model, "logits"), expected, 1


def clip_case():
    model = hugging("CLIPVisionModel", "CLIPVisionConfig",
                    num_hidden_layers=2)
    base = getattr(model, "vision_model", model)

    def expected(x):
        return independent.run(
            [hugging_layer(layer) for layer in base.encoder.layers],
            base.pre_layrnorm(base.embeddings(x)), SCHEDULE, 1,
            lambda rows: base.post_layernorm(rows[:, 0]))[0]

    return Logits(model, "pooler_output"), expected, 1


def export(model, path, opset, dynamic):
    x = torch.randn(2, 3, 48, 48)
    choices = {"dynamo": opset != 17, "input_names": ["x"],
               "opset_version": opset or None}
    if dynamic and opset != 17:
        choices["dynamic_shapes"] = (
            {0: torch.export.Dim("batch", min=1, max=64)},)
    elif dynamic:
        choices.update(dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
                       output_names=["y"])
    if opset != 17:
        choices["verbose"] = False
    torch.onnx.export(model, (x,), path, **choices)
    return x


CASES = {
    "timm": (timm_case, 0, True),
    "timm, one batch": (timm_case, 0, False),
    "timm, eager": (lambda: timm_case(fused=False), 0, True),
    "timm, operator Attention": (timm_case, 23, True),
    "timm, mean": (lambda: timm_case(class_token=False, global_pool="avg"),
                   0, True),
    "timm, mean, operator Attention": (
        lambda: timm_case(class_token=False, global_pool="avg"), 23, False),
    "timm, the exporter before": (timm_case, 17, True),
    "transformers ViT": (lambda: hugging_case(
        "ViT", "vit", "layers", lambda rows: rows[:, 0]), 0, True),
    "transformers ViT, operator Attention": (lambda: hugging_case(
        "ViT", "vit", "layers", lambda rows: rows[:, 0]), 23, True),
    "transformers CLIP, one batch": (clip_case, 0, False),
    "transformers DINOv2": (lambda: hugging_case(
        "Dinov2", "dinov2", "encoder.layer", lambda rows: torch.cat(
            [rows[:, 0], rows[:, 1:].mean(1)], -1)), 0, True),
}


@pytest.mark.parametrize("case", CASES)
def test_rewritten(case, tmp_path):
    build, opset, dynamic = CASES[case]
    model, expected, protect = build()
    path = str(tmp_path / "model.onnx")
    x = export(model, path, opset, dynamic)
    whole = onnx.load(path)
    before = whole.SerializeToString()
    assert onnx_merge.rewrite(whole, 0, protect) == [0, 0]
    assert whole.SerializeToString() == before
    assert onnx_merge.rewrite(whole, SCHEDULE, protect) == SCHEDULE
    assert onnx_graph.check(whole).startswith("ran on")
    session = onnxruntime.InferenceSession(
        whole.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in ((2, 1, 3) if dynamic else (2,)):
        x = torch.randn(batch, 3, 48, 48)
        found, = session.run(None, {"x": x.numpy()})
        logits = expected(x).numpy()
        scale = max(np.abs(logits).max(), 1.0)
        assert np.abs(found - logits).max() <= 1e-5 * scale
        assert np.abs(logits - model(x).numpy()).max() > 1e-3


def test_refused(tmp_path):
    path = str(tmp_path / "model.onnx")
    rotary = timm_model("eva02_tiny_patch14_224", depth=2)
    export(rotary, path, 0, True)
    with pytest.raises(onnx_graph.Refused, match="row for every token"):
        onnx_merge.rewrite(onnx.load(path), 5)
    model, _, _ = timm_case(class_token=False, global_pool="avg")
    export(model, path, 0, True)
    with pytest.raises(onnx_graph.Refused, match="mean pooling"):
        onnx_merge.rewrite(onnx.load(path), 5, 0, operator=True)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)
    onnxruntime.InferenceSession(path, options,
                                 providers=["CPUExecutionProvider"])
    with pytest.raises(onnx_graph.Refused, match="before it is optimized"):
        onnx_merge.rewrite(onnx.load(options.optimized_model_filepath), 5)
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6912, 5))
    export(other, path, 0, True)
    with pytest.raises(onnx_graph.Refused, match="no Softmax or Attention"):
        onnx_merge.rewrite(onnx.load(path), 5)


def test_command(tmp_path):
    model, expected, _ = timm_case()
    export(model, str(tmp_path / "in.onnx"), 17, True)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, os.path.join(EXAMPLES, "onnx_merge.py"),
             *arguments], cwd=tmp_path, capture_output=True, text=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))

    result = run("in.onnx", "out.onnx", "--r", "6,5")
    assert result.returncode == 0, result.stderr
    assert "ran on onnxruntime" in result.stdout
    assert "tokens merged in each block: 6 5" in result.stdout
    session = onnxruntime.InferenceSession(
        str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    x = torch.randn(2, 3, 48, 48)
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0],
                               expected(x), rtol=1e-4, atol=1e-4)
    assert run("in.onnx", "other.onnx", "--r", "1,2,3").returncode == 1
    assert run("none.onnx", "other.onnx", "--r", "1").returncode == 1
    assert not (tmp_path / "other.onnx").exists()

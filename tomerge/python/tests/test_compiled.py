# SPDX-License-Identifier: MIT
"""Patched models compiled, exported, traced: what comes out is what the model
gives eagerly, or it raises."""

import io

import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from models import images, small  # noqa: E402

SCHEDULES = [5, [9, 0, 4]]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)
    torch.compiler.reset()
    with torch.no_grad():
        yield


def merging(r=5, **choices):
    names = {"backend", "restore", "order"} & set(choices)
    patching = {name: choices.pop(name) for name in names}
    model = tomerge.patch(small(**choices), trace_source=True, **patching)
    model.r = r
    return model


@pytest.mark.parametrize("compiler, backend", [
    ("aot_eager", "library"), ("aot_eager", "torch"),
    ("inductor", "library")])
def test_compiled_whole(compiler, backend):
    model, x = merging(backend=backend), images()
    compiled = torch.compile(model, backend=compiler, fullgraph=True)
    for r in SCHEDULES:
        model.r = r
        expected, trace = model(x), model.merging.trace
        tokens, size = model.merging.tokens, model.merging.size
        found = compiled(x)
        torch.testing.assert_close(found, expected)
        assert model.merging.tokens == tokens
        assert torch.equal(model.merging.size, size)
        assert np.array_equal(model.merging.trace, trace)
    assert torch.equal(model(x), expected)  # eagerly again


def test_compiled_for_training():
    model, x = merging(), images()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    gradients = []
    for call in (model, compiled):
        model.zero_grad()
        with torch.enable_grad():
            call(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for expected, found in zip(*gradients):
        torch.testing.assert_close(found, expected)


def test_compiled_for_any_batch():
    model = merging()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True,
                             dynamic=True)
    for batch in (2, 3, 5):
        x = images(batch)
        torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
@pytest.mark.parametrize("parts", [
    {}, {"class_token": False, "global_pool": "avg"}], ids=["", "mean"])
def test_exported(parts, strict):
    model, x = merging(**parts), images()
    expected = model(x)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (x,), strict=strict,
                                  dynamic_shapes=({0: batch},))
    assert any("tomerge" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x), expected)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    other = images(5)
    torch.testing.assert_close(torch.export.load(file).module()(other),
                               model(other))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["library", "torch"])
def test_traced(backend):
    """On another input than it was traced with."""
    model = merging(backend=backend)
    traced = torch.jit.trace(model, images(), check_trace=False)
    for _ in range(2):
        x = images()
        torch.testing.assert_close(traced(x), model(x))


def test_transforms():
    model, x = merging(), images()
    found = torch.func.vmap(model)(x[:, None])
    torch.testing.assert_close(found[:, 0], model(x))
    state = dict(model.named_parameters())
    loss = lambda state: torch.func.functional_call(  # noqa: E731
        model, state, (x,)).square().sum()
    found = torch.func.grad(loss)(state)
    with torch.enable_grad():
        loss(state).backward()
    for name, parameter in model.named_parameters():
        # Sums of thousands in another order.
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4,
                                   atol=1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("choices", [
    {}, {"order": "reference", "class_token": False, "global_pool": "avg"},
], ids=["", "mean"])
def test_onnx(choices):
    """A file that any runtime loads: merging is made of ONNX's operators."""
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = merging(**choices), images()
    program = torch.onnx.export(
        model, (x,), dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(
        file.getvalue(), providers=["CPUExecutionProvider"])
    for batch in (3, 2):
        x = images(batch)
        found, = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        np.testing.assert_allclose(found, model(x), rtol=1e-4, atol=1e-4)

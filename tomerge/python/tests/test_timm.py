# SPDX-License-Identifier: MIT
"""Patched models of timm's give the reference's logits, and stay models."""

import copy
import pickle

import golden
import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.vision_transformer import (  # noqa: E402
    ParallelScalingBlock, VisionTransformer)

from models import images, small  # noqa: E402


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)
    with torch.no_grad():
        yield


def set_fused(model, fused):
    for block in model.blocks:
        block.attn.fused_attn = fused


# ---- the reference's logits --------------------------------------------------


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "eager"])
@pytest.mark.parametrize("case", golden.index("model"),
                         ids=lambda case: case["weights"])
def test_reference(case, fused):
    config = dict(case["config"])
    distilled = config.pop("distilled", False)
    model = (VisionTransformerDistilled if distilled
             else VisionTransformer)(**config).eval()
    model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value
                           in golden.load(case["weights"]).items()})
    set_fused(model, fused)
    io = golden.load(case["io"])
    x = torch.from_numpy(io["x"].copy())
    for j, run in enumerate(case["runs"]):
        tomerge.patch(model, trace_source=True, prop_attn=run["prop_attn"])
        pair = isinstance(run["r"], list) and len(run["r"]) == 2
        model.r = tuple(run["r"]) if pair else run["r"]
        np.testing.assert_allclose(model(x), io[f"logits_{j}"], rtol=1e-5,
                                   atol=2e-6)
        assert (f"group_{j}" in io) == any(model.merging.schedule)
        if f"group_{j}" in io:
            assert np.array_equal(model.merging.trace, io[f"group_{j}"])
            assert np.array_equal(model.merging.size, io[f"size_{j}"])
        tomerge.unpatch(model)


# ---- parts of models ---------------------------------------------------------


def in_pairs(model):
    """Images whose patches 0 and 1, 2 and 3, ... look the same, and a model
    that cannot tell where they are."""
    model.pos_embed.zero_()
    blocks = torch.randn(2, 3, 48, 3, 1, 8)
    return blocks.expand(-1, -1, -1, -1, 2, -1).reshape(2, 3, 48, 48)


PARTS = {
    "class token": {},
    "mean pooling": dict(global_pool="avg", class_token=False),
    "mean pooling beside a class token": dict(global_pool="avg"),
    "mean pooling of all": dict(global_pool="avg", pool_include_prefix=True),
    "mean and maximum": dict(global_pool="avgmax", class_token=False),
    "maximum": dict(global_pool="max", class_token=False),
    "attention pooling": dict(global_pool="map", class_token=False),
    "registers": dict(reg_tokens=4, class_token=True),
    "layer scale, key norm": dict(init_values=0.5, qk_norm=True),
    "scaled attention": dict(scale_attn_norm=True, scale_mlp_norm=True),
}


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "eager"])
@pytest.mark.parametrize("part", PARTS)
def test_merging_equal_tokens_changes_nothing(part, fused):
    """Where equal tokens merge, sizes make up for their number exactly. Only
    some pairs merge, so that rows of different sizes compete."""
    model = small(**PARTS[part])
    set_fused(model, fused)
    x = in_pairs(model)
    expected = model(x)
    try:
        tomerge.patch(model, trace_source=True)
    except TypeError as error:
        assert "it takes no attn_mask" in str(error)
        pytest.skip(f"this version of timm: {error}")
    model.r = [9]
    found = model(x)
    # Only equal ones did merge.
    first = model.num_prefix_tokens
    for trace in model.merging.trace[:, first:]:
        pairs = trace.reshape(-1, 2)
        assert (pairs[:, 0] == pairs[:, 1]).sum() == 9
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_sizes_count_in_attention():
    """Without proportional attention the same merging does show."""
    model = small()
    x = in_pairs(model)
    expected = model(x)
    tomerge.patch(model, prop_attn=False)
    model.r = [9]
    assert (model(x) - expected).abs().max() > 1e-3


def test_pooling_weights_by_size():
    model = small(global_pool="avg", class_token=False)
    tomerge.patch(model)
    model.r = 4
    features = model.forward_features(images())
    size = model.merging.size
    assert torch.equal(size.sum(1), torch.full((3,), 36.0))
    torch.testing.assert_close(
        model.pool(features), (features * size[..., None]).sum(1) / 36)


def test_protected_tokens_stay_first():
    for kind, parts, first in (
            (VisionTransformer, {}, 1), (VisionTransformerDistilled, {}, 2),
            (VisionTransformer, dict(reg_tokens=4), 5),
            (VisionTransformer, dict(class_token=False, global_pool="avg"),
             0)):
        model = tomerge.patch(small(kind, **parts), trace_source=True)
        model.r = 100
        model(images())
        trace = model.merging.trace
        assert (trace[:, :first] == np.arange(first)).all()
        assert (trace[:, first:] >= first).all()
        assert torch.equal(model.merging.size[:, :first], torch.ones(3, first))


def test_narrow_and_autocast():
    model = tomerge.patch(small())
    model.r = 5
    x = images()
    expected = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert (model(x) - expected).abs().max() < 0.3 * expected.abs().max()
    model.bfloat16()
    found = model(x.bfloat16())
    assert found.dtype == torch.bfloat16
    assert model.merging.tokens == [32, 27, 22, 17]


def test_an_image_of_nan_harms_no_other():
    model = tomerge.patch(small())
    model.r = 5
    x = images()
    expected = model(x)
    x[1, 0, 3, 3] = torch.nan
    found = model(x)
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]])
    assert model.merging.tokens == [32, 27, 22, 17]
    assert found[1].isnan().all()


# ---- a model still -------------------------------------------------------------


def test_r_in_all_forms():
    model = tomerge.patch(small())
    assert model.r == 0
    for r, schedule, tokens in [
            (3, [3, 3, 3, 3], [34, 31, 28, 25]),
            ((3, -1.0), [6, 4, 2, 0], [31, 27, 25, 25]),
            ([5, 0, 7], [5, 0, 7, 0], [32, 32, 25, 25]),
            (0, [0, 0, 0, 0], [37, 37, 37, 37])]:
        model.r = r
        assert model.r == r and model.merging.schedule == schedule
        model(images())
        assert model.merging.tokens == tokens
    for r, error in [(-1, ValueError), ("8", TypeError), (2.5, TypeError),
                     ([1] * 5, ValueError), ((8, 3.0), ValueError)]:
        with pytest.raises(error):
            model.r = r
        assert model.r == 0


def test_r_0_is_the_model_itself():
    model, x = small(), images()
    expected = model(x)
    tomerge.patch(model)
    assert torch.equal(model(x), expected)
    assert model.merging.size is None and model.merging.trace is None


def test_unpatch_leaves_no_trace():
    model, x = small(), images()
    before = {name: sorted(vars(module))
              for name, module in model.named_modules()}
    expected, state = model(x), list(model.state_dict())
    tomerge.patch(model)
    model.r = 8
    model(x)
    assert list(model.state_dict()) == state
    assert tomerge.unpatch(model) is model
    assert type(model) is VisionTransformer
    assert torch.equal(model(x), expected)
    assert before == {name: sorted(vars(module))
                      for name, module in model.named_modules()}


def test_copies_merge_by_themselves():
    model, x = tomerge.patch(small()), images()
    model.r = 5
    expected = model(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), expected)
        other.r = 0
        other(x)
        assert other.merging.tokens == [37] * 4
        assert model.r == 5 and model.merging.tokens == [32, 27, 22, 17]


def test_compiled():
    model, x = tomerge.patch(small()), images()
    model.r = 5
    expected = model(x)
    found = torch.compile(model, backend="eager")(x)
    torch.testing.assert_close(found, expected)


def test_refused():
    x = images()
    with pytest.raises(TypeError, match="Vision Transformer of timm"):
        tomerge.patch(torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="blocks.0: expected a plain block"):
        tomerge.patch(small(block_fn=ParallelScalingBlock))
    with pytest.raises(TypeError, match="blocks.0.attn.*DiffAttention"):
        tomerge.patch(small(attn_layer="diff", num_heads=2))
    with pytest.raises(ValueError, match="method: expected one of"):
        tomerge.patch(small(), method="best")
    model = small()
    with pytest.raises(ValueError, match="not patched"):
        tomerge.unpatch(model)
    tomerge.patch(model)
    with pytest.raises(ValueError, match="patched already"):
        tomerge.patch(model)
    model.r = 2
    with pytest.raises(NotImplementedError, match="no grid any more"):
        model.forward_intermediates(x)
    with pytest.raises(NotImplementedError, match="attention mask"):
        model(x, is_causal=True)
    with pytest.raises(TypeError, match="float64"):
        model.double()(x.double())


def test_gradients_reach_every_weight():
    """And are what the loss does when a weight is nudged."""
    model = small()
    tomerge.patch(model)
    model.r = 5
    with torch.enable_grad():
        x = images().requires_grad_()
        model(x).square().sum().backward()
    assert x.grad.abs().sum() > 0
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    assert all(grad is not None and grad.isfinite().all()
               for grad in found.values())
    step = 1e-3
    weight = model.blocks[1].mlp.fc1.weight
    for at in ((3, 4), (17, 30)):
        losses = []
        for sign in (1, -1):
            weight[at] += sign * step
            losses.append(model(x.detach()).square().sum().item())
            weight[at] -= sign * step
        numeric = (losses[0] - losses[1]) / (2 * step)
        grad = found["blocks.1.mlp.fc1.weight"][at].item()
        assert numeric == pytest.approx(grad, rel=0.02, abs=0.02)

# SPDX-License-Identifier: MIT
"""Torch CPU tensors in place, in every dtype; what they cannot be."""

import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")

B, T, C, H = 3, 21, 12, 8


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


def test_as_numpy():
    metric, x = torch.randn(B, T, H), torch.randn(B, T, C)
    size = torch.randint(1, 5, (B, T)).float()
    plan = tomerge.plan(metric, 4, protect=1)
    y, sizes = plan.merge(x, size)
    expected = tomerge.plan(metric.numpy(), 4, protect=1)
    assert np.array_equal(plan.map, expected.map)
    rows, total = expected.merge(x.numpy(), size.numpy())
    assert np.array_equal(y, rows) and np.array_equal(sizes, total)
    assert isinstance(y, torch.Tensor) and y.dtype == torch.float32
    assert isinstance(sizes, torch.Tensor) and sizes.dtype == torch.float32
    back = plan.unmerge(y)
    assert np.array_equal(back, expected.unmerge(rows))
    assert isinstance(back, torch.Tensor)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow(dtype):
    metric, x = torch.randn(B, T, H, dtype=dtype), torch.randn(B, T, C,
                                                               dtype=dtype)
    plan = tomerge.plan(metric, 4)
    assert np.array_equal(plan.map, tomerge.plan(metric.float(), 4).map)
    y, size = plan.merge(x)
    assert y.dtype == dtype and size.dtype == torch.float32
    exact, _ = plan.merge(x.float())
    assert torch.equal(y, exact.to(dtype))
    assert torch.equal(plan.unmerge(y).float(), plan.unmerge(exact.to(
        dtype).float()))


def test_views_in_place():
    wide, room = torch.randn(B, T + 2, 3 * C), torch.full((B, T, 2 * C), 7.0)
    metric = torch.randn(B, 2, T, H)[:, 1]
    view, out = wide[:, 1:-1, C:2 * C], room[:, 1:T - 3, 3:3 + C]
    plan = tomerge.plan(metric, 4)
    assert np.array_equal(plan.map, tomerge.plan(metric.contiguous(), 4).map)
    found, _ = plan.merge(view, out=out)
    assert found is out
    assert torch.equal(out, plan.merge(view.contiguous())[0])
    assert torch.equal(plan.unmerge(out), plan.unmerge(out.contiguous()))
    expanded = torch.randn(T, C).expand(B, T, C)
    assert torch.equal(plan.merge(expanded)[0],
                       plan.merge(expanded.contiguous())[0])
    qkv = torch.randn(B, T, 3, 4, H)
    keys = qkv[:, :, 1].transpose(1, 2)
    torch.testing.assert_close(tomerge.mean_heads(keys), keys.mean(1))


def test_refused():
    x = torch.randn(B, T, C)
    plan = tomerge.plan(x, 4)
    for call, error, message in [
            (lambda: plan.merge(x.double()), TypeError, "found float64"),
            (lambda: tomerge.plan(x.to_sparse(), 4), ValueError, "dense"),
            (lambda: tomerge.plan(x.to("meta"), 4), ValueError, "CPU.*meta"),
            (lambda: plan.merge(x.transpose(1, 2).contiguous().transpose(
                1, 2)), ValueError, "channels .* contiguous")]:
        with pytest.raises(error, match=message):
            call()

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


def by_torch(plan, x, size, combine):
    """Merging by index_add, which torch differentiates itself."""
    rows, sizes = [], []
    for s, group in enumerate(torch.from_numpy(plan.map).long()):
        empty = torch.zeros(plan.rows, x.shape[-1])
        weight = size[s] if combine == "weighted" else torch.ones(T)
        total = torch.zeros(plan.rows).index_add(0, group, weight)
        sums = empty.index_add(0, group, x[s] * weight[:, None])
        rows.append(sums if combine == "sum" else sums / total[:, None])
        sizes.append(torch.zeros(plan.rows).index_add(0, group, size[s]))
    return torch.stack(rows), torch.stack(sizes)


@pytest.mark.parametrize("combine", ["weighted", "mean", "sum"])
def test_gradients(combine):
    x = torch.randn(B, T, C, requires_grad=True)
    size = (torch.rand(B, T) + 0.5).requires_grad_()
    plan = tomerge.plan(torch.randn(B, T, H), 6, protect=1)
    towards, by_size = torch.randn(B, T - 6, C), torch.randn(B, T - 6)

    def gradients(rows, sizes):
        loss = (rows * towards).sum() + (sizes * by_size).sum()
        return torch.autograd.grad(loss, (x, size))

    found = gradients(*plan.merge(x, size, combine=combine))
    for one, other in zip(found, gradients(*by_torch(plan, x, size, combine))):
        torch.testing.assert_close(one, other)
    # The same for packed rows, and for rows alone.
    packed = plan.merge(x.reshape(-1, C), size.reshape(-1), combine=combine)
    again = gradients(packed[0].view(B, -1, C), packed[1].view(B, -1))
    assert all(torch.equal(*pair) for pair in zip(found, again))
    rows, _ = plan.merge(x, size.detach(), combine=combine)
    assert torch.equal(torch.autograd.grad((rows * towards).sum(), x)[0],
                       found[0])


def test_gradients_of_packed_rows():
    """Sequences of their own lengths, together and one by one."""
    bounds, r = [0, 9, 25, 26, 38], [2, 5, 0, 4]
    metric = torch.randn(38, H)
    x = torch.randn(38, C, requires_grad=True)
    size = (torch.rand(38) + 0.5).requires_grad_()
    towards, by_size, back = (torch.randn(38 - sum(r), C),
                              torch.randn(38 - sum(r)), torch.randn(38, C))

    def gradients(rows, sizes, again):
        loss = ((rows * towards).sum() + (sizes * by_size).sum() +
                (again * back).sum())
        return torch.autograd.grad(loss, (x, size))

    each = []
    for first, end, few in zip(bounds, bounds[1:], r):
        plan = tomerge.plan(metric[first:end], few)
        rows, sizes = plan.merge(x[first:end], size[first:end])
        each.append((rows, sizes, plan.unmerge(rows)))
    expected = gradients(*map(torch.cat, zip(*each)))
    plan = tomerge.plan(metric, r, offsets=bounds)
    for threads in (1, 2, 3, None):
        rows, sizes = plan.merge(x, size, threads=threads)
        found = gradients(rows, sizes, plan.unmerge(rows, threads=threads))
        assert all(torch.equal(*pair) for pair in zip(found, expected))


def test_gradients_of_views():
    wide = torch.randn(B, T + 2, 3 * C, requires_grad=True)
    plan = tomerge.plan(torch.randn(B, T, H), 6)
    towards = torch.randn(B, T - 6, C)
    view = wide[:, 1:-1, C:2 * C]

    def gradient(x):
        loss = (plan.merge(x)[0] * towards).sum()
        return torch.autograd.grad(loss, wide)[0]

    assert torch.equal(gradient(view), gradient(view.contiguous()))
    none = torch.randn(0, T, C, requires_grad=True)
    plan = tomerge.plan(none, 6)
    rows, _ = plan.merge(none)
    assert torch.autograd.grad(plan.unmerge(rows).sum(),
                               none)[0].shape == none.shape


def test_gradient_without_sizes():
    x = torch.randn(B, T, C, requires_grad=True)
    plan = tomerge.plan(x, 6)
    rows, sizes = plan.merge(x)
    assert not sizes.requires_grad
    towards = torch.randn_like(rows)
    expected, _ = by_torch(plan, x, torch.ones(B, T), "mean")
    torch.testing.assert_close(
        torch.autograd.grad((rows * towards).sum(), x),
        torch.autograd.grad((expected * towards).sum(), x))
    with torch.no_grad():
        assert not plan.merge(x)[0].requires_grad


def test_gradient_of_unmerging():
    plan = tomerge.plan(torch.randn(B, T, H), 6)
    y = torch.randn(B, T - 6, C, requires_grad=True)
    towards = torch.randn(B, T, C)
    expected, _ = by_torch(plan, towards, torch.ones(B, T), "sum")
    for rows in (y, y.reshape(-1, C)):
        loss = (plan.unmerge(rows).view(B, T, C) * towards).sum()
        torch.testing.assert_close(torch.autograd.grad(loss, y)[0], expected)


def test_refused():
    x = torch.randn(B, T, C)
    plan = tomerge.plan(x, 4)
    for call, error, message in [
            (lambda: plan.merge(x.double()), TypeError, "found float64"),
            (lambda: tomerge.plan(x.to_sparse(), 4), ValueError, "dense"),
            (lambda: tomerge.plan(x.to("meta"), 4), ValueError, "CPU.*meta"),
            (lambda: plan.merge(x.clone().requires_grad_(), out=x[:, 4:]),
             ValueError, "out: .*gradients"),
            (lambda: plan.merge(x.transpose(1, 2).contiguous().transpose(
                1, 2)), ValueError, "channels .* contiguous")]:
        with pytest.raises(error, match=message):
            call()

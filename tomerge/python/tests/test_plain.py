# SPDX-License-Identifier: MIT
"""Merging in torch's own operations gives the library's maps and rows, and
the reference's order is the reference's."""

import golden
import numpy as np
import pytest
import tomerge

torch = pytest.importorskip("torch")

import independent  # noqa: E402
from tomerge import _plain  # noqa: E402
from tomerge._exact import exact_plan  # noqa: E402

B, C = 3, 16


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


@pytest.mark.parametrize("order", ["grouped", "position", "reference"])
@pytest.mark.parametrize("similarity", tomerge._arguments.SIMILARITIES)
@pytest.mark.parametrize("tokens, r, protect", [
    (10, 3, 0), (11, 3, 0), (11, 3, 1), (12, 9, 1), (13, 9, 2), (13, 9, 5),
    (9, 2, 4), (2, 5, 0), (1, 1, 0), (3, 1, 3), (8, 0, 1)])
def test_maps(tokens, r, protect, similarity, order):
    metric = torch.randn(B, tokens, C)
    plan = tomerge.plan(metric, r, protect=protect, similarity=similarity,
                        order=order)
    map, origin = _plain.match(metric, r, protect, similarity, order)
    assert np.array_equal(map, plan.map)
    assert np.array_equal(origin, plan.origin[:, :plan.rows])


@pytest.mark.parametrize("combine",
                         ["weighted", "mean", "sum", "max", "keep", "mlerp"])
def test_rows_and_their_gradients(combine):
    metric = torch.randn(B, 21, C)
    x = torch.randn(B, 21, 5, requires_grad=True)
    size = torch.randint(1, 5, (B, 21)).float()
    plan = tomerge.plan(metric, 8, protect=1)
    map, origin = _plain.match(metric, 8, 1)
    expected, total = plan.merge(x, size, combine=combine)
    found, size_out = _plain.merge(x, size, map, origin, combine)
    torch.testing.assert_close(found, expected)
    assert torch.equal(size_out, total)
    towards = torch.randn_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad((found * towards).sum(), x),
        torch.autograd.grad((expected * towards).sum(), x))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 0.0, 1e30])
def test_r_is_removed_whatever_the_rows(bad):
    """Rows that cannot be compared merge last, but they do."""
    metric = torch.randn(B, 12, C)
    metric[0] = bad
    metric[1, ::2] = bad
    for similarity in ("cosine", "dot"):
        plan = exact_plan(metric, 5, protect=1, similarity=similarity)
        assert plan.rows == 7
        alone = exact_plan(metric[:1], 5, protect=1, similarity=similarity)
        assert (alone.map == plan.map[:1]).all()
        map, origin = _plain.match(metric, 5, 1, similarity)
        assert origin.shape == (B, 7)
        for found in (torch.from_numpy(plan.map), map):
            assert (found[:, 0] == 0).all() and int(found.max()) == 6
            assert all(len(row.unique()) == 7 for row in found)
        if similarity == "cosine" and bad != 1e30:
            assert np.array_equal(map, plan.map)


@pytest.mark.parametrize("kind", ["batch", "single", "packed"])
@pytest.mark.parametrize("protect", [0, 1])
def test_order_of_the_reference(kind, protect):
    metric = np.random.default_rng(1).normal(size=(2, 15, C)).astype("f4")
    choices = dict(protect=protect, order="reference")
    given = {"batch": metric, "single": metric[0],
             "packed": metric.reshape(30, C)}[kind]
    if kind == "packed":
        choices["offsets"] = [0, 15, 30]
    maps = tomerge.plan(given, 4, **choices).map.reshape(-1, 15)
    for rows, map in zip(metric, maps):
        stay, joins = independent.match(torch.from_numpy(rows), 4, protect,
                                        protect == 0)
        expected = [stay.index(joins.get(i, i)) for i in range(15)]
        assert map.tolist() == expected


def cases_without_class_token():
    return [case for case in golden.index("merge")
            if not case["class_token"] and not case["distill_token"]]


@pytest.mark.parametrize("case", cases_without_class_token(),
                         ids=lambda case: case["file"])
def test_order_of_the_reference_s_own_results(case):
    data = golden.load(case["file"])
    plan = tomerge.plan(data["metric"], case["r"], order="reference")
    assert np.array_equal(plan.map, data["group"])

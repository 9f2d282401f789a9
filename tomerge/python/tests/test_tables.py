# SPDX-License-Identifier: MIT
"""Several tensors and tables with one plan, and given partitions, against
NumPy's loops over the map."""

import numpy as np
import pytest
import tomerge

COMBINES = {"weighted": lambda x, s: (x * s[:, None]).sum(0) / s.sum(),
            "mean": lambda x, s: x.mean(0), "sum": lambda x, s: x.sum(0),
            "max": lambda x, s: x.max(0)}


def rows(x, size, at, combine):
    """One sequence: x [tokens, channels], at [tokens]."""
    return np.stack([COMBINES[combine](x[at == row], size[at == row])
                     for row in range(at.max() + 1)])


@pytest.fixture
def random():
    return np.random.default_rng(5)


def normal(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


def test_tensors_of_a_batch(random):
    plan = tomerge.plan(normal(random, 3, 21, 8), 7, protect=1)
    keys = normal(random, 3, 4, 21, 5)
    values = normal(random, 3, 21, 4, 6).transpose(0, 2, 1, 3)  # read in place
    x, size = normal(random, 3, 21, 9), random.integers(1, 5, (3, 21))
    size = size.astype(np.float32)
    found, sizes = plan.merge_tensors([keys, values, x], size,
                                      combine=["weighted", "max", "mean"])
    assert [one.shape for one in found] == [(3, 4, 14, 5), (3, 4, 14, 6),
                                            (3, 14, 9)]
    for s in range(3):
        at = plan.map[s]
        assert np.array_equal(sizes[s], np.bincount(at, size[s]))
        for h in range(4):
            assert np.allclose(found[0][s, h], rows(keys[s, h], size[s], at,
                                                    "weighted"), atol=1e-6)
            assert np.allclose(found[1][s, h], rows(values[s, h], size[s], at,
                                                    "max"), atol=1e-6)
        assert np.allclose(found[2][s], rows(x[s], size[s], at, "mean"),
                           atol=1e-6)
    alone = plan.merge(x, size, combine="mean")
    assert np.array_equal(found[2], alone[0])


@pytest.mark.parametrize("combine", sorted(COMBINES))
def test_tables(random, combine):
    plan = tomerge.plan(normal(random, 2, 18, 8), 6)
    x, size = normal(random, 2, 3, 18, 18), np.ones((2, 18), np.float32)
    size[:, 3], size[1, 7] = 4, 2
    found = plan.merge_table(x, size, combine=combine)
    assert found.shape == (2, 3, 12, 12)
    for s in range(2):
        for h in range(3):
            once = rows(x[s, h], size[s], plan.map[s], combine)
            both = rows(once.T, size[s], plan.map[s], combine).T
            assert np.allclose(found[s, h], both, atol=1e-5)
    single = tomerge.plan(normal(random, 18, 8), 6)
    assert single.merge_table(x[0, 0]).shape == (12, 12)
    assert single.merge_table(x[0]).shape == (3, 12, 12)
    assert single.merge_tensors([x[0]])[0][0].shape == (3, 12, 18)


def test_torch_s(random):
    torch = pytest.importorskip("torch")
    metric, x = normal(random, 2, 10, 8), normal(random, 2, 3, 10, 10)
    plan = tomerge.plan(metric, 4)
    wanted = plan.merge_table(x), plan.merge_tensors([x])
    tensor = torch.from_numpy(x)
    assert np.array_equal(plan.merge_table(tensor).numpy(), wanted[0])
    found, size = plan.merge_tensors([tensor])
    assert np.array_equal(found[0].numpy(), wanted[1][0][0])
    assert np.array_equal(size.numpy(), wanted[1][1])
    with pytest.raises(ValueError, match="no gradient"):
        plan.merge_table(tensor.clone().requires_grad_())


def test_a_given_partition(random):
    role = tomerge.partition_grid(5, 6, 2, 3)
    assert role.tolist() == [4 if (i // 6, i % 6) in
                             ((0, 0), (0, 3), (2, 0), (2, 3)) else 0
                             for i in range(30)]
    drawn = tomerge.partition_grid(8, 8, 2, 2, seed=7).reshape(4, 2, 4, 2)
    assert (drawn.astype(bool).sum((1, 3)) == 1).all()
    assert drawn.tobytes() == tomerge.partition_grid(8, 8, seed=7).tobytes()
    assert drawn.tobytes() != tomerge.partition_grid(8, 8, seed=8).tobytes()
    assert np.array_equal(tomerge.partition_list(30, [21, 0, 3, 12, 15]) == 4,
                          np.isin(np.arange(30), [0, 3, 12, 15, 21]))
    x = normal(random, 30, 8)
    plan = tomerge.plan(x, 20, method="given", role=role)
    assert plan.rows == 10
    kept = set(plan.origin[:10].tolist())
    assert {0, 3, 12, 15} <= kept
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    best = (unit @ unit.T)[:, [0, 3, 12, 15]]
    for token in set(range(30)) - kept:
        at = plan.origin[plan.map[token]]
        assert at == [0, 3, 12, 15][int(best[token].argmax())]


@pytest.mark.parametrize("call, message", [
    (lambda p, x: p.merge_table(x), r"expected \[20, 20\]"),
    (lambda p, x: p.merge_tensors([x[:5]]), r"tensors\[0\]: expected \[20, c"),
    (lambda p, x: p.merge_tensors([x, x], combine=["mean"]), "one for each"),
    (lambda p, x: p.merge_tensors([x], combine="none"), "combine"),
    (lambda p, x: p.merge_table(x @ x.T, combine="mlerp"), "merge_table"),
    (lambda p, x: p.merge_table(x @ x.T, x[0]), "size: expected 20"),
    (lambda p, x: tomerge.partition_grid(4, 4, 0, 2), "4 x 4 tokens"),
    (lambda p, x: tomerge.partition_grid(4, 4, seed=-1), "seed"),
    (lambda p, x: tomerge.partition_list(4, [4]), "there are 4 tokens"),
    (lambda p, x: tomerge.plan(x, 3, role=np.full(20, 4)), "plan"),
])
def test_refused(random, call, message):
    x = normal(random, 20, 6)
    with pytest.raises(ValueError, match=message):
        call(tomerge.plan(x, 5), x)


def test_packed_rows_are_refused(random):
    x = normal(random, 20, 6)
    plan = tomerge.plan(x, 2, offsets=[0, 9, 20])
    with pytest.raises(ValueError, match="one tensor at a time"):
        plan.merge_tensors([x])
    with pytest.raises(ValueError, match="not of packed"):
        plan.merge_table(x)

# SPDX-License-Identifier: MIT
"""NumPy arrays in every form, in place; what is refused, and how."""

import numpy as np
import pytest
import tomerge

RANDOM = np.random.default_rng(1)
B, T, C, H = 3, 21, 12, 8


def floats(*shape):
    return RANDOM.standard_normal(shape, np.float32)


METRIC, X = floats(B, T, H), floats(B, T, C)
SIZE = RANDOM.integers(1, 5, (B, T)).astype(np.float32)


def by_hand(plan, x, size):
    """The weighted mean of every group, in double."""
    rows = plan.rows
    y, total = np.zeros((len(x), rows, x.shape[-1])), np.zeros((len(x), rows))
    for s, each in enumerate(plan.map):
        np.add.at(total[s], each, size[s])
        np.add.at(y[s], each, x[s].astype(np.float64) * size[s][:, None])
    return y / total[..., None], total


def test_weighted_mean():
    plan = tomerge.plan(METRIC, 4, protect=1)
    assert (plan.sequences, plan.tokens, plan.rows) == (B, T, T - 4)
    assert plan.map.shape == plan.origin.shape == (B, T)
    assert plan.map.dtype == np.int32 and (plan.map[:, 0] == 0).all()
    y, size = plan.merge(X, SIZE)
    expected, total = by_hand(plan, X, SIZE)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(size, total)
    assert y.dtype == size.dtype == np.float32
    back = plan.unmerge(y)
    assert np.array_equal(back, np.take_along_axis(
        y, plan.map[:, :, None].astype(np.int64), axis=1))


@pytest.mark.parametrize("combine, function", [
    ("mean", np.mean), ("sum", np.sum), ("max", np.max)])
def test_other_combinations(combine, function):
    plan = tomerge.plan(METRIC[0], 5)
    y, size = plan.merge(X[0], SIZE[0], combine=combine)
    for j in range(plan.rows):
        group = X[0][plan.map == j]
        np.testing.assert_allclose(y[j], function(group, axis=0), rtol=1e-5,
                                   atol=1e-6)
        assert size[j] == SIZE[0][plan.map == j].sum()
    kept, _ = plan.merge(X[0], combine="keep")
    assert np.array_equal(kept, X[0][plan.origin[:plan.rows]])


def test_one_sequence_is_a_batch_of_one():
    batch = tomerge.plan(METRIC, [3, 4, 5], protect=2)
    y = [batch.merge(X.reshape(-1, C), SIZE)[0]]
    for s, r in enumerate((3, 4, 5)):
        plan = tomerge.plan(METRIC[s], r, protect=2)
        assert np.array_equal(plan.map, batch.map[s])
        first, end = batch.offsets_out[s:s + 2]
        assert np.array_equal(plan.merge(X[s], SIZE[s])[0], y[0][first:end])
    with pytest.raises(ValueError, match="different numbers of rows"):
        batch.rows
    with pytest.raises(ValueError, match="different numbers of rows"):
        batch.merge(X)


def test_packed_sequences_of_any_length():
    lengths = [5, 0, 12, 1]
    offsets = np.cumsum([0] + lengths)
    metric, x = floats(offsets[-1], H), floats(offsets[-1], C)
    plan = tomerge.plan(metric, 2, offsets=offsets)
    assert np.diff(plan.offsets_out).tolist() == [3, 0, 10, 1]
    y, size = plan.merge(x)
    back = plan.unmerge(y)
    for s, (first, end) in enumerate(zip(offsets, offsets[1:])):
        if first == end:
            continue
        alone = tomerge.plan(metric[first:end], 2)
        out = slice(*plan.offsets_out[s:s + 2])
        assert np.array_equal(alone.map, plan.map[first:end])
        assert np.array_equal(alone.merge(x[first:end])[0], y[out])
        assert np.array_equal(alone.unmerge(y[out]), back[first:end])


def test_views_in_place():
    """Slices with gaps between rows, between sequences, and backwards."""
    plan = tomerge.plan(METRIC, 4)
    y, size = plan.merge(X, SIZE)
    wide = floats(B, T + 2, 3 * C)
    for view in (wide[:, 1:-1, C:2 * C], wide[:, :T, C:2 * C],
                 floats(B, T, 2 * C)[:, :, :C], wide[::-1, T:0:-1, :C]):
        view[:] = X
        assert np.array_equal(plan.merge(view, SIZE)[0], y)
    room = np.full((B, T, 2 * C), 7, np.float32)
    for out in (room[:, 1:T - 3, 3:3 + C], room[:, :T - 4, C:]):
        room[:] = 7
        found, _ = plan.merge(X, SIZE, out=out)
        assert found is out and np.array_equal(out, y)
        assert (room == 7).sum() >= room.size - out.size
        out[:] = 7
        assert (room == 7).all()
    wide_metric = floats(B, T + 3, 2 * H)
    wide_metric[:, 2:-1, H:] = METRIC
    again = tomerge.plan(wide_metric[:, 2:-1, H:], 4)
    assert np.array_equal(again.map, plan.map)
    assert np.array_equal(again.offsets_out, plan.offsets_out)
    rows = room[:, :T - 4, 3:3 + C]
    rows[:] = y
    back = floats(B, T + 1, C)[:, 1:]
    assert np.array_equal(plan.unmerge(rows, out=back), plan.unmerge(y))


def test_float16():
    metric, x = METRIC.astype(np.float16), X.astype(np.float16)
    plan = tomerge.plan(metric, 4)
    assert np.array_equal(
        plan.map, tomerge.plan(metric.astype(np.float32), 4).map)
    y, size = plan.merge(x, SIZE)
    assert y.dtype == np.float16 and size.dtype == np.float32
    expected, _ = by_hand(plan, x, SIZE)
    np.testing.assert_allclose(y, expected, rtol=2.0 ** -11, atol=1e-7)
    wide = np.empty(y.shape, np.float32)
    plan.merge(x, SIZE, out=wide)
    np.testing.assert_allclose(wide, expected, rtol=1e-5, atol=1e-6)


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    y, _ = tomerge.plan(METRIC.astype(bfloat16), 4).merge(X.astype(bfloat16))
    assert y.dtype == bfloat16


def test_threads_change_nothing():
    metric, x = floats(9, T, H), floats(9, T, C)
    one = tomerge.plan(metric, 6, threads=1)
    for threads in (2, 5, 64):
        many = tomerge.plan(metric, 6, threads=threads)
        assert np.array_equal(one.map, many.map)
        assert np.array_equal(one.merge(x, threads=1)[0],
                              many.merge(x, threads=threads)[0])


def test_trace_over_layers():
    x, plans, tokens = X, [], T
    for r in (4, 0, 6, 100):
        plans.append(tomerge.plan(x, r, protect=1))
        x, size = plans[-1].merge(x)
        tokens = plans[-1].rows
    trace = tomerge.trace(plans)
    assert trace.shape == (B, T) and trace.dtype == np.int32
    for s in range(B):
        expected = np.arange(T)
        for plan in plans:
            expected = plan.map[s][expected]
        assert np.array_equal(trace[s], expected)
    assert trace.max() == tokens - 1
    strided = tomerge.plan(METRIC[0], 0, method="strided", stride=4)
    assert (strided.map == -1).sum() == T % 4
    assert np.array_equal(tomerge.plan(METRIC[0][:T // 4], 0).trace(
        strided.map), strided.map)
    assert (strided.unmerge(strided.merge(X[0])[0])[-(T % 4):] == 0).all()


def test_methods_and_similarities():
    maps = [tomerge.plan(METRIC, 4, method=method).map.tobytes()
            for method in ("alternating", "sequential", "random")]
    maps += [tomerge.plan(METRIC, 4, similarity=similarity).map.tobytes()
             for similarity in ("dot", "euclidean")]
    assert len(set(maps)) == len(maps)
    assert not np.array_equal(tomerge.plan(METRIC, 4, method="random").map,
                              tomerge.plan(METRIC, 4, method="random",
                                           seed=1).map)


def test_mean_heads():
    qkv = floats(B, T, 3, 4, H)
    keys = qkv[:, :, 1].transpose(0, 2, 1, 3)
    np.testing.assert_allclose(tomerge.mean_heads(keys), keys.mean(1),
                               rtol=1e-5, atol=1e-6)
    assert np.array_equal(tomerge.mean_heads(keys[1]),
                          tomerge.mean_heads(keys)[1])


def test_nothing_to_do():
    for shape in ((0, H), (0, T, H), (B, 0, H), (1, H)):
        plan = tomerge.plan(np.zeros(shape, np.float32), 3)
        x = floats(*shape[:-1], C)
        y, size = plan.merge(x)
        assert np.array_equal(y, x) and size.shape == shape[:-1]
        assert plan.unmerge(y).shape == x.shape


def test_rows_that_never_merge():
    metric = METRIC.copy()
    metric[1, ::2] = np.nan
    plan = tomerge.plan(metric, 4)
    assert np.diff(plan.offsets_out).tolist() == [T - 4, T, T - 4]


@pytest.mark.parametrize("arguments, error, message", [
    ((METRIC.astype(np.float64), 4), TypeError, "expected float32.*float64"),
    ((METRIC.astype(np.int32), 4), TypeError, "found int32"),
    ((METRIC.astype(">f4"), 4), TypeError, "found >f4"),
    ((METRIC.tolist(), 4), TypeError, "NumPy array or a torch tensor.*list"),
    ((METRIC[0, 0], 4), ValueError, "2 or 3 dimensions"),
    ((METRIC[..., :0], 4), ValueError, "no channels"),
    ((METRIC.transpose(0, 2, 1), 4), ValueError, "contiguous.*stride of 8"),
    ((METRIC, -1), ValueError, "r: .*at least 0, found -1"),
    ((METRIC, 2.5), TypeError, "r: .*whole number.*2.5"),
    ((METRIC, [1, 2]), ValueError, "each of 3 sequences, found 2"),
    ((METRIC, [1, 2, "3"]), TypeError, "r: .*'3'"),
])
def test_refused_plans(arguments, error, message):
    with pytest.raises(error, match=message):
        tomerge.plan(*arguments)


@pytest.mark.parametrize("options, error, message", [
    ({"protect": -1}, ValueError, "protect"),
    ({"method": "best"}, ValueError, "method: expected one of alternating"),
    ({"similarity": 3}, ValueError, "similarity: expected one of cosine"),
    ({"stride": 1}, ValueError, "stride: expected at least 2"),
    ({"threads": 0}, ValueError, "threads"),
    ({"offsets": [0, 21]}, ValueError, "expected 2 dimensions"),
])
def test_refused_options(options, error, message):
    with pytest.raises(error, match=message):
        tomerge.plan(METRIC, 4, **options)


@pytest.mark.parametrize("offsets", [[0], [1, 21], [0, 20], [0, 9, 8, 21]])
def test_refused_offsets(offsets):
    with pytest.raises(ValueError, match="rise from 0 to the metric's 21"):
        tomerge.plan(METRIC[0], 4, offsets=offsets)


def test_refused_rows():
    plan = tomerge.plan(METRIC, 4)
    fixed = np.zeros((B, T - 4, C), np.float32)
    fixed.flags.writeable = False
    for call, error, message in [
            (lambda: plan.merge(X[:, 1:]), ValueError,
             r"x: expected \[3, 21, channels\], found shape \(3, 20, 12\)"),
            (lambda: plan.merge(X, SIZE[:, 1:]), ValueError,
             "size: expected 63 values"),
            (lambda: plan.merge(X, np.repeat(SIZE, 2, 1)[:, ::2]), ValueError,
             "size: expected a contiguous array"),
            (lambda: plan.merge(X, SIZE.astype(np.float64)), TypeError,
             "size: expected float32, found float64"),
            (lambda: plan.merge(X, -SIZE), tomerge.Error, "merge: "),
            (lambda: plan.merge(X, combine="median"), ValueError,
             "combine: expected one of weighted"),
            (lambda: plan.merge(X, out=fixed), ValueError, "read-only"),
            (lambda: plan.merge(X, out=X), ValueError, "out: expected"),
            (lambda: plan.merge(X, out=floats(B, T - 4, C + 1)), ValueError,
             r"out: expected shape \(3, 17, 12\)"),
            (lambda: plan.unmerge(X), ValueError, "y: expected"),
            (lambda: tomerge.trace([]), ValueError, "no plans"),
            (lambda: plan.trace(np.zeros((B + 1, T))), ValueError, "trace"),
            (lambda: plan.trace(np.full((B, T), T)), tomerge.Error, "trace"),
            (lambda: tomerge.mean_heads(X[:0]), ValueError, "no heads")]:
        with pytest.raises(error, match=message):
            call()

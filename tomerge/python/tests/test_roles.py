# SPDX-License-Identifier: MIT
"""Roles of tokens, order of rows, rounds of matching."""

import numpy as np
import pytest
import tomerge
from tomerge import Role

RANDOM = np.random.default_rng(7)
B, T, C = 3, 24, 8
METRIC = RANDOM.standard_normal((B, T, C), np.float32)
SIZE = RANDOM.integers(1, 5, (B, T)).astype(np.float32)


def roles(**tokens):
    """[B, T]: the named role at these positions, in every sequence."""
    role = np.zeros((B, T), np.uint8)
    for name, positions in tokens.items():
        role[:, positions] = Role[name]
    return role


def test_protected_tokens_keep_rows_of_their_own():
    free = tomerge.plan(METRIC, 8)
    merged = [s for s in range(B) for t in (5, 8)
              if (free.map[s] == free.map[s, t]).sum() > 1]
    plan = tomerge.plan(METRIC, 8, role=roles(PROTECTED=[5, 8]))
    assert merged, "the tokens merge unless they are protected"
    assert (plan.map[:, 5] == 0).all() and (plan.map[:, 8] == 1).all()
    for each in plan.map:
        assert (each == each[5]).sum() == (each == each[8]).sum() == 1


def test_padding_changes_nothing_for_the_others():
    there = T - 6
    role = roles(PADDING=range(there, T))
    plan = tomerge.plan(METRIC, 5, role=role)
    short = tomerge.plan(np.ascontiguousarray(METRIC[:, :there]), 5)
    assert np.array_equal(plan.map[:, :there], short.map)
    assert (plan.map[:, there:] == np.arange(short.rows, plan.rows)).all()


def test_dropped_tokens_get_no_row():
    role = roles(DROPPED=[0, 7, 23])
    plan = tomerge.plan(METRIC, 0, role=role)
    assert (plan.map[role == Role.DROPPED] == -1).all()
    assert plan.rows == T - 3
    x = RANDOM.standard_normal((B, T, 4)).astype(np.float32)
    y, _ = plan.merge(x)
    assert np.array_equal(y, np.delete(x, [0, 7, 23], axis=1))


def test_rows_in_the_order_of_the_sequence():
    grouped = tomerge.plan(METRIC, 9, protect=1)
    plan = tomerge.plan(METRIC, 9, protect=1, order="position")
    for s in range(B):
        first = [list(plan.map[s]).index(j) for j in range(plan.rows)]
        assert first == sorted(first)
        # The same tokens have merged.
        assert np.array_equal(plan.map[s][:, None] == plan.map[s],
                              grouped.map[s][:, None] == grouped.map[s])
    assert not np.array_equal(plan.map, grouped.map)


@pytest.mark.parametrize("size", [None, SIZE])
def test_rounds_remove_more_than_half(size):
    r, most = 17, (T - 1) // 2
    plan = tomerge.plan(METRIC, r, protect=1, rounds=True, size=size)
    assert plan.rows == T - r
    assert tomerge.plan(METRIC, r, protect=1).rows == T - most
    first = tomerge.plan(METRIC, r, protect=1)
    metric, sizes = first.merge(METRIC, size)
    second = tomerge.plan(metric, r - most, protect=1)
    assert np.array_equal(plan.map, tomerge.trace([first, second]))
    # What one round can do is one round.
    once = tomerge.plan(METRIC, 5, protect=1, rounds=True, size=size)
    assert np.array_equal(once.map, tomerge.plan(METRIC, 5, protect=1).map)


@pytest.mark.parametrize("more", [{}, {"rounds": True}])
def test_every_form_of_a_batch(more):
    role = roles(PROTECTED=[3], DROPPED=[10])
    role[1, 4] = Role.DROPPED
    options = dict(role=role, order="position", **more)
    r = [4, 6, 8]
    apart = np.zeros((B, T + 1, C), np.float32)[:, :T]
    apart[:] = METRIC
    offsets = [0, T, 2 * T, 3 * T]
    plan = tomerge.plan(METRIC, r, **options)
    others = [
        tomerge.plan(apart, r, **options),
        tomerge.plan(METRIC.reshape(-1, C), r, offsets=offsets,
                     **{**options, "role": role.reshape(-1)}),
    ]
    for other in others:
        assert np.array_equal(other.map.reshape(B, T), plan.map)
        assert np.array_equal(other.offsets_out, plan.offsets_out)
    for s in range(B):
        single = tomerge.plan(METRIC[s], r[s], **{**options, "role": role[s]})
        assert np.array_equal(single.map, plan.map[s])


def test_roles_of_any_whole_numbers():
    role = roles(PROTECTED=[5, 8])
    plan = tomerge.plan(METRIC, 8, role=role)
    for other in (role.astype(np.int64), role.tolist(),
                  np.asfortranarray(role)):
        assert np.array_equal(tomerge.plan(METRIC, 8, role=other).map,
                              plan.map)


def test_torch_roles():
    torch = pytest.importorskip("torch")
    role = roles(PROTECTED=[5, 8])
    plan = tomerge.plan(torch.from_numpy(METRIC), 8,
                        role=torch.from_numpy(role))
    assert np.array_equal(plan.map, tomerge.plan(METRIC, 8, role=role).map)


def test_shared_options_stay_without_roles():
    before = tomerge.plan(METRIC, 8)
    tomerge.plan(METRIC, 8, role=roles(PROTECTED=range(T)))
    assert np.array_equal(tomerge.plan(METRIC, 8).map, before.map)


@pytest.mark.parametrize("options, error, match", [
    ({"role": np.zeros((B, T - 1), np.uint8)}, ValueError,
     r"role: expected shape \(3, 24\), found \(3, 23\)"),
    ({"role": np.full((B, T), 5)}, ValueError, "role: expected values of"),
    ({"role": np.full((B, T), -1)}, ValueError, "found -1 to -1"),
    ({"role": np.zeros((B, T))}, TypeError, "role: expected whole numbers"),
    ({"order": "sorted"}, ValueError, "order: expected one of grouped, pos"),
    ({"rounds": True, "size": np.ones(3, np.float32)}, ValueError,
     "size: expected 72 values"),
    ({"rounds": True, "size": np.zeros((B, T), np.float32)}, tomerge.Error,
     "plan: "),
])
def test_refused(options, error, match):
    with pytest.raises(error, match=match):
        tomerge.plan(METRIC, 4, **options)

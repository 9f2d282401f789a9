# SPDX-License-Identifier: MIT
"""Plans, merging, unmerging and schedules are the reference's."""

import golden
import numpy as np
import pytest
import tomerge

pytestmark = pytest.mark.skipif(golden.FOLDER is None,
                                reason="no reference data here")


def name_of(case):
    return case["file"].split(".")[0]


def to_ours(case, data, rows):
    """For every row of ours the reference's: without a class token it leaves
    unmerged rows as `unm_idx` has them, we in ascending order."""
    place = np.tile(np.arange(rows), (case["batch"], 1))
    if not case["class_token"]:
        unmerged = data["unm_idx"].reshape(case["batch"], -1)
        place[:, :unmerged.shape[1]] = np.argsort(unmerged, axis=1)
    return place


def same(found, expected):
    # A mean that cancels keeps the rounding of inputs of order 1.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2.0 ** -23)


@pytest.mark.parametrize("case", golden.index("merge"), ids=name_of)
def test_merge(case):
    data = golden.load(case["file"])
    x, batch = data["x"], case["batch"]
    protect = case["class_token"] + case["distill_token"]
    plan = tomerge.plan(data["metric"], case["r"], protect=protect)
    place = to_ours(case, data, plan.rows)

    def ordered(rows):
        return rows[np.arange(batch)[:, None], place]

    group = np.argsort(place, axis=1)[np.arange(batch)[:, None], data["group"]]
    assert np.array_equal(plan.map, group)
    y, size = plan.merge(x, data["size"])
    same(y, ordered(data["merged"]))
    same(size, ordered(data["merged_size"])[..., 0])
    unit, unit_size = plan.merge(x)
    same(unit, ordered(data["merged_unit"]))
    assert np.array_equal(unit_size, ordered(data["merged_unit_size"])[..., 0])
    assert np.array_equal(plan.merge(x, combine="max")[0],
                          ordered(data["amax"]))
    # The reference does not unmerge where there is a distillation token.
    assert ("unmerged" in data) == (not case["distill_token"])
    same(plan.unmerge(y), data.get("unmerged", np.take_along_axis(
        y, plan.map[..., None].astype(np.int64), axis=1)))


@pytest.mark.parametrize("case", golden.index("kth"), ids=name_of)
def test_strided(case):
    data = golden.load(case["file"])
    plan = tomerge.plan(data["metric"], 0, method="strided", stride=case["k"])
    y, size = plan.merge(data["x"])
    same(y, data["merged"])
    assert np.array_equal(size, data["merged_size"][..., 0])


def test_schedules():
    cases = golden.index("schedule")
    assert cases
    for case in cases:
        if "list" in case:
            found = tomerge.schedule(case["layers"], case["list"])
        else:
            found = tomerge.schedule(case["layers"],
                                     (case["r"], case["inflection"]))
            assert found == tomerge.schedule(case["layers"], case["r"],
                                             case["inflection"])
        assert found == case["out"], case

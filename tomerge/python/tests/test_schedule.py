# SPDX-License-Identifier: MIT
"""Schedules beyond the reference's, and what is refused."""

import pytest
import tomerge


def test_ratio():
    r = tomerge.schedule_for_ratio(12, 197, 0.4)
    tokens, ratio = tomerge.schedule_tokens(r, 197)
    assert abs(ratio - 0.4) < 0.5 / 197
    assert tokens[-1] == 197 - sum(r) and max(r) - min(r) <= 1


def test_tokens():
    tokens, ratio = tomerge.schedule_tokens([8] * 12, 197)
    assert tokens == [197 - 8 * (i + 1) for i in range(12)]
    assert ratio == pytest.approx(1 - sum(tokens) / 12 / 197)


def test_forms():
    assert tomerge.schedule(3, 8) == [8, 8, 8]
    assert tomerge.schedule(3, (8, -1.0)) == [16, 8, 0]
    assert tomerge.schedule(3, [5, 0]) == [5, 0, 0]
    assert tomerge.schedule(3, []) == [0, 0, 0]


@pytest.mark.parametrize("arguments, error, message", [
    ((3, -1), ValueError, "at least 0"),
    ((3, 1.5), TypeError, "expected a number, a tuple"),
    ((3, (8, -1, 2)), ValueError, r"\(r, inflection\)"),
    ((3, [1, 2, 3, 4]), ValueError, "4 numbers for 3 layers"),
    ((3, [1, 2.5]), TypeError, "2.5"),
    ((3, (8, 1.5)), tomerge.Error, "inflection from -1 to 1, found 1.5"),
    ((3, (8, float("nan"))), tomerge.Error, "inflection .* found nan"),
    ((3, [8], 0.5), ValueError, "a list of r has none"),
    ((0, 8), tomerge.Error, "schedule"),
])
def test_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        tomerge.schedule(*arguments)

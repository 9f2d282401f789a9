# SPDX-License-Identifier: MIT
"""Plans that always remove r, as tensors of fixed shapes need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arrays
from ._plan import Plan, plan


def exact_plan(metric: Any, r: int, **choices: Any) -> Plan:
    """A plan of a batch under which every image loses the same number.

    Rows with a NaN or without a direction do not merge; an image that would
    keep more rows for that merges by dot product instead, and by the dot
    product of rows of length 1 where that overflows.
    """
    result = plan(metric, r, **choices)
    expected = _rows_left(result, r, choices)
    if result.sequences == 0:
        result._rows = expected
    if result.offsets_out[-1] == expected * result.sequences:
        return result
    for finite in (_finite, _unit):
        other = plan(finite(metric), r, **dict(choices, similarity="dot"))
        rows = np.diff(result.offsets_out)
        odd = rows != expected
        result.map[odd], result.origin[odd] = other.map[odd], other.origin[odd]
        rows[odd] = np.diff(other.offsets_out)[odd]
        result.offsets_out[1:] = np.cumsum(rows)
        if (rows == expected).all():
            break
    return result


def _rows_left(result: Plan, r: int, choices: dict) -> int:
    """What is left where nothing stands in the way of merging."""
    if choices.get("method") == "strided":
        return result.rows
    most = max(result.tokens - choices.get("protect", 0), 0) // 2
    return result.tokens - min(r, most)


def _finite(metric: Any) -> Any:
    if _arrays.torch_of(metric) is not None:
        return metric.nan_to_num(0.0, 0.0, 0.0)
    return np.nan_to_num(metric, nan=0.0, posinf=0.0, neginf=0.0)


def _unit(metric: Any) -> Any:
    """Rows whose largest entry is 1, or 0."""
    metric = _finite(metric)
    if _arrays.torch_of(metric) is not None:
        return metric / metric.abs().amax(-1, keepdim=True).clamp_min(1e-30)
    largest = np.abs(metric).max(-1, keepdims=True)
    return metric / np.maximum(largest, np.float32(1e-30))

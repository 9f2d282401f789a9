# SPDX-License-Identifier: MIT
"""The order of rows that the paper's own implementation leaves.

With a class token it is the library's: protected tokens, unmerged sources,
destinations. Without one, unmerged sources come by falling similarity to
their nearest destination. The next layer takes every second row for a source,
so what merges there depends on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arrays


def reorder(plan: Any, metric: Any, similarity: str) -> None:
    """Puts the unmerged sources of an alternating plan in that order."""
    rows = _as_floats(metric).reshape(plan.map.size, -1)
    map, origin = plan.map.reshape(-1), plan.origin.reshape(-1)
    for s in range(plan.sequences):
        first, end = int(plan.offsets[s]), int(plan.offsets[s + 1])
        removed = end - first - int(plan.offsets_out[s + 1] -
                                    plan.offsets_out[s])
        unmerged = (end - first + 1) // 2 - removed
        if removed == 0 or unmerged <= 0:
            continue
        own = origin[first:first + unmerged]
        best = _scores(rows[first:end], own, similarity)
        own[:] = own[np.argsort(-best, kind="stable")]
        map[first + own] = np.arange(unmerged)


def _scores(rows: np.ndarray, sources: np.ndarray,
            similarity: str) -> np.ndarray:
    a, b = rows[sources], rows[1::2]
    if similarity == "cosine":
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = (part / np.linalg.norm(part, axis=-1, keepdims=True)
                    for part in (a, b))
    products = a @ b.T
    if similarity == "euclidean":
        products = 2 * products - (b * b).sum(-1) - (a * a).sum(-1)[:, None]
    elif similarity == "softmax":
        products = products / np.float32(a.shape[-1]) ** 0.5
        weights = np.exp(products - products.max(-1, keepdims=True))
        products = weights / weights.sum(-1, keepdims=True)
    products = np.where(np.isnan(products), -np.inf, products)
    return products.max(-1)


def _as_floats(metric: Any) -> np.ndarray:
    if _arrays.torch_of(metric) is not None:
        return metric.detach().float().contiguous().numpy()
    return np.ascontiguousarray(metric, np.float32)

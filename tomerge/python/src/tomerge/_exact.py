# SPDX-License-Identifier: MIT
"""Plans that always remove r, as tensors of fixed shapes need them."""

from __future__ import annotations

from typing import Any

from ._plan import Plan, plan


def exact_plan(metric: Any, r: int, **choices: Any) -> Plan:
    """A plan of a batch, or of no image, under which each loses r."""
    result = plan(metric, r, exact=True, **choices)
    if result.sequences == 0:
        most = max(result.tokens - choices.get("protect", 0), 0) // 2
        result._rows = result.tokens - min(r, most)
    return result

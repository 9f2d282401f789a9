# SPDX-License-Identifier: MIT
"""What else belongs to tokens, merged by the same plan: several tensors at
once, and tables with an entry for each pair of tokens."""

from __future__ import annotations

from ctypes import byref, c_size_t
from typing import Any, Optional, Sequence, Union

import numpy as np

from . import _arguments, _arrays
from ._library import COMBINES, Tensor, View, check, library, number_of


def _inner(buffer: _arrays.Buffer, kind: str) -> tuple:
    """(parts, elements between them, elements between sequences)."""
    shape, strides = buffer.shape, buffer.strides
    batch = 1 if kind == "batch" else 0
    if len(shape) - batch == 2:
        return 1, 0, strides[0] if batch else 0
    return shape[batch], strides[batch], strides[0] if batch else 0


def _describe(plan: Any, array: Any, name: str, ends: tuple) -> _arrays.Buffer:
    """Memory of [batch,] [heads,] tokens, channels, its shape checked."""
    if _arrays.torch_of(array) is not None and array.requires_grad and \
            _arrays.torch_of(array).is_grad_enabled():
        raise ValueError(f"{name}: there is no gradient here; use merge, or "
                         "torch.no_grad()")
    batch = plan._kind == "batch"
    buffer = _arrays.describe(array, name, (3, 4) if batch else (2, 3))
    shape = buffer.shape
    good = shape[-len(ends):] == ends if len(ends) == 2 else \
        shape[-2] == ends[0]
    if not good or (batch and shape[0] != plan.sequences):
        said = ", ".join(map(str, ends)) + ("" if len(ends) == 2
                                            else ", channels")
        first = f"{plan.sequences}, " if batch else ""
        raise ValueError(f"{name}: expected [{first}{said}], or with heads "
                         f"[{first}heads, {said}], found shape {shape}")
    return buffer


def _view(buffer: _arrays.Buffer, sequence: int, step: int) -> View:
    offset = sequence * step * _arrays.ELEMENT[buffer.dtype]
    return View(buffer.pointer + offset, buffer.strides[-2], buffer.dtype)


def _sizes(plan: Any, size: Any) -> Optional[int]:
    return None if size is None else _arrays.floats(size, "size",
                                                    plan.map.size)


def merge_tensors(plan: Any, tensors: Sequence[Any], size: Any = None, *,
                  combine: Union[str, Sequence[str]] = "weighted") -> tuple:
    """See :meth:`tomerge.Plan.merge_tensors`."""
    if plan._kind == "packed":
        raise ValueError("packed sequences merge one tensor at a time, by "
                         "merge")
    tensors = list(tensors)
    each = [combine] * len(tensors) if isinstance(combine, str) else list(
        combine)
    if len(each) != len(tensors):
        raise ValueError(f"combine: expected one for each of {len(tensors)} "
                         f"tensors, found {len(each)}")
    numbers = [number_of(COMBINES, one, "combine") for one in each]
    sources = [_describe(plan, x, f"tensors[{i}]", (plan.tokens,))
               for i, x in enumerate(tensors)]
    outs = [_arrays.empty_like(x, s.shape[:-2] + (plan.rows, s.shape[-1]))
            for x, s in zip(tensors, sources)]
    targets = [_arrays.describe(y, "out", (2, 3, 4)) for y in outs]
    like = tensors[0] if tensors else np.empty(0, np.float32)
    size_out = _arrays.empty_floats_like(
        like, (plan.sequences, plan.rows) if plan._kind == "batch"
        else (plan.rows,))
    size_at, out_at = _sizes(plan, size), _arrays.pointer(size_out)
    work, room = _arguments.merge_space(plan.offsets, 1)
    for s in range(plan.sequences):
        made = (Tensor * len(tensors))()
        for one, number, x, y in zip(made, numbers, sources, targets):
            one.combine, one.channels = number, x.shape[-1]
            one.parts, one.x_part, step = _inner(x, plan._kind)
            one.x = _view(x, s, step)
            _, one.y_part, step = _inner(y, plan._kind)
            one.y = _view(y, s, step)
        check(library.tomerge_merge_tensors(
            plan._single(s), len(tensors), made,
            size_at and size_at + 4 * s * plan.tokens,
            out_at + 4 * s * plan.rows, work, room), "merge_tensors")
    return outs, size_out


def merge_table(plan: Any, x: Any, size: Any = None, *,
                combine: str = "weighted") -> Any:
    """See :meth:`tomerge.Plan.merge_table`."""
    if plan._kind == "packed":
        raise ValueError("tables are of one sequence or a batch, not of packed "
                         "sequences")
    number = number_of(COMBINES, combine, "combine")
    source = _describe(plan, x, "x", (plan.tokens, plan.tokens))
    out = _arrays.empty_like(x, source.shape[:-2] + (plan.rows, plan.rows))
    target = _arrays.describe(out, "out", (2, 3, 4))
    size_at, need = _sizes(plan, size), c_size_t()
    check(library.tomerge_merge_table_workspace(plan.tokens, byref(need)),
          "merge_table")
    work, room = _arguments.space(need.value)
    for s in range(plan.sequences):
        tables, between, step = _inner(source, plan._kind)
        _, between_out, step_out = _inner(target, plan._kind)
        check(library.tomerge_merge_table(
            number, plan._single(s), tables, _view(source, s, step), between,
            size_at and size_at + 4 * s * plan.tokens,
            _view(target, s, step_out), between_out, work, room),
            "merge_table")
    return out

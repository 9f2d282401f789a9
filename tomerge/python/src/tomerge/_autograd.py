# SPDX-License-Identifier: MIT
"""Merging and unmerging as functions that torch differentiates."""

from __future__ import annotations

from typing import Any, Optional

import torch

from . import _arguments, _arrays
from ._library import COMBINES, View, check, library


class _Merge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Any, x: Any, size: Any, choices: dict) -> Any:
        y, size_out = plan.merge(x.detach(), _detached(size), **choices)
        ctx.plan, ctx.combine = plan, choices["combine"]
        ctx.save_for_backward(x, size)
        if size is None:
            ctx.mark_non_differentiable(size_out)
        return y, size_out

    @staticmethod
    def backward(ctx: Any, grad_y: Any, grad_size_out: Any) -> tuple:
        x, size = ctx.saved_tensors
        if size is None:
            grad_size_out = None
        grad_x, grad_size = _merge_backward(
            ctx.plan, ctx.combine, x.detach(), _detached(size), grad_y,
            grad_size_out, ctx.needs_input_grad[2])
        return None, grad_x, grad_size, None


class _Unmerge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Any, y: Any, choices: dict) -> Any:
        ctx.plan = plan
        return plan.unmerge(y.detach(), **choices)

    @staticmethod
    def backward(ctx: Any, grad_x: Any) -> tuple:
        return None, _unmerge_backward(ctx.plan, grad_x), None


def merge(plan: Any, x: Any, size: Any, **choices: Any) -> Any:
    return _Merge.apply(plan, x, size, choices)


def unmerge(plan: Any, y: Any, **choices: Any) -> Any:
    return _Unmerge.apply(plan, y, choices)


# ---- sequence by sequence, as libtomerge has gradients ----


def _detached(size: Any) -> Any:
    return None if size is None else size.detach()


def _at(floats: Any, row: int) -> Optional[int]:
    return None if floats is None else floats.data_ptr() + 4 * row


def _part(rows: Any, sequence: int, first: int) -> View:
    """One sequence's rows, of a batch or of packed rows."""
    buffer = _arrays.describe(rows, "gradient", (2, 3))
    if len(buffer.shape) == 3:
        return buffer.view(sequence)
    offset = first * buffer.strides[0] * _arrays.ELEMENT[buffer.dtype]
    return View(buffer.pointer + offset, buffer.strides[0], buffer.dtype)


def _merge_backward(plan: Any, combine: str, x: Any, size: Any, grad_y: Any,
                    grad_size_out: Any, wants_size: bool) -> tuple:
    grad_y = grad_y.contiguous()
    if grad_size_out is not None:
        grad_size_out = grad_size_out.contiguous()
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    grad_size = torch.empty(size.shape) if wants_size else None
    work, room = _arguments.merge_space(plan.offsets, 1)
    for s in range(plan.sequences):
        first, first_out = int(plan.offsets[s]), int(plan.offsets_out[s])
        check(library.tomerge_merge_backward(
            COMBINES[combine], plan._single(s), x.shape[-1],
            _part(x, s, first), _at(size, first), _part(grad_y, s, first_out),
            _at(grad_size_out, first_out), _part(grad_x, s, first),
            _at(grad_size, first), work, room), "the gradient of merge")
    return grad_x, grad_size


def _unmerge_backward(plan: Any, grad_x: Any) -> Any:
    grad_x = grad_x.contiguous()
    shape = plan._shape_out(grad_x.ndim, grad_x.shape[-1])
    grad_y = torch.empty(shape, dtype=grad_x.dtype)
    work, room = _arguments.merge_space(plan.offsets, 1)
    for s in range(plan.sequences):
        check(library.tomerge_unmerge_backward(
            plan._single(s), grad_x.shape[-1],
            _part(grad_x, s, int(plan.offsets[s])),
            _part(grad_y, s, int(plan.offsets_out[s])), work, room),
            "the gradient of unmerge")
    return grad_y

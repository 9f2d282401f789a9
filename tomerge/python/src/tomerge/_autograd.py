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
        ctx.plan, ctx.choices = plan, choices
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
            ctx.plan, ctx.choices, x.detach(), _detached(size), grad_y,
            grad_size_out, ctx.needs_input_grad[2])
        return None, grad_x, grad_size, None


class _Unmerge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Any, y: Any, choices: dict) -> Any:
        ctx.plan, ctx.choices = plan, choices
        return plan.unmerge(y.detach(), **choices)

    @staticmethod
    def backward(ctx: Any, grad_x: Any) -> tuple:
        return None, _unmerge_backward(ctx.plan, ctx.choices, grad_x), None


def merge(plan: Any, x: Any, size: Any, **choices: Any) -> Any:
    return _Merge.apply(plan, x, size, choices)


def unmerge(plan: Any, y: Any, **choices: Any) -> Any:
    return _Unmerge.apply(plan, y, choices)


# ---- as libtomerge has gradients, for all sequences at once ----


def _detached(size: Any) -> Any:
    return None if size is None else size.detach()


def _address(floats: Any) -> Optional[int]:
    return None if floats is None else floats.data_ptr()


def _view(rows: Any) -> View:
    return _arrays.describe(rows, "gradient", (2, 3)).view()


def _merge_backward(plan: Any, choices: dict, x: Any, size: Any, grad_y: Any,
                    grad_size_out: Any, wants_size: bool) -> tuple:
    x, grad_y = x.contiguous(), grad_y.contiguous()
    if grad_size_out is not None:
        grad_size_out = grad_size_out.contiguous()
    grad_x = torch.empty(x.shape, dtype=x.dtype)
    grad_size = torch.empty(size.shape) if wants_size else None
    if plan.sequences:
        team = _arrays.threads_for(choices["threads"], x, plan.sequences)
        work, room = _arguments.merge_space(plan.offsets, team)
        offsets, offsets_out, rows, origin = plan._at
        check(library.tomerge_merge_backward_batch(
            COMBINES[choices["combine"]], plan.sequences, offsets,
            offsets_out, rows, origin, x.shape[-1], _view(x), _address(size),
            _view(grad_y), _address(grad_size_out), _view(grad_x),
            _address(grad_size), team, work, room), "the gradient of merge")
    return grad_x, grad_size


def _unmerge_backward(plan: Any, choices: dict, grad_x: Any) -> Any:
    grad_x = grad_x.contiguous()
    shape = plan._shape_out(grad_x.ndim, grad_x.shape[-1])
    grad_y = torch.empty(shape, dtype=grad_x.dtype)
    if plan.sequences:
        team = _arrays.threads_for(choices["threads"], grad_x, plan.sequences)
        work, room = _arguments.merge_space(plan.offsets, team)
        offsets, offsets_out, rows, _ = plan._at
        check(library.tomerge_unmerge_backward_batch(
            plan.sequences, offsets, offsets_out, rows, grad_x.shape[-1],
            _view(grad_x), _view(grad_y), team, work, room),
            "the gradient of unmerge")
    return grad_y

# SPDX-License-Identifier: MIT
"""Merging and unmerging as functions that torch differentiates."""

from __future__ import annotations

from typing import Any

import torch


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
        grad_x, grad_size = ctx.plan._merge_backward(
            x.detach(), _detached(size), grad_y.contiguous(),
            grad_size_out.contiguous() if size is not None else None,
            ctx.combine, ctx.needs_input_grad[2])
        return None, grad_x, grad_size, None


class _Unmerge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Any, y: Any, choices: dict) -> Any:
        ctx.plan = plan
        return plan.unmerge(y.detach(), **choices)

    @staticmethod
    def backward(ctx: Any, grad_x: Any) -> tuple:
        return None, ctx.plan._unmerge_backward(grad_x.contiguous()), None


def _detached(size: Any) -> Any:
    return None if size is None else size.detach()


def merge(plan: Any, x: Any, size: Any, **choices: Any) -> Any:
    return _Merge.apply(plan, x, size, choices)


def unmerge(plan: Any, y: Any, **choices: Any) -> Any:
    return _Unmerge.apply(plan, y, choices)

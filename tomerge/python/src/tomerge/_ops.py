# SPDX-License-Identifier: MIT
"""Merging as operators of torch: ``torch.ops.tomerge``.

They have shapes for compilers (a call always removes r, see
:func:`tomerge._plain.rows_left`), gradients that can be traced, and kernels
on the CPU that are libtomerge's.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import torch
from torch import Tensor

from . import _plain
from ._autograd import _merge_backward, _unmerge_backward
from ._exact import exact_plan
from ._plan import Plan

_operator = torch.library.custom_op


def _plan_of(map: Tensor, origin: Tensor) -> Plan:
    return Plan.of_batch(map.detach().contiguous().numpy(),
                         origin.detach().contiguous().numpy())


@_operator("tomerge::match", mutates_args=(), device_types="cpu")
def match(metric: Tensor, r: int, protect: int, method: str, similarity: str,
          order: str, threads: Optional[int]) -> tuple[Tensor, Tensor]:
    """Map ``[batch, tokens]`` and origin ``[batch, rows]``, int32."""
    plan = exact_plan(metric.detach().contiguous(), r, protect=protect,
                      method=method, similarity=similarity, order=order,
                      threads=threads)
    rows = _plain.rows_left(metric.shape[1], r, protect)
    origin = np.ascontiguousarray(plan.origin[:, :rows])
    return torch.from_numpy(plan.map), torch.from_numpy(origin)


@match.register_fake
def _(metric, r, protect, method, similarity, order, threads):
    batch, tokens = metric.shape[:2]
    rows = _plain.rows_left(tokens, r, protect)
    return (metric.new_empty((batch, tokens), dtype=torch.int32),
            metric.new_empty((batch, rows), dtype=torch.int32))


def _no_gradient(ctx, *gradients):
    """Which tokens merge is piecewise constant in the metric."""
    return (None,) * 7


match.register_autograd(_no_gradient)


@_operator("tomerge::merge", mutates_args=(), device_types="cpu")
def merge(x: Tensor, size: Optional[Tensor], map: Tensor, origin: Tensor,
          combine: str, threads: Optional[int]) -> tuple[Tensor, Tensor]:
    """The rows after merging and their sizes."""
    return _plan_of(map, origin).merge(
        x.detach().contiguous(), None if size is None else size.contiguous(),
        combine=combine, threads=threads)


@merge.register_fake
def _(x, size, map, origin, combine, threads):
    rows = origin.shape[1]
    return (x.new_empty((x.shape[0], rows, x.shape[2])),
            x.new_empty((x.shape[0], rows), dtype=torch.float32))


@_operator("tomerge::merge_backward", mutates_args=(), device_types="cpu")
def merge_backward(x: Tensor, size: Optional[Tensor], map: Tensor,
                   origin: Tensor, grad_y: Tensor, grad_size: Tensor,
                   combine: str, threads: Optional[int]
                   ) -> tuple[Tensor, Tensor]:
    choices = {"combine": combine, "threads": threads}
    if size is None:
        size = torch.ones(map.shape)
    return _merge_backward(
        _plan_of(map, origin), choices, x.detach(), size.contiguous(), grad_y,
        grad_size, True)


@merge_backward.register_fake
def _(x, size, map, origin, grad_y, grad_size, combine, threads):
    return torch.empty_like(x), x.new_empty(map.shape, dtype=torch.float32)


def _save_merge(ctx, inputs, output):
    x, size, map, origin, ctx.combine, ctx.threads = inputs
    ctx.save_for_backward(x, size, map, origin)


def _backward_merge(ctx, grad_y, grad_size):
    x, size, map, origin = ctx.saved_tensors
    if grad_y is None:
        grad_y = x.new_zeros((x.shape[0], origin.shape[1], x.shape[2]))
    if grad_size is None:
        grad_size = x.new_zeros(origin.shape, dtype=torch.float32)
    grad_x, grad_in = torch.ops.tomerge.merge_backward(
        x, size, map, origin, grad_y, grad_size, ctx.combine, ctx.threads)
    return (grad_x, None if size is None else grad_in, None, None, None, None)


merge.register_autograd(_backward_merge, setup_context=_save_merge)


@_operator("tomerge::unmerge", mutates_args=(), device_types="cpu")
def unmerge(y: Tensor, map: Tensor, threads: Optional[int]) -> Tensor:
    """Every row back to all tokens that went into it."""
    plan = Plan.of_batch(map.detach().contiguous().numpy(), None, y.shape[1])
    return plan.unmerge(y.detach().contiguous(), threads=threads)


@unmerge.register_fake
def _(y, map, threads):
    return y.new_empty((y.shape[0], map.shape[1], y.shape[2]))


@_operator("tomerge::unmerge_backward", mutates_args=(), device_types="cpu")
def unmerge_backward(grad_x: Tensor, map: Tensor, rows: int,
                     threads: Optional[int]) -> Tensor:
    plan = Plan.of_batch(map.detach().contiguous().numpy(), None, rows)
    return _unmerge_backward(plan, {"threads": threads}, grad_x)


@unmerge_backward.register_fake
def _(grad_x, map, rows, threads):
    return grad_x.new_empty((grad_x.shape[0], rows, grad_x.shape[2]))


def _save_unmerge(ctx, inputs, output):
    y, map, ctx.threads = inputs
    ctx.rows = y.shape[1]
    ctx.save_for_backward(map)


def _backward_unmerge(ctx, grad_x):
    map, = ctx.saved_tensors
    return torch.ops.tomerge.unmerge_backward(
        grad_x, map, ctx.rows, ctx.threads), None, None


unmerge.register_autograd(_backward_unmerge, setup_context=_save_unmerge)


def direct(x: Tensor) -> bool:
    """Whether a call may go to the library at once: nobody traces, compiles,
    transforms or watches the operations on this tensor."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return (type(x) in (Tensor, torch.nn.Parameter)
            and torch._C._len_torch_dispatch_stack() == 0
            and not torch._C._functorch.is_functorch_wrapped_tensor(x))

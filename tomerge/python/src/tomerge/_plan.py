# SPDX-License-Identifier: MIT
"""Plans: which tokens merge, and what can be done with that."""

from __future__ import annotations

import ctypes
import operator
from typing import Any, Iterable, Optional, Sequence, TypeVar, Union

import numpy as np

from . import _arrays
from ._library import (COMBINES, METHODS, SIMILARITIES, Options, PlanStruct,
                       check, library, number_of)

#: A NumPy array or a torch CPU tensor; what goes in comes out.
Array = TypeVar("Array")


class Plan:
    """How the tokens of one or more sequences merge.

    Made by :func:`plan`. Its sequences have the form of the metric it was
    made from: one sequence ``[tokens, channels]``, a batch ``[batch, tokens,
    channels]``, or packed rows ``[total, channels]`` with offsets. Rows given
    to its methods have that form too; rows of a batch may also come packed.

    Attributes:
        map: int32, ``[tokens]``, ``[batch, tokens]`` or ``[total]``: the
            output row, within its own sequence, of every input token; -1 if
            it was dropped.
        origin: int32, shaped like ``map``: for every output row the input
            token it is built on. Entries past the last row mean nothing.
        offsets: where each sequence's tokens begin in packed rows, and the
            end of the last one.
        offsets_out: the same after merging.
    """

    __slots__ = ("map", "origin", "offsets", "offsets_out", "_kind")

    def __init__(self, kind: str, shape: tuple, offsets: np.ndarray) -> None:
        self._kind = kind
        self.offsets = offsets
        self.offsets_out = np.zeros(len(offsets), np.uintp)
        self.map = np.empty(shape, np.int32)
        self.origin = np.empty(shape, np.int32)

    def __repr__(self) -> str:
        return (f"<tomerge.Plan of {self.sequences} sequence(s): "
                f"{int(self.offsets[-1] - self.offsets[0])} tokens in "
                f"{int(self.offsets_out[-1])} rows>")

    @property
    def sequences(self) -> int:
        """How many sequences the plan is for."""
        return len(self.offsets) - 1

    @property
    def tokens(self) -> int:
        """Tokens of every sequence before merging."""
        return self._length(self.offsets, "tokens")

    @property
    def rows(self) -> int:
        """Rows of every sequence after merging. ValueError where sequences
        keep different numbers: ``offsets_out`` tells them apart."""
        return self._length(self.offsets_out, "rows")

    def merge(self, x: Array, size: Optional[Array] = None, *,
              combine: str = "weighted", out: Optional[Array] = None,
              threads: Optional[int] = None) -> tuple[Array, Array]:
        """Combines the rows of every group.

        Args:
            x: the rows before merging, float32, bfloat16 or float16; read in
                place, whatever its strides, as long as channels are
                contiguous.
            size: how many input tokens each row stands for, float32; all 1
                where it is None.
            combine: "weighted" (mean weighted by size), "mean", "sum", "max",
                or "keep" (the origin's row).
            out: where to write; may have another dtype than ``x``.
            threads: how many share the sequences; by default as many as torch
                uses, or as there are processors. The result is the same.

        Returns:
            The rows after merging and their sizes (float32).

        Tensors that require grad get their gradients. Which tokens merge is
        held fixed then: it is piecewise constant in the metric.
        """
        number = number_of(COMBINES, combine, "combine")
        if _wants_gradient(out, x, size):
            from . import _autograd

            return _autograd.merge(self, x, size, combine=combine,
                                   threads=threads)
        source = self._rows("x", x, self.offsets)
        count = int(self.offsets[-1])
        if out is None:
            shape = self._shape_out(len(source.shape), source.shape[-1])
            out = _arrays.empty_like(x, shape)
        target = self._rows("out", out, self.offsets_out)
        _arrays.writable(out, "out")
        if target.shape[-1] != source.shape[-1]:
            raise ValueError(f"out: expected {source.shape[-1]} channels, "
                             f"found {target.shape[-1]}")
        size_at = None if size is None else _arrays.floats(size, "size", count)
        size_out = _arrays.empty_floats_like(x, target.shape[:-1])
        size_out_at = _arrays.floats(size_out, "sizes",
                                     int(self.offsets_out[-1]))
        team = _arrays.threads_for(threads, x, self.sequences)
        if self.sequences == 0:
            return out, size_out
        if self._packed(source, target):
            self._merge_batch(number, source, size_at, target, size_out_at,
                              team)
        else:
            self._merge_each(number, source, size_at, target, size_out_at)
        return out, size_out

    def unmerge(self, y: Array, *, out: Optional[Array] = None,
                threads: Optional[int] = None) -> Array:
        """Copies every row back to all tokens that went into it; tokens that
        were dropped become 0. See :meth:`merge` for the arguments."""
        if _wants_gradient(out, y):
            from . import _autograd

            return _autograd.unmerge(self, y, threads=threads)
        source = self._rows("y", y, self.offsets_out)
        if out is None:
            packed = len(source.shape) == 2
            shape = (self.map.size,) if packed else self.map.shape
            out = _arrays.empty_like(y, shape + source.shape[-1:])
        target = self._rows("out", out, self.offsets)
        _arrays.writable(out, "out")
        if target.shape[-1] != source.shape[-1]:
            raise ValueError(f"out: expected {source.shape[-1]} channels, "
                             f"found {target.shape[-1]}")
        if self.sequences == 0:
            return out
        if self._packed(source, target):
            check(library.tomerge_unmerge_batch(
                self.sequences, _arrays.address(self.offsets),
                _arrays.address(self.offsets_out), _arrays.address(self.map),
                source.shape[-1], source.view(), target.view(),
                _arrays.threads_for(threads, y, self.sequences)), "unmerge")
            return out
        for s in range(self.sequences):
            check(library.tomerge_unmerge(
                ctypes.byref(self._single(s)), source.shape[-1],
                source.view(s), target.view(s)), "unmerge")
        return out

    def trace(self, trace: Optional[np.ndarray] = None) -> np.ndarray:
        """Follows tokens through this plan.

        Args:
            trace: for every token of the first layer the row it is in before
                this plan, from the plan of the layer before; None if this is
                the first layer.

        Returns:
            int32, a new array: the row each is in after this plan, -1 for
            dropped ones. See also :func:`trace`.
        """
        if trace is None:
            return self.map.copy()
        trace = np.array(trace, np.int32)
        if self._kind == "packed" and self.sequences != 1:
            raise ValueError("trace: follow packed sequences one by one, or "
                             "use a batch")
        if self._kind == "batch" and (trace.ndim != 2 or
                                      trace.shape[0] != self.sequences):
            raise ValueError(f"trace: expected [{self.sequences}, tokens], "
                             f"found shape {trace.shape}")
        each = trace.reshape(self.sequences, -1)
        for s in range(self.sequences):
            check(library.tomerge_compose(
                ctypes.byref(self._single(s)), each.shape[1],
                _arrays.address(each[s])), "trace")
        return trace

    # ---- how libtomerge is called ----

    def _length(self, offsets: np.ndarray, what: str) -> int:
        """The length of every sequence; in an empty batch nothing merges."""
        lengths = np.diff(offsets)
        if len(lengths) == 0:
            return self.map.shape[-1]
        if (lengths != lengths[0]).any():
            raise ValueError(f"sequences have different numbers of {what}, "
                             f"from {lengths.min()} to {lengths.max()}: use "
                             f"packed rows and the plan's offsets")
        return int(lengths[0])

    def _shape_out(self, dimensions: int, channels: int) -> tuple:
        if dimensions == 3:
            return (self.sequences, self.rows, channels)
        return (int(self.offsets_out[-1]), channels)

    def _rows(self, name: str, array: Any, offsets: np.ndarray):
        """The array's memory, after checking its shape."""
        dimensions = (2, 3) if self._kind == "batch" else (2,)
        buffer = _arrays.describe(array, name, dimensions)
        if len(buffer.shape) == 2:
            expected = (int(offsets[-1]),)
        else:
            expected = (self.sequences, self._length(offsets, "rows"))
        if buffer.shape[:-1] != expected:
            raise ValueError(
                f"{name}: expected [{', '.join(map(str, expected))}, "
                f"channels], found shape {buffer.shape}")
        return buffer

    def _packed(self, *buffers: _arrays.Buffer) -> bool:
        return all(b.packed_stride() is not None for b in buffers)

    def _single(self, sequence: int) -> PlanStruct:
        first = int(self.offsets[sequence])
        first_out = int(self.offsets_out[sequence])
        return PlanStruct(
            int(self.offsets[sequence + 1]) - first,
            int(self.offsets_out[sequence + 1]) - first_out,
            _arrays.address(self.map) + 4 * first,
            _arrays.address(self.origin) + 4 * first)

    def _workspace(self, threads: int) -> np.ndarray:
        """What a call that combines rows needs beside them."""
        need = ctypes.c_size_t()
        check(library.tomerge_merge_batch_workspace(
            self.sequences, _arrays.address(self.offsets), threads,
            ctypes.byref(need)), "merge")
        return np.empty(need.value, np.uint8)

    def _merge_batch(self, combine, source, size, target, size_out, team):
        work = self._workspace(team)
        check(library.tomerge_merge_batch(
            combine, self.sequences, _arrays.address(self.offsets),
            _arrays.address(self.offsets_out), _arrays.address(self.map),
            _arrays.address(self.origin), source.shape[-1], source.view(),
            size, target.view(), size_out, team, _arrays.address(work),
            work.size), "merge")

    def _merge_each(self, combine, source, size, target, size_out):
        """Rows too far apart for one stride: sequence by sequence."""
        work = self._workspace(1)
        for s in range(self.sequences):
            first, first_out = int(self.offsets[s]), int(self.offsets_out[s])
            check(library.tomerge_merge(
                combine, ctypes.byref(self._single(s)), source.shape[-1],
                source.view(s), size and size + 4 * first, target.view(s),
                size_out + 4 * first_out, _arrays.address(work), work.size),
                "merge")

    # ---- gradients, for torch (_autograd.py) ----

    def _merge_backward(self, x, size, grad_y, grad_size_out, combine,
                        wants_size):
        grad_x = _arrays.empty_like(x, x.shape)
        grad_size = (_arrays.empty_floats_like(x, size.shape) if wants_size
                     else None)
        rows = [_arrays.describe(a, name, (2, 3)) for a, name in
                ((x, "x"), (grad_y, "gradient"), (grad_x, "gradient"))]
        sizes = [None if a is None else a.data_ptr()
                 for a in (size, grad_size_out, grad_size)]
        work = self._workspace(1)
        for s in range(self.sequences):
            first, first_out = int(self.offsets[s]), int(self.offsets_out[s])
            at = [base and base + 4 * row for base, row in
                  zip(sizes, (first, first_out, first))]
            view = [self._part(each, s, row) for each, row in
                    zip(rows, (first, first_out, first))]
            check(library.tomerge_merge_backward(
                COMBINES[combine], ctypes.byref(self._single(s)), x.shape[-1],
                view[0], at[0], view[1], at[1], view[2],
                at[2], _arrays.address(work), work.size),
                "the gradient of merge")
        return grad_x, grad_size

    def _unmerge_backward(self, grad_x):
        packed = grad_x.ndim == 2
        shape = self._shape_out(2 if packed else 3, grad_x.shape[-1])
        grad_y = _arrays.empty_like(grad_x, shape)
        source = _arrays.describe(grad_x, "gradient", (2, 3))
        target = _arrays.describe(grad_y, "gradient", (2, 3))
        work = self._workspace(1)
        for s in range(self.sequences):
            check(library.tomerge_unmerge_backward(
                ctypes.byref(self._single(s)), grad_x.shape[-1],
                self._part(source, s, int(self.offsets[s])),
                self._part(target, s, int(self.offsets_out[s])),
                _arrays.address(work), work.size), "the gradient of unmerge")
        return grad_y

    @staticmethod
    def _part(buffer, sequence, first):
        """One sequence's rows, of a batch or of packed rows."""
        if len(buffer.shape) == 3:
            return buffer.view(sequence)
        offset = first * buffer.strides[0] * _arrays.ELEMENT[buffer.dtype]
        return _arrays.View(buffer.pointer + offset, buffer.strides[0],
                            buffer.dtype)


def plan(metric: Any, r: Union[int, Sequence[int]], *, protect: int = 0,
         method: str = "alternating", similarity: str = "cosine",
         stride: int = 2, seed: int = 0,
         offsets: Optional[Iterable[int]] = None,
         threads: Optional[int] = None) -> Plan:
    """Finds the tokens to merge.

    Args:
        metric: what similarity is measured on, usually the mean of the keys
            over the heads (:func:`mean_heads`): ``[tokens, channels]``,
            ``[batch, tokens, channels]``, or, with ``offsets``, the packed
            rows of sequences of any lengths. NumPy array or torch CPU tensor,
            float32, bfloat16 or float16, read in place.
        r: tokens to remove from each sequence, or one number for each;
            lowered to ``(tokens - protect) // 2``.
        protect: leading tokens that never merge (class, distillation and
            register tokens).
        method: "alternating" (bipartite soft matching as in the paper),
            "sequential", "random" or "strided".
        similarity: "cosine", "dot", "euclidean" or "softmax".
        stride: for "strided": one token in so many is a destination.
        seed: for "random".
        offsets: for packed rows, where each sequence begins, and the end of
            the last one: ``[0, 197, 394]``.
        threads: how many share the sequences; see :meth:`Plan.merge`.
    """
    buffer = _arrays.describe(metric, "metric",
                              (2,) if offsets is not None else (2, 3))
    result = _new_plan(buffer, offsets)
    options = _options(method, similarity, protect, stride, seed)
    amounts = _amounts(r, result.sequences)
    if result.sequences == 0:
        return result
    packed = buffer.packed_stride() is not None
    team = _arrays.threads_for(threads, metric, result.sequences)
    need = ctypes.c_size_t()
    check(library.tomerge_match_batch_workspace(
        ctypes.byref(options), result.sequences,
        _arrays.address(result.offsets), buffer.shape[-1],
        team if packed else 1, ctypes.byref(need)), "plan")
    work = np.empty(need.value, np.uint8)
    if packed:
        check(library.tomerge_match_batch(
            ctypes.byref(options), result.sequences,
            _arrays.address(result.offsets), buffer.shape[-1], buffer.view(),
            _arrays.address(amounts), _arrays.address(result.map),
            _arrays.address(result.origin),
            _arrays.address(result.offsets_out), team,
            _arrays.address(work), need.value), "plan")
    else:
        _match_each(result, options, buffer, amounts, work)
    return result


def _match_each(result, options, buffer, amounts, work):
    """Rows too far apart for one stride: sequence by sequence."""
    for s in range(result.sequences):
        single = result._single(s)
        check(library.tomerge_match(
            ctypes.byref(options), buffer.shape[-1], buffer.view(s),
            int(amounts[s]), ctypes.byref(single), _arrays.address(work),
            work.size), "plan")
        result.offsets_out[s + 1] = result.offsets_out[s] + single.rows


def trace(plans: Iterable[Plan]) -> np.ndarray:
    """The final row of every input token after plans made one after another:
    int32, shaped like the first plan's ``map``; -1 for dropped tokens."""
    result = None
    for each in plans:
        result = each.trace(result)
    if result is None:
        raise ValueError("trace: no plans")
    return result


def merge(plan: Plan, x: Array, size: Optional[Array] = None,
          **keywords: Any) -> tuple[Array, Array]:
    """``plan.merge(x, size, ...)``: see :meth:`Plan.merge`."""
    return plan.merge(x, size, **keywords)


def unmerge(plan: Plan, y: Array, **keywords: Any) -> Array:
    """``plan.unmerge(y, ...)``: see :meth:`Plan.unmerge`."""
    return plan.unmerge(y, **keywords)


def mean_heads(k: Array) -> Array:
    """The metric of the paper: the mean over heads of attention's keys.

    Args:
        k: ``[heads, tokens, channels]`` or ``[batch, heads, tokens,
            channels]``, as attention has them; read in place, so a slice of
            the joint query, key and value buffer will do.

    Returns:
        ``[tokens, channels]`` or ``[batch, tokens, channels]``, of k's dtype.
    """
    buffer = _arrays.describe(k, "k", (3, 4))
    heads, tokens, channels = buffer.shape[-3:]
    if heads == 0:
        raise ValueError(f"k: no heads in shape {buffer.shape}")
    out = _arrays.empty_like(k, buffer.shape[:-3] + (tokens, channels))
    target = _arrays.describe(out, "out", (2, 3))
    element = _arrays.ELEMENT[buffer.dtype]
    for s in range(buffer.shape[0] if len(buffer.shape) == 4 else 1):
        at = s * buffer.strides[0] if len(buffer.shape) == 4 else 0
        rows = _arrays.View(buffer.pointer + at * element, buffer.strides[-2],
                            buffer.dtype)
        mean = _arrays.View(target.pointer + s * tokens * channels * element,
                            channels, buffer.dtype)
        check(library.tomerge_mean_heads(tokens, heads, channels, rows,
                                         buffer.strides[-3], mean),
              "mean_heads")
    return out


# ---- arguments ----


def _new_plan(buffer: _arrays.Buffer, offsets) -> Plan:
    if offsets is not None:
        bounds = [_count(bound, "offsets") for bound in offsets]
        if (len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != buffer.shape[0]
                or sorted(bounds) != bounds):
            raise ValueError(f"offsets: expected numbers that rise from 0 to "
                             f"the metric's {buffer.shape[0]} rows")
        return Plan("packed", buffer.shape[:1], np.array(bounds, np.uintp))
    if len(buffer.shape) == 2:
        bounds = np.array([0, buffer.shape[0]], np.uintp)
        return Plan("single", buffer.shape[:1], bounds)
    batch, tokens, _ = buffer.shape
    bounds = np.arange(batch + 1, dtype=np.uintp) * np.uintp(tokens)
    return Plan("batch", (batch, tokens), bounds)


def _count(value: Any, name: str) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, found "
                        f"{value!r}") from None
    if count < 0:
        raise ValueError(f"{name}: expected a number of at least 0, found "
                         f"{count}")
    return count


def _amounts(r: Any, sequences: int) -> np.ndarray:
    if hasattr(r, "__index__") and not getattr(r, "shape", ()):
        return np.full(sequences, _count(r, "r"), np.uintp)
    try:
        amounts = [_count(each, "r") for each in r]
    except TypeError as error:
        if str(error).startswith("r:"):
            raise
        raise TypeError(f"r: expected a whole number or one for each "
                        f"sequence, found {r!r}") from None
    if len(amounts) != sequences:
        raise ValueError(f"r: expected one number for each of {sequences} "
                         f"sequences, found {len(amounts)}")
    return np.array(amounts, np.uintp)


def _options(method, similarity, protect, stride, seed) -> Options:
    options = Options()
    library.tomerge_options_init(ctypes.byref(options))
    options.method = number_of(METHODS, method, "method")
    options.similarity = number_of(SIMILARITIES, similarity, "similarity")
    options.protect = _count(protect, "protect")
    options.stride = _count(stride, "stride")
    options.seed = _count(seed, "seed")
    if options.stride < 2:
        raise ValueError(f"stride: expected at least 2, found {stride}")
    return options


def _wants_gradient(out: Any, *arrays: Any) -> bool:
    """Whether torch has to know of a call. Then it chooses where to write."""
    for array in arrays:
        torch = _arrays.torch_of(array)
        if (torch is not None and array.requires_grad
                and torch.is_grad_enabled()):
            if out is not None:
                raise ValueError("out: cannot be chosen where gradients are "
                                 "wanted; use torch.no_grad()")
            return True
    return False

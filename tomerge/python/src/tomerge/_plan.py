# SPDX-License-Identifier: MIT
"""Plans: which tokens merge, and what can be done with that."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Sequence, TypeVar, Union

import numpy as np

from . import _arguments, _arrays
from ._library import COMBINES, PlanStruct, check, library, number_of

#: A NumPy array or a torch CPU tensor; what goes in comes out.
Array = TypeVar("Array")


class Plan:
    """How the tokens of one or more sequences merge.

    Made by :func:`plan`. Its sequences have the form of the metric it was
    made from: one sequence ``[tokens, channels]``, a batch ``[batch, tokens,
    channels]``, or packed rows ``[total, channels]`` with offsets. Rows given
    to its methods have that form too; rows of a batch may also come packed.
    """

    __slots__ = ("_kind", "_map", "_origin", "_offsets", "_offsets_out",
                 "_tokens", "_rows", "_at")

    def __init__(self, kind: str, shape: tuple, offsets: np.ndarray) -> None:
        self._kind = kind
        self._offsets = offsets
        self._offsets_out = np.zeros(len(offsets), np.uintp)
        self._map, self._origin = np.empty((2,) + shape, np.int32)
        self._tokens = self._rows = None
        self._at = tuple(map(_arrays.address, (
            self._offsets, self._offsets_out, self._map, self._origin)))

    @classmethod
    def of_batch(cls, map: np.ndarray, origin: Optional[np.ndarray] = None,
                 rows: Optional[int] = None) -> Plan:
        """The plan with a map of one's own, for a batch of sequences that all
        keep the same number of rows.

        Args:
            map: int32 ``[batch, tokens]``.
            origin: int32 ``[batch, rows]``; None where nothing needs it.
            rows: how many there are, where ``origin`` does not say.
        """
        batch, tokens = map.shape
        rows = origin.shape[1] if origin is not None else rows
        result = cls("batch", map.shape,
                     _arguments.even_offsets(batch, tokens))
        result._map[...] = map
        result._origin[...] = 0
        if origin is not None:
            result._origin[:, :rows] = origin
        result._offsets_out[:] = np.arange(batch + 1) * rows
        result._rows = rows
        return result

    def __repr__(self) -> str:
        return (f"<tomerge.Plan of {self.sequences} sequence(s): "
                f"{self._map.size} tokens in {int(self._offsets_out[-1])} "
                f"rows>")

    @property
    def map(self) -> np.ndarray:
        """int32, ``[tokens]``, ``[batch, tokens]`` or ``[total]``: the output
        row, within its own sequence, of every input token; -1 if it was
        dropped."""
        return self._map

    @property
    def origin(self) -> np.ndarray:
        """int32, shaped like ``map``: for every output row the input token it
        is built on. Entries past a sequence's last row mean nothing."""
        return self._origin

    @property
    def offsets(self) -> np.ndarray:
        """Where each sequence's tokens begin in packed rows, and the end of
        the last one."""
        return self._offsets

    @property
    def offsets_out(self) -> np.ndarray:
        """The same after merging."""
        return self._offsets_out

    @property
    def sequences(self) -> int:
        """How many sequences the plan is for."""
        return len(self._offsets) - 1

    @property
    def tokens(self) -> int:
        """Tokens of every sequence before merging."""
        if self._tokens is None:
            self._tokens = self._length(self._offsets, "tokens")
        return self._tokens

    @property
    def rows(self) -> int:
        """Rows of every sequence after merging. ValueError where sequences
        keep different numbers: ``offsets_out`` tells them apart."""
        if self._rows is None:
            self._rows = self._length(self._offsets_out, "rows")
        return self._rows

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
        source = self._input("x", x, False)
        size_at = None
        if size is not None:
            size_at = _arrays.floats(size, "size", self._map.size)
        shape = self._shape_out(len(source.shape), source.shape[-1])
        out, target = self._output(x, source, out, shape)
        size_out = _arrays.empty_floats_like(x, shape[:-1])
        size_out_at = _arrays.pointer(size_out)
        if self.sequences == 0:
            return out, size_out
        if self._packed(source, target):
            team = _arrays.threads_for(threads, x, self.sequences)
            work, room = _arguments.merge_space(self._offsets, team)
            offsets, offsets_out, rows, origin = self._at
            check(library.tomerge_merge_batch(
                number, self.sequences, offsets, offsets_out, rows, origin,
                source.shape[-1], source.view(), size_at, target.view(),
                size_out_at, team, work, room), "merge")
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
        source = self._input("y", y, True)
        shape = (self._map.shape if len(source.shape) == 3
                 else (self._map.size,)) + source.shape[-1:]
        out, target = self._output(y, source, out, shape)
        if self.sequences == 0:
            return out
        if self._packed(source, target):
            offsets, offsets_out, rows, _ = self._at
            check(library.tomerge_unmerge_batch(
                self.sequences, offsets, offsets_out, rows, source.shape[-1],
                source.view(), target.view(),
                _arrays.threads_for(threads, y, self.sequences)), "unmerge")
            return out
        for s in range(self.sequences):
            check(library.tomerge_unmerge(
                self._single(s), source.shape[-1], source.view(s),
                target.view(s)), "unmerge")
        return out

    def merge_tensors(self, tensors: Sequence[Array],
                      size: Optional[Array] = None, *,
                      combine: Union[str, Sequence[str]] = "weighted"
                      ) -> tuple[list, Array]:
        """:meth:`merge` for what else belongs to the tokens, such as keys and
        values of a cache, each shaped like the metric with its own channels,
        or with heads before the tokens; ``combine`` is one for all or one for
        each. Returns a list, and the sizes. Without gradients."""
        from . import _tables

        return _tables.merge_tensors(self, tensors, size, combine=combine)

    def merge_table(self, x: Array, size: Optional[Array] = None, *,
                    combine: str = "weighted") -> Array:
        """Combines rows, then columns of tables with an entry for each pair of
        tokens (relative position biases, masks): ``[tokens, tokens]`` or
        ``[heads, tokens, tokens]``, of a batch with its dimension before
        these. Without gradients."""
        from . import _tables

        return _tables.merge_table(self, x, size, combine=combine)

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
            return self._map.copy()
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
                self._single(s), each.shape[1], _arrays.address(each[s])),
                "trace")
        return trace

    # ---- how libtomerge is called ----

    def _length(self, offsets: np.ndarray, what: str) -> int:
        """The length of every sequence; in an empty batch nothing merges."""
        lengths = np.diff(offsets)
        if len(lengths) == 0:
            return self._map.shape[-1]
        if (lengths != lengths[0]).any():
            raise ValueError(f"sequences have different numbers of {what}, "
                             f"from {lengths.min()} to {lengths.max()}: use "
                             f"packed rows and the plan's offsets")
        return int(lengths[0])

    def _shape_out(self, dimensions: int, channels: int) -> tuple:
        if dimensions == 3:
            return (self.sequences, self.rows, channels)
        return (int(self._offsets_out[-1]), channels)

    def _input(self, name: str, array: Any, merged: bool) -> _arrays.Buffer:
        """The memory of rows before or after merging, its shape checked."""
        dimensions = (2, 3) if self._kind == "batch" else (2,)
        buffer = _arrays.describe(array, name, dimensions)
        if len(buffer.shape) == 3:
            expected = (self.sequences, self.rows if merged else self.tokens)
        else:
            expected = (int(self._offsets_out[-1]) if merged
                        else self._map.size,)
        if buffer.shape[:-1] != expected:
            raise ValueError(
                f"{name}: expected [{', '.join(map(str, expected))}, "
                f"channels], found shape {buffer.shape}")
        return buffer

    @staticmethod
    def _output(like: Any, source: _arrays.Buffer, out: Any,
                shape: tuple) -> tuple[Any, _arrays.Buffer]:
        """Where to write: what was given, checked, or a new array."""
        if out is None:
            out = _arrays.empty_like(like, shape)
        else:
            _arrays.writable(out, "out")
        target = _arrays.describe(out, "out", (len(shape),))
        if target.shape != shape:
            raise ValueError(f"out: expected shape {shape}, found "
                             f"{target.shape}")
        return out, target

    @staticmethod
    def _packed(source: _arrays.Buffer, target: _arrays.Buffer) -> bool:
        return (source.packed_stride() is not None and
                target.packed_stride() is not None)

    def _single(self, sequence: int) -> PlanStruct:
        first = int(self._offsets[sequence])
        first_out = int(self._offsets_out[sequence])
        return PlanStruct(
            int(self._offsets[sequence + 1]) - first,
            int(self._offsets_out[sequence + 1]) - first_out,
            self._at[2] + 4 * first, self._at[3] + 4 * first)

    def _merge_each(self, combine, source, size, target, size_out):
        """Rows too far apart for one stride: sequence by sequence."""
        work, room = _arguments.merge_space(self._offsets, 1)
        for s in range(self.sequences):
            first, first_out = int(self._offsets[s]), int(self._offsets_out[s])
            check(library.tomerge_merge(
                combine, self._single(s), source.shape[-1], source.view(s),
                size and size + 4 * first, target.view(s),
                size_out + 4 * first_out, work, room), "merge")


def plan(metric: Any, r: Union[int, Sequence[int]], *, protect: int = 0,
         method: str = "alternating", similarity: str = "cosine",
         stride: int = 2, seed: int = 0, role: Any = None,
         order: str = "grouped", rounds: bool = False, exact: bool = False,
         size: Optional[Any] = None,
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
            lowered to what the method can remove (``(tokens - protect) // 2``
            of alternating tokens) unless ``rounds``.
        protect: leading tokens that never merge (class, distillation and
            register tokens).
        method: "alternating" (bipartite soft matching as in the paper),
            "sequential", "random", "strided" or "given" (``role`` says which
            are destinations: :func:`partition_grid`, :func:`partition_list`).
        similarity: "cosine", "dot", "euclidean" or "softmax".
        stride: for "strided": one token in so many is a destination.
        seed: for "random".
        role: for every token one of :class:`Role`, shaped like the metric
            without its channels: tokens at any position may be protected, be
            padding, or be dropped.
        order: of the rows: "grouped" (protected tokens, unmerged sources,
            destinations, each ascending), "position" (by the first token
            that went into a row: the sequence keeps its order), or
            "reference": that of the paper's own implementation, where
            unmerged sources of alternating matching come by falling
            similarity if nothing is protected, and else as in "grouped".
        rounds: match again on what is left, until r tokens are removed: for
            more than half of them. On one thread.
        exact: remove r whatever is in the metric: rows that cannot be
            compared (a NaN, no direction) merge too then, after all others.
        size: how many input tokens each token stands for, float32; counts
            between rounds only. All 1 where it is None.
        offsets: for packed rows, where each sequence begins, and the end of
            the last one: ``[0, 197, 394]``.
        threads: how many share the sequences; see :meth:`Plan.merge`.
    """
    buffer = _arrays.describe(metric, "metric",
                              (2,) if offsets is not None else (2, 3))
    result = _new_plan(buffer, offsets)
    reference = order == "reference"
    options = _arguments.options(method, similarity, protect, stride, seed,
                                 "grouped" if reference else order, exact)
    amounts = _arguments.amounts(r, result.sequences)
    if role is not None:
        role = _arguments.roles(role, result.map.shape)
        options = _arguments.with_role(options, _arrays.address(role))
    if result.sequences == 0:
        return result
    if rounds:
        if reference:
            raise ValueError("order: the reference has no rounds")
        _match_rounds(result, options, buffer, amounts, size)
    else:
        _match(result, options, metric, buffer, amounts, threads)
    if (reference and method == "alternating" and protect == 0
            and role is None):
        from . import _reference

        _reference.reorder(result, metric, similarity)
    return result


def _match(result: Plan, options: Any, metric: Any, buffer: _arrays.Buffer,
           amounts: np.ndarray, threads: Optional[int]) -> None:
    packed = buffer.packed_stride() is not None
    team = 1
    if packed:
        team = _arrays.threads_for(threads, metric, result.sequences)
    channels = buffer.shape[-1]
    work, room = _arguments.match_space(options, result.offsets, channels,
                                        team)
    if packed:
        offsets_at, offsets_out, rows, origin = result._at
        check(library.tomerge_match_batch(
            options, result.sequences, offsets_at, channels, buffer.view(),
            _arrays.address(amounts), rows, origin, offsets_out, team, work,
            room), "plan")
        return
    # Rows too far apart for one stride: sequence by sequence.
    for s in range(result.sequences):
        single = result._single(s)
        check(library.tomerge_match(
            _of_sequence(options, result, s), channels, buffer.view(s),
            int(amounts[s]), single, work, room), "plan")
        result.offsets_out[s + 1] = result.offsets_out[s] + single.rows


def _of_sequence(options: Any, plan: Plan, sequence: int) -> Any:
    """The options with the roles of one sequence's tokens."""
    if options.role is None:
        return options
    return _arguments.with_role(options,
                                options.role + int(plan.offsets[sequence]))


def _match_rounds(result: Plan, options: Any, buffer: _arrays.Buffer,
                  amounts: np.ndarray, size: Any) -> None:
    channels, size_at = buffer.shape[-1], None
    if size is not None:
        size_at = _arrays.floats(size, "size", result.map.size)
    for s in range(result.sequences):
        single, first = result._single(s), int(result.offsets[s])
        own = _of_sequence(options, result, s)
        work, room = _arguments.rounds_space(own, single.tokens, channels)
        check(library.tomerge_match_rounds(
            own, channels, _rows_of(buffer, s, first),
            size_at and size_at + 4 * first, int(amounts[s]), single, work,
            room), "plan")
        result.offsets_out[s + 1] = result.offsets_out[s] + single.rows


def _rows_of(buffer: _arrays.Buffer, sequence: int,
             first: int) -> _arrays.View:
    """One sequence's rows, of a batch or of packed rows."""
    if len(buffer.shape) == 3:
        return buffer.view(sequence)
    offset = first * buffer.strides[0] * _arrays.ELEMENT[buffer.dtype]
    return _arrays.View(buffer.pointer + offset, buffer.strides[0],
                        buffer.dtype)


def _new_plan(buffer: _arrays.Buffer, offsets: Any) -> Plan:
    if offsets is not None:
        rows = buffer.shape[0]
        return Plan("packed", (rows,), _arguments.given_offsets(offsets, rows))
    if len(buffer.shape) == 2:
        rows = buffer.shape[0]
        return Plan("single", (rows,), _arguments.even_offsets(1, rows))
    batch, tokens, _ = buffer.shape
    return Plan("batch", (batch, tokens),
                _arguments.even_offsets(batch, tokens))


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

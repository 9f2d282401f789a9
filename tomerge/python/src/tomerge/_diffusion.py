# SPDX-License-Identifier: MIT
"""Merging around the attention of diffusion models, by the grid partition.

Tokens stay as many as they are between blocks: each block merges them, attends
to what is left, and gives every token its row back [Bolya, Hoffman, CVPR
workshops 2023: Token Merging for Stable Diffusion].
"""

from __future__ import annotations

import math
import threading
from typing import Any, Optional

import numpy as np
import torch

from ._arguments import count
from ._partition import partition_grid
from ._plan import plan

_HANDLES = "_tomerge_diffusion"


class _State:
    """What the blocks of one model share; a pass belongs to its thread."""

    def __init__(self, ratio: float, sy: int, sx: int, max_downsample: int,
                 seed: Optional[int]) -> None:
        self.ratio, self.sy, self.sx = ratio, sy, sx
        self.max_downsample = max_downsample
        self.random = None if seed is None else np.random.default_rng(seed)
        self.lock = threading.Lock()
        self.local = threading.local()

    def grid(self, tokens: int) -> Optional[tuple]:
        """(rows, columns) of this many tokens, by the size of the pass's
        input; None where they do not merge."""
        size = getattr(self.local, "size", None)
        if size is None:
            raise RuntimeError("a block was called outside of its model's own "
                               "forward pass, which says how images lie")
        factor = math.isqrt(size[0] * size[1] // tokens) if tokens else 0
        factor = max(factor, 1)
        while factor ** 2 * tokens < size[0] * size[1]:
            factor += 1
        h, w = (-(-side // factor) for side in size)
        if factor > self.max_downsample:
            return None
        if h * w != tokens:
            raise ValueError(f"{tokens} tokens are no grid of an input of "
                             f"{size[0]} x {size[1]}")
        return h, w

    def role(self, h: int, w: int) -> np.ndarray:
        seed = None
        if self.random is not None:
            with self.lock:
                seed = int(self.random.integers(1 << 63))
        return partition_grid(h, w, self.sy, self.sx, seed)


    def plan(self, metric: Any) -> Any:
        """How a block's tokens merge; None if they do not."""
        batch, tokens, _ = metric.shape
        grid, remove = self.grid(tokens), int(tokens * self.ratio)
        if grid is None or remove == 0 or batch == 0:
            return None
        if metric.device.type != "cpu":
            raise ValueError(f"expected tensors on the CPU, found them on "
                             f"{metric.device}")
        role = np.broadcast_to(self.role(*grid), (batch, tokens))
        return plan(metric.detach().contiguous(), remove, method="given",
                    role=role, exact=True)

    # ---- hooks: copies of a model have them too, and their own modules ----

    def begin(self, model: Any, args: tuple, keywords: dict) -> None:
        given = list(args[:1]) + [keywords[name] for name in
                                  ("sample", "hidden_states")
                                  if name in keywords]
        if not given or given[0].ndim != 4:
            raise ValueError("expected an image [batch, channels, height, "
                             "width] as the model's input")
        self.local.size, self.local.block = tuple(given[0].shape[2:]), None

    def end(self, model: Any, args: tuple, result: Any) -> None:
        self.local.size = self.local.block = self.local.metric = None

    def enter(self, block: Any, args: tuple, keywords: dict) -> None:
        self.local.block = block
        self.local.metric = args[0] if args else keywords["hidden_states"]

    def before(self, attention: Any, args: tuple, keywords: dict) -> Any:
        block = getattr(self.local, "block", None)
        if block is None or block.attn1 is not attention:
            raise RuntimeError("attention was called outside of its block")
        metric, self.local.metric = self.local.metric, None
        self.local.plan = found = self.plan(metric)
        if found is None:
            return None
        if keywords.get("attention_mask") is not None:
            raise ValueError("attention_mask: tokens that merge have none")
        rows = args[0] if args else keywords["hidden_states"]
        if rows.shape[:2] != metric.shape[:2]:
            raise ValueError(f"attention of {tuple(rows.shape)} in a block of "
                             f"{tuple(metric.shape)}: other tokens")
        rows = found.merge(rows.contiguous(), combine="mean")[0]
        if args:
            return (rows,) + args[1:], keywords
        return args, {**keywords, "hidden_states": rows}

    def after(self, attention: Any, args: tuple, result: Any) -> Any:
        found, self.local.plan = self.local.plan, None
        return None if found is None else found.unmerge(result.contiguous())


def _blocks(model: Any) -> list:
    """Transformer blocks as diffusers has them: a norm and an attention over
    the tokens themselves."""
    return [module for module in model.modules()
            if isinstance(getattr(module, "attn1", None), torch.nn.Module)
            and isinstance(getattr(module, "norm1", None), torch.nn.Module)]


def patch_diffusion(model: Any, ratio: float = 0.5, *, sy: int = 2,
                    sx: int = 2, max_downsample: int = 1,
                    seed: Optional[int] = None) -> Any:
    """Makes a diffusion model's attention work on fewer tokens, in place.

    In every block of attention over an image's own tokens (diffusers'
    BasicTransformerBlock: ``attn1`` behind ``norm1``) tokens merge before it
    and get their rows back behind it, so that shapes stay what they are
    everywhere else. What merges is compared by the block's input, and becomes
    the plain mean.

    Args:
        model: a torch module whose first argument (or ``sample``,
            ``hidden_states``) is an image ``[batch, channels, height, width]``,
            such as ``pipeline.unet``. On the CPU.
        ratio: the share of tokens that merge, at most all but one of each
            tile (0.75 of tiles of 2 x 2).
        sy, sx: a tile; one of its tokens is what others merge into.
        max_downsample: merge where the tokens' grid is smaller than the input
            by at most this factor: 1, 2, 4 or 8.
        seed: which token of a tile, drawn anew for each block and pass; None:
            always the top left one, and the same results every time.

    Returns:
        The model; ``tomerge.unpatch`` undoes it.
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"ratio: expected 0 up to 1, found {ratio!r}")
    state = _State(float(ratio), count(sy, "sy"), count(sx, "sx"),
                   count(max_downsample, "max_downsample"),
                   None if seed is None else count(seed, "seed"))
    if sy < 1 or sx < 1 or sy * sx < 2:
        raise ValueError(f"a tile of {sy} x {sx} tokens: nothing merges in it")
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"expected a torch module, found "
                        f"{type(model).__name__}")
    unpatch(model)
    blocks = _blocks(model)
    if not blocks:
        raise TypeError(f"{type(model).__name__}: no blocks with norm1 and "
                        "attn1 in it, as diffusers has them")

    outside = torch.compiler.disable
    handles = [
        model.register_forward_pre_hook(outside(state.begin),
                                        with_kwargs=True),
        model.register_forward_hook(outside(state.end), always_call=True)]
    for block in blocks:
        handles += [
            block.register_forward_pre_hook(outside(state.enter),
                                            with_kwargs=True),
            block.attn1.register_forward_pre_hook(outside(state.before),
                                                  with_kwargs=True),
            block.attn1.register_forward_hook(outside(state.after))]
    object.__setattr__(model, _HANDLES, handles)
    return model


def unpatch(model: Any) -> bool:
    """Takes it out again; whether it was there."""
    handles = vars(model).pop(_HANDLES, ())
    for handle in handles:
        handle.remove()
    return bool(handles)

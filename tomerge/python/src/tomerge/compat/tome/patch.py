# SPDX-License-Identifier: MIT
"""Models made to merge, and what they tell of it."""

from __future__ import annotations

from typing import Any, Iterator, MutableMapping

import torch

import tomerge

#: What stands under a name in ``_tome_info``, and in Merging.
_SETTINGS = {"trace_source": "trace_source", "prop_attn": "prop_attn"}


class _Info(MutableMapping):
    """``model._tome_info``: settings, and what the last pass merged.

    "r" (for every layer), "size" ``[batch, rows, 1]`` and "source" ``[batch,
    rows, tokens]`` of the last pass, or None; "trace_source", "prop_attn",
    "class_token", "distill_token".
    """

    def __init__(self, merging: Any, tokens: int) -> None:
        self._merging, self._prefix = merging, tokens

    def __getitem__(self, name: str) -> Any:
        if name == "r":
            return list(self._merging.schedule)
        if name == "size":
            size = self._merging.size
            return None if size is None else size[..., None]
        if name == "source":
            return self._source()
        if name in ("class_token", "distill_token"):
            return self._prefix > (name == "distill_token")
        return getattr(self._merging, _SETTINGS[name])

    def _source(self) -> Any:
        trace, tokens = self._merging.trace, self._merging.tokens
        if trace is None or self._merging.size is None:
            return None
        rows = torch.arange(tokens[-1])[None, :, None]
        return (torch.from_numpy(trace)[:, None] == rows).float()

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "r":
            self._merging.set(value)
        elif name in _SETTINGS:
            setattr(self._merging, _SETTINGS[name], value)
        else:
            raise KeyError(f"{name}: not a setting")

    def __delitem__(self, name: str) -> None:
        raise KeyError(f"{name}: cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(("r", "size", "source", "trace_source", "prop_attn",
                     "class_token", "distill_token"))

    def __len__(self) -> int:
        return 7


def _patch(model: torch.nn.Module, trace_source: bool,
           prop_attn: bool) -> None:
    tomerge.patch(model, trace_source=trace_source, prop_attn=prop_attn,
                  order="reference")
    model._tome_info = _Info(model.merging, model.merging.protect)


def timm(model: torch.nn.Module, trace_source: bool = False,
         prop_attn: bool = True) -> None:
    """Makes a model of timm's merge; then ``model.r`` is settable."""
    _patch(model, trace_source, prop_attn)


def swag(model: torch.nn.Module, trace_source: bool = False,
         prop_attn: bool = True) -> None:
    """Likewise a model of SWAG's, or of torchvision's."""
    _patch(model, trace_source, prop_attn)


def mae(model: torch.nn.Module, trace_source: bool = False,
        prop_attn: bool = True) -> None:
    """Likewise a masked autoencoder's encoder. Those that were not trained
    with merging want ``prop_attn=False``."""
    _patch(model, trace_source, prop_attn)

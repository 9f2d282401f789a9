# SPDX-License-Identifier: MIT
"""Finding libtomerge, its prototypes, its errors.

The library is looked for where the environment variable TOMERGE_LIBRARY says,
then beside this file (a wheel carries it), then where the system has it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from ctypes import (POINTER, Structure, c_char_p, c_double, c_int, c_size_t,
                    c_ssize_t, c_uint32, c_uint64, c_void_p)

from ._version import __version__

#: What the package's own build calls the library it puts beside this file.
CARRIED = "_libtomerge" + {"darwin": ".dylib", "win32": ".dll"}.get(
    sys.platform, ".so")


#: TOMERGE_EINVAL
EINVAL = -1


class Error(ValueError):
    """What libtomerge refused; ``code`` is its TOMERGE_E number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class View(Structure):
    """tomerge_view and tomerge_const_view: rows in the caller's memory."""

    _fields_ = [("data", c_void_p), ("stride", c_ssize_t), ("dtype", c_int)]


class Options(Structure):
    """tomerge_options. ``room`` is for fields that later libraries add, which
    tomerge_options_init sets to their defaults."""

    _fields_ = [("struct_size", c_size_t), ("method", c_int),
                ("similarity", c_int), ("protect", c_size_t),
                ("stride", c_size_t), ("seed", c_uint64),
                ("role", c_void_p), ("order", c_int), ("exact", c_int),
                ("room", c_uint64 * 32)]


class Tensor(Structure):
    """tomerge_tensor: what else belongs to the tokens, in parts (heads)."""

    _fields_ = [("combine", c_int), ("channels", c_size_t),
                ("parts", c_size_t), ("x", View), ("x_part", c_ssize_t),
                ("y", View), ("y_part", c_ssize_t)]


class PlanStruct(Structure):
    """tomerge_plan, for the calls on single sequences."""

    _fields_ = [("tokens", c_size_t), ("rows", c_size_t), ("map", c_void_p),
                ("origin", c_void_p)]


_SIZES = POINTER(c_size_t)
_PLAN = POINTER(PlanStruct)
_OPTIONS = POINTER(Options)

# name -> (result, arguments); pointers to arrays go as addresses.
_PROTOTYPES = {
    "tomerge_version": (c_int, ()),
    "tomerge_version_string": (c_char_p, ()),
    "tomerge_strerror": (c_char_p, (c_int,)),
    "tomerge_cpu_flags": (c_uint32, ()),
    "tomerge_cpu_name": (c_char_p, (c_uint32,)),
    "tomerge_options_init": (None, (_OPTIONS,)),
    "tomerge_method_name": (c_char_p, (c_int,)),
    "tomerge_similarity_name": (c_char_p, (c_int,)),
    "tomerge_combine_name": (c_char_p, (c_int,)),
    "tomerge_match_batch_workspace": (
        c_int, (_OPTIONS, c_size_t, c_void_p, c_size_t, c_int, _SIZES)),
    "tomerge_match_batch": (
        c_int, (_OPTIONS, c_size_t, c_void_p, c_size_t, View, c_void_p,
                c_void_p, c_void_p, c_void_p, c_int, c_void_p, c_size_t)),
    "tomerge_match": (
        c_int, (_OPTIONS, c_size_t, View, c_size_t, _PLAN, c_void_p,
                c_size_t)),
    "tomerge_match_rounds_workspace": (
        c_int, (_OPTIONS, c_size_t, c_size_t, _SIZES)),
    "tomerge_match_rounds": (
        c_int, (_OPTIONS, c_size_t, View, c_void_p, c_size_t, _PLAN, c_void_p,
                c_size_t)),
    "tomerge_merge_batch_workspace": (
        c_int, (c_size_t, c_void_p, c_int, _SIZES)),
    "tomerge_merge_batch": (
        c_int, (c_int, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p,
                c_size_t, View, c_void_p, View, c_void_p, c_int, c_void_p,
                c_size_t)),
    "tomerge_merge": (
        c_int, (c_int, _PLAN, c_size_t, View, c_void_p, View, c_void_p,
                c_void_p, c_size_t)),
    "tomerge_merge_tensors": (
        c_int, (_PLAN, c_size_t, POINTER(Tensor), c_void_p, c_void_p,
                c_void_p, c_size_t)),
    "tomerge_merge_table_workspace": (c_int, (c_size_t, _SIZES)),
    "tomerge_merge_table": (
        c_int, (c_int, _PLAN, c_size_t, View, c_ssize_t, c_void_p, View,
                c_ssize_t, c_void_p, c_size_t)),
    "tomerge_partition_list": (
        c_int, (c_size_t, c_size_t, c_void_p, c_void_p)),
    "tomerge_partition_grid": (
        c_int, (c_size_t, c_size_t, c_size_t, c_size_t, POINTER(c_uint64),
                c_void_p)),
    "tomerge_unmerge_batch": (
        c_int, (c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, View, View,
                c_int)),
    "tomerge_unmerge": (c_int, (_PLAN, c_size_t, View, View)),
    "tomerge_merge_backward_batch": (
        c_int, (c_int, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p,
                c_size_t, View, c_void_p, View, c_void_p, View, c_void_p,
                c_int, c_void_p, c_size_t)),
    "tomerge_unmerge_backward_batch": (
        c_int, (c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, View, View,
                c_int, c_void_p, c_size_t)),
    "tomerge_compose": (c_int, (_PLAN, c_size_t, c_void_p)),
    "tomerge_mean_heads": (
        c_int, (c_size_t, c_size_t, c_size_t, View, c_ssize_t, View)),
    "tomerge_schedule": (
        c_int, (c_size_t, c_size_t, c_double, c_void_p)),
    "tomerge_schedule_list": (
        c_int, (c_size_t, c_size_t, c_void_p, c_void_p)),
    "tomerge_schedule_ratio": (
        c_int, (c_int, c_size_t, c_size_t, c_size_t, c_double, c_void_p)),
    "tomerge_schedule_tokens": (
        c_int, (c_int, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p,
                POINTER(c_double))),
}


def _candidates() -> list[str]:
    named = os.environ.get("TOMERGE_LIBRARY")
    if named:
        return [named]
    carried = os.path.join(os.path.dirname(os.path.abspath(__file__)), CARRIED)
    installed = ctypes.util.find_library("tomerge") or "libtomerge.so.1"
    return [carried, installed]


def _load() -> tuple[ctypes.CDLL, str]:
    failures = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
            for name, (result, arguments) in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype = result
                function.argtypes = arguments
        except (OSError, AttributeError) as error:
            failures.append(f"  {path}: {error}")
            continue
        found = library.tomerge_version_string().decode()
        if found.split(".")[:2] == __version__.split(".")[:2]:
            return library, path
        failures.append(f"  {path}: version {found}, this package needs "
                        f"{__version__}")
    raise ImportError("libtomerge was not found; tried\n" +
                      "\n".join(failures))


library, library_path = _load()


def check(code: int, what: str) -> None:
    """Raises :class:`Error` for a code below 0."""
    if code < 0:
        reason = library.tomerge_strerror(code).decode()
        raise Error(code, f"{what}: {reason}")


def _names(function) -> dict[str, int]:
    names = {}
    name = function(0)
    while name is not None:
        names[name.decode()] = len(names)
        name = function(len(names))
    return names


METHODS = _names(library.tomerge_method_name)
SIMILARITIES = _names(library.tomerge_similarity_name)
COMBINES = _names(library.tomerge_combine_name)
ORDERS = {"grouped": 0, "position": 1}


def number_of(names: dict[str, int], name: str, what: str) -> int:
    """The number the library has for a name."""
    try:
        return names[name]
    except (KeyError, TypeError):
        raise ValueError(f"{what}: expected one of {', '.join(names)}, "
                         f"found {name!r}") from None

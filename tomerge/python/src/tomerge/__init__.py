# SPDX-License-Identifier: MIT
"""Token merging for Vision Transformers (ToMe, ICLR 2023), on a C library.

On arrays of one's own::

    plan = tomerge.plan(metric, r=16, protect=1)   # which tokens merge
    x, size = plan.merge(x, size)                  # fewer rows, their sizes
    x = plan.unmerge(x)                            # as many as before

or in a whole model of timm, transformers, torchvision or open_clip::

    tomerge.patch(model)
    model.r = 13

or with a checkpoint and no other library at all::

    tomerge.Model("model.safetensors").eval("imagenet/val", r=13)
"""

from importlib.util import find_spec as _find_spec

from ._arguments import Role
from ._library import Error, library_path
from ._model import Classes, Evaluation, Model, Tokens
from ._partition import partition_grid, partition_list
from ._patch import patch, unpatch
from ._plan import Plan, mean_heads, merge, plan, trace, unmerge
from ._schedule import schedule, schedule_for_ratio, schedule_tokens
from ._version import __version__

__all__ = [
    "Classes", "Error", "Evaluation", "Model", "Plan", "Role", "Tokens",
    "__version__", "library_path",
    "mean_heads", "merge", "partition_grid", "partition_list", "patch", "plan",
    "schedule", "schedule_for_ratio", "schedule_tokens", "trace", "unmerge",
    "unpatch",
]
if _find_spec("torch"):  # without it everything else is there all the same
    __all__ += ["Merging", "patch_diffusion"]


def __getattr__(name: str) -> object:
    if name == "Merging":  # the only parts here that need torch
        from ._merging import Merging

        return Merging
    if name == "patch_diffusion":
        from ._diffusion import patch_diffusion

        return patch_diffusion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

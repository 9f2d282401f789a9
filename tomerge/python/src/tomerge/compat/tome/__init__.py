# SPDX-License-Identifier: MIT
"""The interface of the paper's own implementation::

    import tomerge.compat.tome as tome

    tome.patch.timm(model, trace_source=True)
    model.r = 16
    model(images)
    model._tome_info["source"]

Rows come in that implementation's order. On the CPU libtomerge does the work.
"""

from . import merge, patch, utils, vis

__all__ = ["merge", "patch", "utils", "vis"]

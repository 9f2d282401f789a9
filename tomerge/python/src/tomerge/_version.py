# SPDX-License-Identifier: MIT
"""The version of the package: that of the C library it belongs to."""

__version__ = "1.0.0"

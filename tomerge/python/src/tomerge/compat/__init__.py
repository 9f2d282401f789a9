# SPDX-License-Identifier: MIT
"""The interfaces of others, on tomerge: code written for them runs after one
import is changed."""

# SPDX-License-Identifier: MIT
"""What a run of the tests ran on, in its heading."""

import golden
import tomerge


def pytest_report_header():
    return [f"tomerge {tomerge.__version__}: {tomerge.library_path}",
            f"reference data: {golden.FOLDER or 'none'}"]

# SPDX-License-Identifier: MIT
"""The package and the library are one: versions, flags, finding it."""

import ast
import glob
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest
import tomerge

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..", "..")


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def in_repository():
    if not os.path.exists(os.path.join(TOP, "include", "tomerge.h")):
        pytest.skip("not beside the library's sources")


def test_version_is_the_header_s():
    in_repository()
    header = read(TOP, "include", "tomerge.h")
    parts = [re.search(rf"TOMERGE_VERSION_{part} (\d+)", header).group(1)
             for part in ("MAJOR", "MINOR", "PATCH")]
    assert tomerge.__version__ == ".".join(parts)


def configured_tiers():
    """The flags of every tier in configure.ac, its macros expanded."""
    source = read(TOP, "configure.ac")
    macros = dict(re.findall(r"^m4_define\(\[(TM_\w+)\], \[(.*?)\]\)",
                             source, re.M))
    tiers = dict(re.findall(r"^TM_TIER(?:_ARM)?\(\[(\w+)\], \[(.*?)\],", source,
                            re.M))

    def expand(flags):
        return [part for flag in flags.split() for part in
                (expand(macros[flag]) if flag in macros else [flag])]

    return {tier: expand(flags) for tier, flags in tiers.items()}


def test_tiers_are_configure_s():
    in_repository()
    found = configured_tiers()
    built = {tier for tier in found for folder in ("x86", "arm")
             if os.path.exists(os.path.join(TOP, "tomerge", folder,
                                            tier + ".c"))}
    source = read(HERE, "..", "setup.py")
    tiers = ast.literal_eval(re.search(r"^TIERS = (\{.*?^\})", source,
                                       re.M | re.S).group(1))
    assert set(tiers) == built
    more = re.search(r"^MODEL_TIERS = (\{.*?^\})", source,
                     re.M | re.S).group(1)
    of_models = eval(more, {"TIERS": tiers})
    for tier, flags in {**tiers, **of_models}.items():
        assert sorted(flags) == sorted(found[tier])
    files = [path for folder in ("x86", "arm") for path in glob.glob(
        os.path.join(TOP, "vit", "**", folder, "*.c"), recursive=True)]
    named = {os.path.basename(path)[:-2].split("_")[-1] for path in files}
    assert named == built | set(of_models)


def test_sources_are_make_s():
    """What setup.py finds to compile is what the library is made of."""
    in_repository()
    fragment = read(TOP, "tomerge", "Makefile.inc")
    listed = re.search(r"^libtomerge_core_la_SOURCES = ((?:.*\\\n)*.*)",
                       fragment, re.M).group(1)
    made = {name for name in re.findall(r"[\w/]+\.c", listed)}
    tiers = {f"tomerge/{folder}/{tier}.c" for folder in ("x86", "arm")
             for tier in configured_tiers()}
    found = {os.path.relpath(path, TOP)
             for pattern in ("*.c", "x86/*.c", "arm/*.c")
             for path in glob.glob(os.path.join(TOP, "tomerge", pattern))}
    assert found - tiers == made - tiers


def test_licence_is_the_repository_s():
    in_repository()
    assert read(HERE, "..", "LICENSE") == read(TOP, "LICENSE")


def test_what_a_wheel_carries():
    try:
        installed = importlib.metadata.distribution("tomerge")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed from a wheel")
    wheel = installed.read_text("WHEEL")
    if wheel is None:  # what building one leaves beside the sources
        pytest.skip("not installed from a wheel")
    assert "Tag: py3-none-" in wheel
    paths = [str(path) for path in installed.files]
    names = {os.path.basename(path) for path in paths}
    if "-manylinux" in wheel:  # with the libraries that it needs, if not libc's
        inside = [name for name in names if name.startswith("libgomp")]
        assert inside and any("tomerge.libs" in path for path in paths)
    assert {"LICENSE", "py.typed"} <= names
    if any(name.startswith("_libtomevit") for name in names):
        assert "imagenet1k.tsv" in names


def test_all_packages_are_shipped():
    source = os.path.join(HERE, "..", "src")
    found = {os.path.relpath(folder, source).replace(os.sep, ".")
             for folder, _, files in os.walk(source) if "__init__.py" in files}
    shipped = ast.literal_eval(re.search(
        r"^packages = (\[.*?\])", read(HERE, "..", "pyproject.toml"),
        re.M).group(1))
    assert set(shipped) == found


def test_everything_public_is_documented():
    for name in tomerge.__all__:
        assert name.startswith("_") or name == "library_path" or \
            getattr(tomerge, name).__doc__, name


def import_with(library):
    return subprocess.run(
        [sys.executable, "-c", "import tomerge"],
        env=dict(os.environ, TOMERGE_LIBRARY=library,
                 PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True, text=True)


def test_a_library_that_is_not_there(tmp_path):
    missing = str(tmp_path / "libtomerge.so")
    result = import_with(missing)
    assert result.returncode == 1
    assert "ImportError: libtomerge was not found" in result.stderr
    assert missing in result.stderr


def test_a_library_that_is_another(tmp_path):
    other = tmp_path / "libtomerge.so"
    other.write_text("not a library")
    assert str(other) in import_with(str(other)).stderr

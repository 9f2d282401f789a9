# SPDX-License-Identifier: MIT
"""Compiles libtomerge and puts it into the package.

The sources are those of the library, two folders up in its repository; a
source distribution carries copies of them in libtomerge/. A CPU tier's file
gets the tier's flags, as configure.ac has them, and is left out if the
compiler does not take them.
"""

import glob
import os
import platform
import shutil
import sys

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError, LinkError

HERE = os.path.dirname(os.path.abspath(__file__))
COPIES = os.path.join(HERE, "libtomerge")
TOP = COPIES if os.path.isdir(COPIES) else os.path.join(HERE, "..", "..")
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno",
         "-fvisibility=hidden", "-DHAVE_CONFIG_H"]
TIERS = {
    "avx2": ["-mavx2", "-mfma", "-mf16c", "-mbmi2"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl",
               "-mavx512cd", "-mavx2", "-mfma", "-mf16c", "-mbmi2"],
}
CARRIED = "_libtomerge" + {"darwin": ".dylib"}.get(sys.platform, ".so")


def library_sources():
    found = []
    for pattern in ("include/tomerge.h", "tomerge/*.[ch]", "tomerge/*.def",
                    "tomerge/x86/*.[ch]"):
        found += sorted(glob.glob(os.path.join(TOP, pattern)))
    if not found:
        raise SystemExit("the sources of libtomerge are not where this "
                         "package has them; build it inside its repository")
    return found


class BuildLibrary(build_ext):
    """Builds a library that ctypes loads, not an extension module."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")[:-1], CARRIED)

    def get_export_symbols(self, ext):
        return []

    def compile(self, sources, flags):
        return self.compiler.compile(
            sources, output_dir=self.build_temp,
            include_dirs=[self.build_temp, os.path.join(TOP, "include"),
                          os.path.join(TOP, "tomerge")],
            extra_postargs=FLAGS + flags)

    def takes(self, name, flags, code):
        """Whether the compiler compiles and links this with these flags."""
        path = os.path.join(self.build_temp, f"try_{name}.c")
        with open(path, "w") as file:
            file.write(code)
        try:
            objects = self.compile([path], flags)
            self.compiler.link_shared_object(
                objects, os.path.join(self.build_temp, f"try_{name}.so"),
                extra_postargs=flags)
        except (CompileError, LinkError):
            return False
        return True

    def tiers(self):
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return []
        code = "#include <immintrin.h>\nint found;\n"
        return [tier for tier in TIERS if self.takes(tier, TIERS[tier], code)]

    def build_extension(self, ext):
        os.makedirs(self.build_temp, exist_ok=True)
        openmp = ["-fopenmp"]
        if not self.takes("openmp", openmp, "#include <omp.h>\nint found;\n"):
            openmp = []
            self.warn("no OpenMP: calls will use one thread")
        tiers = self.tiers()
        self.write_config(tiers)
        of_tiers = {tier + ".c" for tier in TIERS}
        baseline = [path for path in library_sources() if path.endswith(".c")
                    and os.path.basename(path) not in of_tiers]
        objects = self.compile(baseline, openmp)
        for tier in tiers:
            path = os.path.join(TOP, "tomerge", "x86", tier + ".c")
            objects += self.compile([path], TIERS[tier] + openmp)
        target = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        self.compiler.link_shared_object(objects, target, libraries=["m"],
                                         extra_postargs=openmp)

    def write_config(self, tiers):
        """What configure's config.h says to libtomerge."""
        with open(os.path.join(self.build_temp, "config.h"), "w") as file:
            version = self.distribution.get_version()
            file.write("#define _GNU_SOURCE 1\n")
            file.write(f'#define PACKAGE_VERSION "{version}"\n')
            for tier in tiers:
                file.write(f"#define HAVE_{tier.upper()} 1\n")


class CarrySources(sdist):
    """A source distribution has copies of the library's sources."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        extra = [os.path.join(TOP, "LICENSE")]
        for path in library_sources() + extra:
            to = os.path.join(base_dir, "libtomerge",
                              os.path.relpath(path, TOP))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(path, to)


class AnyPython(bdist_wheel):
    """One wheel serves every Python: the library knows nothing of it."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[Extension("tomerge._libtomerge", sources=[])],
    cmdclass={"build_ext": BuildLibrary, "sdist": CarrySources,
              "bdist_wheel": AnyPython},
)

# SPDX-License-Identifier: MIT
"""Compiles libtomerge and libtomevit and puts them into the package.

The sources are those of the libraries, two folders up in their repository; a
source distribution carries copies of them in libtomerge/. A CPU tier's file
gets the tier's flags, as configure.ac has them, and is left out if the
compiler does not take them. Where jansson and zlib cannot be linked there is no
libtomevit, and so no tomerge.Model.
"""

import glob
import os
import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

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
    "neon": [],
}
# Those that libtomevit has besides.
MODEL_TIERS = {
    "avx512vnni": TIERS["avx512"] + ["-mavx512vnni"],
    "avx512bf16": TIERS["avx512"] + ["-mavx512bf16"],
    "amxbf16": TIERS["avx512"] + ["-mavx512bf16", "-mamx-tile", "-mamx-bf16"],
    "amxint8": TIERS["avx512"] + ["-mamx-tile", "-mamx-int8"],
    "neondotprod": ["-march=armv8.2-a+dotprod"],
    "neoni8mm": ["-march=armv8.2-a+dotprod+i8mm"],
    "neonbf16": ["-march=armv8.2-a+bf16"],
}
ENDING = {"darwin": ".dylib"}.get(sys.platform, ".so")
TABLE = os.path.join(TOP, "data", "imagenet1k.tsv")


def sources_of(*patterns):
    return [path for pattern in patterns
            for path in sorted(glob.glob(os.path.join(TOP, pattern),
                                         recursive=True))]


def library_sources():
    found = sources_of("include/tomerge.h", "tomerge/*.[ch]", "tomerge/*.def",
                       "tomerge/vectors/*.h", "tomerge/x86/*.[ch]",
                       "tomerge/arm/*.[ch]")
    if not found:
        raise SystemExit("the sources of libtomerge are not where this "
                         "package has them; build it inside its repository")
    return found


def model_sources():
    return sources_of("include/tomevit*.h", "vit/**/*.[ch]", "vit/**/*.def")


def tier_of(path):
    """Of a file in an architecture's folder: "avx2" of int8_avx2.c."""
    return os.path.basename(path)[:-len(".c")].split("_")[-1]


class BuildLibrary(build_ext):
    """Builds libraries that ctypes loads, not extension modules."""

    def get_ext_filename(self, fullname):
        *packages, name = fullname.split(".")
        return os.path.join(*packages, name + ENDING)

    def get_export_symbols(self, ext):
        return []

    def compile(self, sources, flags):
        """The objects, as many files at a time as there are processors."""
        def one(path):
            return self.compiler.compile(
                [path], output_dir=self.build_temp,
                include_dirs=[self.build_temp, os.path.join(TOP, "include"),
                              os.path.join(TOP, "tomerge")],
                extra_postargs=FLAGS + flags)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [made for each in pool.map(one, sources) for made in each]

    def takes(self, name, flags, code, libraries=()):
        """Whether the compiler compiles and links this with these flags."""
        path = os.path.join(self.build_temp, f"try_{name}.c")
        with open(path, "w") as file:
            file.write(code)
        try:
            objects = self.compile([path], flags)
            self.compiler.link_shared_object(
                objects, os.path.join(self.build_temp, f"try_{name}.so"),
                libraries=list(libraries), extra_postargs=flags)
        except (CompileError, LinkError):
            return False
        return True

    def tiers(self):
        folder = self.tiers_folder()
        if not folder:
            return []
        header = "arm_neon.h" if folder == "arm" else "immintrin.h"
        code = f"#include <{header}>\nint found;\n"
        return [tier for tier, flags in {**TIERS, **MODEL_TIERS}.items()
                if tier.startswith("neon") == (folder == "arm")
                and self.takes(tier, flags, code)]

    def tiers_folder(self):
        machine = platform.machine().lower()
        if machine in ("x86_64", "amd64"):
            return "x86"
        return "arm" if machine in ("aarch64", "arm64") else None

    def build_extensions(self):
        self.prepare()
        super().build_extensions()

    def prepare(self):
        """libtomerge's objects, which both libraries have in them."""
        os.makedirs(self.build_temp, exist_ok=True)
        openmp = ["-fopenmp"]
        if not self.takes("openmp", openmp, "#include <omp.h>\nint found;\n"):
            openmp = []
            self.warn("no OpenMP: calls will use one thread")
        self.openmp, self.found = openmp, self.tiers()
        self.write_config(self.found)
        of_tiers = {tier + ".c" for tier in TIERS}
        baseline = [path for path in library_sources() if path.endswith(".c")
                    and os.path.basename(path) not in of_tiers]
        self.merging = self.compile(baseline, openmp)
        for tier in set(TIERS) & set(self.found):
            path = os.path.join(TOP, "tomerge", self.tiers_folder(),
                                tier + ".c")
            self.merging += self.compile([path], TIERS[tier] + openmp)

    def build_extension(self, ext):
        objects, libraries = self.merging, ["m"]
        if ext.name.endswith("_libtomevit"):
            libraries = ["m", "jansson", "z"]
            code = "#include <jansson.h>\n#include <zlib.h>\nint found;\n"
            if not self.takes("libraries", [], code, libraries[1:]):
                self.warn("no jansson or no zlib to compile with: the package "
                          "is without tomerge.Model")
                return
            objects = objects + self.model_objects()
        target = self.get_ext_fullpath(ext.name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        self.compiler.link_shared_object(objects, target, libraries=libraries,
                                         extra_postargs=self.openmp)
        shutil.copy2(TABLE, os.path.dirname(target))

    def model_objects(self):
        objects, baseline = [], []
        for path in model_sources():
            folder = os.path.basename(os.path.dirname(path))
            if not path.endswith(".c"):
                continue
            if folder not in ("x86", "arm"):
                baseline.append(path)
            elif tier_of(path) in self.found:
                flags = {**TIERS, **MODEL_TIERS}[tier_of(path)]
                objects += self.compile([path], flags + self.openmp)
        return objects + self.compile(baseline, self.openmp)

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
        extra = [os.path.join(TOP, "LICENSE"), TABLE]
        for path in library_sources() + model_sources() + extra:
            to = os.path.join(base_dir, "libtomerge",
                              os.path.relpath(path, TOP))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(path, to)


class AnyPython(bdist_wheel):
    """One wheel serves every Python: the library knows nothing of it."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[Extension("tomerge._libtomerge", sources=[]),
                 Extension("tomerge._libtomevit", sources=[], optional=True)],
    cmdclass={"build_ext": BuildLibrary, "sdist": CarrySources,
              "bdist_wheel": AnyPython},
)

"""Builds every .pyx below fastedge/ as one extension. Directives stand here and nowhere else.

FASTEDGE_DEBUG=1 builds with bounds checks and assertions on; the same test suite runs on it.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTEDGE_DEBUG") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": True,
    "always_allow_keywords": False,
    "auto_pickle": False,
}
# Calls between an extension's own functions, and into libpython, go straight there.
COMPILE = ["-O0", "-g", "-UNDEBUG"] if DEBUG else ["-O3", "-g1", "-fno-plt", "-fno-semantic-interposition"]


def extensions() -> list[Extension]:
    """One extension for each .pyx, named by its path."""
    sources = sorted(Path("fastedge").rglob("*.pyx"))
    names = (".".join(path.with_suffix("").parts) for path in sources)
    return [Extension(name, [str(path)], extra_compile_args=COMPILE) for name, path in zip(names, sources, strict=True)]


setup(
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    ext_modules=cythonize(
        extensions(), compiler_directives=DIRECTIVES, nthreads=os.cpu_count() or 1, build_dir="build/cython"
    ),
)

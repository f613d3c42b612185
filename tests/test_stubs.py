"""The stubs of the native modules say what is there: mypy's stubtest, with what it cannot see named below."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NATIVE = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "fastedge").rglob("*.pyi"))

# A pattern of stubtest's lines, and why such a line is no mistake.
KNOWN = {
    r'should be positional or keyword \(remove "/"\)': "the stub promises less than the signature shows",
    r"You may need to write stubs for __new__": "a __cinit__ has no signature that could be seen",
    r'stub does not have \*args parameter "args"': "an __init__ beside a __cinit__ has none either",
    r"disjoint base at runtime": "PEP 800; nothing inherits from these outside",
    r"(Geo|GeoLookup|Bindable) is not present at runtime": "protocols, for type checkers alone",
    r'Fields\.get is inconsistent, runtime parameter "default"': "None as the default is the first overload",
}


def test_every_native_module_has_a_stub() -> None:
    sources = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "fastedge").rglob("*.pyx")}
    assert sources - set(NATIVE) == set()


def test_stubs_agree_with_the_modules() -> None:
    pytest.importorskip("mypy.stubtest", reason="needs mypy: pip install '.[lint]'")
    # --ignore-missing-stub: constants that a module imports need none.
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--ignore-missing-stub", *NATIVE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    known = re.compile("|".join(KNOWN))
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert [line for line in lines if line and not known.search(line)] == []
    assert {text for text in KNOWN if not any(re.search(text, line) for line in lines)} == set()

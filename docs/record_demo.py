"""Runs the demo once and keeps what its terminal showed as docs/demo.svg: `python docs/record_demo.py`."""

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "policies"))

import demo  # noqa: E402  (a script beside the policies, not a module of the package)


class Wrapped(Console):
    """Lines that are to be copied are not wrapped; in a picture all of them must be seen."""

    def print(self, *parts: Any, **options: Any) -> None:
        super().print(*parts, **{**options, "soft_wrap": False})


def main() -> int:
    console = Wrapped(record=True, width=126, force_terminal=True)
    show = demo._show

    def show_and_stop(_: Console) -> None:
        show(console)
        os.kill(os.getpid(), signal.SIGTERM)

    demo._show = show_and_stop
    status = demo.main()
    svg = console.export_svg(title="make run")
    # Fonts are the reader's own: a picture in a README fetches nothing.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, 'DejaVu Sans Mono', monospace")
    (DOCS / "demo.svg").write_text(svg)
    return status


if __name__ == "__main__":
    sys.exit(main())

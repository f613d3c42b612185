"""Takes docs/personal.png of what `make run` shows at its door, while that runs: `python docs/record_personal.py`."""

import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "tests"), str(DOCS.parent / "tests/browser")]

from webdriver import Browser  # noqa: E402  (a module beside the tests, not of the package)

WIDTH, HEIGHT = 1260, 736

with tempfile.TemporaryDirectory() as directory, Browser(Path(directory)) as browser:
    browser.resize(WIDTH, HEIGHT)
    browser.open("http://127.0.0.1:9005/")
    (DOCS / "personal.png").write_bytes(browser.screenshot())

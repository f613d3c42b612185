"""Chromium without a screen, driven by ChromeDriver over plain HTTP (W3C WebDriver)."""

import base64
import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from servers import RealServer, binary, free_port

# A window that asks nobody but us, and that root may open.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # That of a browser with a screen: one that says HeadlessChrome is a bot, and in no experiment.
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
]
ANSWER_S = 60


class Browser:
    """One window. Runs from `with` to its end."""

    def __init__(self, directory: Path) -> None:
        self._chromium, driver = binary("chromium"), binary("chromedriver")
        self._profile = directory / "profile"
        port = free_port()
        self._driver = RealServer([driver, f"--port={port}"], port, directory / "chromedriver.log")

    def __enter__(self) -> "Browser":
        self._driver.__enter__()
        try:
            options = {"binary": self._chromium, "args": [*ARGUMENTS, f"--user-data-dir={self._profile}"]}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options}
            made = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._driver.__exit__()
            raise
        self._session = f"/session/{made['sessionId']}"
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._send("DELETE", self._session)
        finally:
            self._driver.__exit__()

    def open(self, url: str, fields: Mapping[str, str] | None = None) -> None:
        """Returns when the page has loaded. `fields` go with it and all that it asks for; the browser has kept nothing."""
        self.devtools("Network.enable", {})
        self.devtools("Network.clearBrowserCache", {})
        self.devtools("Network.setExtraHTTPHeaders", {"headers": dict(fields or {})})
        for one in ("about:blank", url):  # to open what is open would be to reload it, past every cache
            self._send("POST", f"{self._session}/url", {"url": one})

    def run(self, script: str) -> Any:
        """What the body of a function returns, in the page."""
        return self._send("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def devtools(self, command: str, parameters: Mapping[str, object]) -> Any:
        return self._send("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", size)

    def screenshot(self) -> bytes:
        """A PNG of what the window shows."""
        return base64.b64decode(self._send("GET", f"{self._session}/screenshot"))

    def _send(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._driver.port, timeout=ANSWER_S)
        text = None if method == "GET" or body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        value = json.loads(response.read())["value"]
        connection.close()
        assert response.status == 200, value
        return value

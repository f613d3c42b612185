from typing import final

from fastedge._core.template import Template
from fastedge.html.rules import PageRules

PROBLEMS: dict[str, str]

def compile_page(page: bytes, rules: PageRules, charset: str | None = None) -> Template: ...

@final
class Compiler:
    def number_of(self, what: object) -> int: ...

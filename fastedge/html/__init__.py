"""Personal pages: slots are found once, when a page is stored; each visitor's page is joined from the parts."""

from fastedge._core.htmlescape import escape_value
from fastedge._core.stitch import Fragment
from fastedge._core.template import Template
from fastedge.html.compile import PROBLEMS, compile_page
from fastedge.html.encoding import page_encoding
from fastedge.html.esi import Include
from fastedge.html.expressions import Variable
from fastedge.html.fragments import load_fragments
from fastedge.html.rules import PageRules, Slot

__all__ = [
    "PROBLEMS",
    "Fragment",
    "Include",
    "PageRules",
    "Slot",
    "Template",
    "Variable",
    "compile_page",
    "escape_value",
    "load_fragments",
    "page_encoding",
]

"""Which encodings a page may be in: those in which every byte of ASCII is that character wherever a tag could begin."""

import re

UTF_8 = frozenset({"utf-8", "utf8", "unicode-1-1-utf-8", "x-unicode20utf8"})
_ASCII_COMPATIBLE = re.compile(
    r"(?:us-)?ascii|ansi_x3\.4-1968|(?:windows|cp|x-cp|ibm)-?(?:125[0-8]|866|874)|iso[-_]?8859[-_]?\d{1,2}(?:-[ie])?|(?:iso[-_])?ir-\d+"
    r"|latin-?\d|l\d|koi8?(?:[-_]?(?:r|u|ru))?|(?:x-)?mac(?:intosh|-roman|-cyrillic|-ukrainian)|tis-620|dos-874|gb2312|gbk|x-gbk"
    r"|gb18030|gb_2312(?:-80)?|big5(?:-hkscs)?|x-x-big5|euc-(?:jp|kr)|x-euc-jp|shift[-_]jis|x-sjis|sjis|ms_kanji|windows-(?:31j|949)"
    r"|ks_c_5601-1987|x-user-defined"
)
_META = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_PRESCAN_BYTES = 1024  # of a page, in which browsers look for its encoding (WHATWG HTML §13.2.3.2)


def page_encoding(page: bytes, charset: str | None = None) -> str | None:
    """ "utf-8", "ascii-compatible", or None for a page that cannot be read byte by byte.

    `charset`: the parameter of its Content-Type. A byte order mark outweighs it; without it the page's own meta counts.
    """
    if page.startswith(b"\xef\xbb\xbf"):
        return "utf-8"
    if page.startswith((b"\xfe\xff", b"\xff\xfe")):
        return None
    if charset is None:
        meta = _META.search(page, 0, _PRESCAN_BYTES)
        charset = meta[1].decode("ascii") if meta else "windows-1252"
        if charset.lower().startswith("utf-16"):  # a page whose meta could be read is not in it (§13.2.3.2)
            return "utf-8"
    label = charset.strip(" \t\"'").lower()
    if label in UTF_8:
        return "utf-8"
    return "ascii-compatible" if _ASCII_COMPATIBLE.fullmatch(label) else None

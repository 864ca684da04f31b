"""What partners might put into names and lines to get where they should not. Plain data, several hundred pieces.

No expected outcome stands here; the tests say what must hold for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Text that is code somewhere: in SQL, a shell, a path, a header, HTML, a log, a template, YAML, a spreadsheet.
PAYLOADS = (
    "'", "''", "';", "' OR '1'='1", "'; DROP TABLE lake.main.inbound_files; --", "\"; DROP TABLE receipts; --",
    "1; DELETE FROM x", "' UNION SELECT * FROM lake.main.id_links --", "$day", "$partners", "?", ":1", "%s", "%(day)s",
    "{day}", "{0}", "${DD_UUID}", "%DPUUID%", "{{7*7}}", "<%= 1 %>", "$(id)", "`id`", "$(touch pwned)", "; touch pwned",
    "| touch pwned", "&& touch pwned", "\n touch pwned", "> pwned", "* ?", "~", "~root", "-rf", "--help",
    "-o ProxyCommand=touch pwned", "..", "...", ".. ", "..\\..\\x", "%2e%2e%2f", "%00", "%0d%0aBcc: x@y.example", "\\x00",
    "C:\\x", "CON", "NUL", "aux", "file:///etc/passwd", "s3://drops/x", "http://127.0.0.1/", "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "\"><svg/onload=alert(1)>", "&lt;b&gt;", "&#x3c;", "[x](javascript:alert(1))", "=1+1",
    "=cmd|' /C calc'!A0", "+1", "@SUM(1)", "!!python/object/apply:os.system", "*anchor", "&anchor", "null", "true", "NaN",
    "1e999", "-0", "0x10", "٣", "１２", "Ⅷ", "ﬀ", "ß", "İ", "ı", "K", "é", "é", "\u202egnp", "\u200b", "\ufeff", "\u2028",
    "\u2029", "\u0085", "\xa0", "\u3000", "𝕏", "👩‍👩‍👧", "🏴‍☠️", "\U000e0041", "\ufffd", "\uffff", "A" * 200, "á" * 90,
    "(" * 90, "[" * 90, "a b", " a", "a ", "a\\", "\\", "/", "//", "#", "##", "#!", "--", "/*", "*/", "\\n", "\\r\\n",
    "\\u0000", "]]>", "<!--", "<?xml", "__proto__", "constructor", "__class__", "__import__('os')", "os.environ", "lambda: 0",
    "date=2026-01-05", "globex", "acme", ".part", "rowid", "SELECT", "read_csv('/etc/passwd')", "glob('*')",
    "COPY x TO 'pwned'", "ATTACH 'pwned'", "INSTALL httpfs", "PRAGMA x",
)  # fmt: skip

#: Characters that end lines or steer terminals.
CONTROLS = tuple(chr(code) for code in (*range(1, 32), 127, *range(128, 160)))

GOOD = "ftp_dpm_1001_1767614400.sync"


def names() -> Iterator[str]:
    """File names without a slash or NUL, at most 255 bytes: what any file system takes."""
    for text in (*PAYLOADS, *CONTROLS):
        if "/" in text:
            text = text.replace("/", "\u2215")
        yield text
        yield f"ftp_dpm_1001_1767614400{text}.sync"
        yield f"ftp_dpm_1001_{text}.sync"
        yield GOOD + text
        yield f"{GOOD}.{text}"
        yield f"adobe_id_{text}_1001_1767614400.sync"
    yield from (name.upper() for name in (GOOD, GOOD + ".gz"))
    yield from ("ftp_dpm_1001_1767614400.Sync", "Ftp_dpm_1001_1767614400.sync", "ftp_dpm_1001_1767614400.sync.GZ")
    for other in (
        "2001",
        "1001_2001",
        "2001_1001",
        "20914_2001",
        "0_2001",
        "99999",
        "1001_99999",
        "01001",
        "+1001",
        "1001 ",
        "１００１",
    ):
        yield f"ftp_dpm_{other}_1767614400.sync"
    for endings in (
        ".gz.pgp",
        ".pgp.gz",
        ".zip",
        ".gz.gz",
        ".tar.gz",
        ".exe",
        ".sync",
        ".overwrite",
        "." + "9" * 11,
        ".-1",
        ".1.2",
    ):
        yield GOOD + endings


def keys() -> Iterator[str]:
    """Keys below a day's folder that only a bucket can hold: slashes, dots, lengths."""
    yield from ("../x", "../../globex/date=2026-01-05/" + GOOD, "./" + GOOD, "/" + GOOD, "//x", "a/../" + GOOD, "..", ".")
    yield from ("a/b/c/" + GOOD, "date=2026-01-05/" + GOOD, "date=2026-13-45/" + GOOD, "globex/date=2026-01-05/" + GOOD)
    yield from ("x" * 900, "../" * 200 + "x")


def lines() -> Iterator[bytes]:
    """Lines of a data file, with each piece as user ID, key, value and item, quoted and not."""
    for number, text in enumerate((*PAYLOADS, *CONTROLS)):
        plain = text.replace('"', "").replace(",", "")
        yield f"{text}\td_sid=30".encode()
        yield f'user{number}\t"{plain}"="x"'.encode()
        yield f'user{number}\t"k"="{plain}"'.encode()
        yield f"user{number}\t{text}={text}".encode()
        yield f"user{number}\tic={text},{text},d_sid={text},d_unsid={text}".encode()
    yield from (
        b"\xff\xfe\tk=1",
        b"user\xc3\x28\tk=1",
        b"\xed\xa0\x80\tk=1",
        b"nul\x00\tk=1",
        b"user\tk=\x00",
        b"\xf0\x9f\x92\t\x80=1",
    )

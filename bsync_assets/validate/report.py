"""A validated file in words and as JSON. Lines are written as they are judged, so that a large file needs no more memory."""

from __future__ import annotations

import json
from collections.abc import Callable

from bsync_assets.exchange.reasons import DATA_COUNTERS, FILE_REASONS, LINE_REASONS, SYNC_COUNTERS
from bsync_assets.validate import JudgedLine, Verdict

Write = Callable[[str], object]

_MEANINGS = {reason.code: reason.meaning for reason in LINE_REASONS}
_LABELS = {counter.name: counter.label for counter in (*SYNC_COUNTERS, *DATA_COUNTERS)}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class JsonReport:
    """One object per file, on one line: {"file", "lines", "name", "refused", "counters", "hints"}."""

    def __init__(self, file: str, write: Write) -> None:
        self._write = write
        self._comma = ""
        write('{"file":' + _json(file) + ',"lines":[')

    def lines(self, lines: list[JudgedLine]) -> None:
        """Write some lines: {"line", "outcome"}, with "reason", "rule" and "sample" if they would not be stored."""
        for line in lines:
            said = {"reason": line.reason, "rule": line.rule, "sample": line.sample}
            why = _json({key: value for key, value in said.items() if value is not None})[1:-1]
            self._write(f'{self._comma}{{"line":{line.line_no},"outcome":{line.outcome}{"," if why else ""}{why}}}')
            self._comma = ","

    def end(self, verdict: Verdict) -> None:
        """Write what the file as a whole comes to."""
        whole = {
            "name": verdict.name,
            "refused": verdict.refused,
            "counters": verdict.counters,
            "hints": [hint._asdict() for hint in verdict.hints],
        }
        self._write("]," + _json(whole)[1:] + "\n")


class TextReport:
    """The lines that break a rule, then the verdict on the file, hints, and the figures that are not 0."""

    def __init__(self, file: str, write: Write) -> None:
        self._write = write
        write(f"{file}\n")

    def lines(self, lines: list[JudgedLine]) -> None:
        """Write some lines that break a rule."""
        for line in lines:
            reason = f"{line.reason} ({line.rule})"
            sample = (line.sample or "").replace("\t", "<TAB>")
            self._write(f"  line {line.line_no:<6} {reason:<28} {_MEANINGS[line.reason or '']}: {sample}\n")

    def end(self, verdict: Verdict) -> None:
        """Write what the file as a whole comes to."""
        code = verdict.name.get("reject") or verdict.refused
        if code is not None:
            rule, what_to_do = FILE_REASONS[code]
            self._write(f"  refused: {code} ({rule}): {what_to_do}\n")
        elif verdict.breaks_a_rule:
            self._write("  accepted, but for the lines above\n")
        else:
            self._write("  accepted; no line breaks a rule\n")
        for hint in verdict.hints:
            where = f"{hint.lines} line{'s' if hint.lines > 1 else ''}, from line {hint.first_line} on: " if hint.lines else ""
            self._write(f"  hint: {where}{hint.advice} ({hint.rule})\n")
        for name, figure in verdict.counters.items():
            if figure or name in ("records_received", "records_processed", "stored_records"):
                self._write(f"  {_LABELS[name]:<24} {figure:>14,}\n")

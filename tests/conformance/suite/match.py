# SPDX-License-Identifier: Apache-2.0
"""Compares what came with what a case expects. Text is compared byte for byte, but for the placeholders."""
import re

PLACES = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "ms": r"\d+\.\d{2}",          # milliseconds as text logs have them
    "ms3": r"\d+(?:\.\d{1,3})?",  # as JSON logs have them
    "int": r"\d+",
    "iso": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z",
    "date": r"\d{4}/\d{2}/\d{2}",
    "hex16": r"[0-9a-f]{16}",
    "hex24": r"[0-9a-f]{24}",
    "hex8": r"[0-9a-f]{8}",
    "hex32": r"[0-9a-f]{32}",
    "hex64": r"[0-9a-f]{64}",
    "any": r"[^\n]*",             # anything within a line
    "rest": r"(?s:.*)",           # anything at all
}


class Mismatch(Exception):
    pass


def short(v, n=600):
    t = v if isinstance(v, str) else repr(v)
    return t if len(t) <= n else f"{t[: n // 2]} ... ({len(t)} characters) ... {t[-n // 2 :]}"


def pattern(text, names):
    """A regular expression for `text`; <id> and the like are what `names` says, <uuid> and the like what they look like."""
    out = []
    for part in re.split(r"(<[a-z][a-z0-9-]*>)", text):
        key = part[1:-1]
        if part.startswith("<") and key in names:
            out.append(re.escape(str(names[key])))
        elif part.startswith("<") and key in PLACES:
            out.append(PLACES[key])
        else:
            out.append(re.escape(part))
    return "".join(out)


def text_is(got, want, names):
    return re.fullmatch(pattern(want, names), got) is not None


def check_text(what, got, want, names):
    if not text_is(got, want, names):
        raise Mismatch(f"{what}\n  expected: {short(want)}\n  got:      {short(got)}")


def number_is(got, want):
    """ "> 5", ">= 5 <= 9": every comparison holds."""
    for op, n in re.findall(r"(>=|<=|>|<|!=)\s*(-?[\d.]+)", want):
        n = float(n)
        ok = {">=": got >= n, "<=": got <= n, ">": got > n, "<": got < n, "!=": got != n}[op]
        if not ok:
            return False
    return True


COMPARISON = re.compile(r"\s*((>=|<=|>|<|!=)\s*-?[\d.]+\s*)+")


def check_value(what, got, want, names):
    """Equality all the way down; strings are patterns, "> 5" compares numbers, "<set>" is anything but nothing. A list in a list of
    expected items must have the same length; an object must have the same keys unless it has the key "..."."""
    if isinstance(want, str):
        if want == "<set>":
            if got is None:
                raise Mismatch(f"{what}: expected something, got nothing")
        elif COMPARISON.fullmatch(want) and isinstance(got, (int, float)) and not isinstance(got, bool):
            if not number_is(got, want):
                raise Mismatch(f"{what}: expected {want}, got {got}")
        elif isinstance(got, str):
            check_text(what, got, want, names)
        else:
            raise Mismatch(f"{what}: expected {short(want)}, got {short(got)}")
    elif isinstance(want, dict):
        if not isinstance(got, dict):
            raise Mismatch(f"{what}: expected an object, got {short(got)}")
        if "..." not in want and set(got) != set(want):
            raise Mismatch(f"{what}: keys differ: missing {sorted(set(want) - set(got))}, not expected {sorted(set(got) - set(want))}")
        for k, v in want.items():
            if k == "...":
                continue
            if k not in got:
                if v is None and "..." in want:
                    continue
                raise Mismatch(f"{what}: no {k} in {short(got)}")
            check_value(f"{what}.{k}", got[k], v, names)
    elif isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            raise Mismatch(f"{what}: expected {len(want)} items, got {short(got, 3000)}")
        for i, (g, w) in enumerate(zip(got, want)):
            check_value(f"{what}[{i}]", g, w, names)
    elif type(got) is not type(want) and not (isinstance(got, (int, float)) and isinstance(want, (int, float)) and not isinstance(got, bool) and not isinstance(want, bool)):
        raise Mismatch(f"{what}: expected {want!r}, got {short(got)}")
    elif got != want:
        raise Mismatch(f"{what}: expected {want!r}, got {got!r}")


def check_lines(what, got, want, names, whole):
    """`whole`: these lines and no others; else these in this order, others between them."""
    if whole and len(got) != len(want):
        raise Mismatch(f"{what}: expected {len(want)} lines\n    " + "\n    ".join(want) + f"\n  got {len(got)}\n    " + "\n    ".join(map(short, got)))
    i = 0
    for w in want:
        while i < len(got) and not text_is(got[i], w, names):
            if whole:
                raise Mismatch(f"{what}: line {i + 1}\n  expected: {w}\n  got:      {short(got[i])}")
            i += 1
        if i == len(got):
            raise Mismatch(f"{what}: no line {w!r} (in this order) in\n    " + "\n    ".join(map(short, got)))
        i += 1

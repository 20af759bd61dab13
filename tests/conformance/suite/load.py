# SPDX-License-Identifier: Apache-2.0
"""Reads the cases and refuses what is written wrongly, so that a misspelt expectation cannot pass by being ignored."""
import pathlib
import re

import yaml

CASES = pathlib.Path(__file__).resolve().parents[1] / "cases"
DEFAULT_PROFILE = "aws-lambda-2026-11"

CASE_KEYS = {"id", "behaviour", "source", "profile", "profiles", "options", "functions", "steps", "needs", "inside", "alone", "files"}
FUNCTION_KEYS = {"scripted", "init", "python", "node", "files", "copy", "zip"}
ANSWER_KEYS = {"status", "headers", "body", "body_size", "json", "tail", "tail_has", "tail_size", "tail_ends", "log", "log_has", "row", "rows", "violations",
               "took_ms", "that"}
STEP_KINDS = {"invoke", "request", "raw", "join", "saw", "sql", "run", "core", "environments", "daemon", "pass_ms", "file", "script"}
# What only our own daemon shows: its log file, its lines, its environments, its other commands.
INSIDE_KEYS = {"log", "log_has", "row", "rows", "violations"}
INSIDE_STEPS = {"sql", "run", "core", "environments", "daemon", "file"}


class BadCase(Exception):
    pass


class Case:
    def __init__(self, raw, group, where, profile):
        self.raw, self.group, self.where = raw, group, where
        self.id = raw["id"] if profile is None else f"{raw['id']}@{short_profile(profile)}"
        self.behaviour, self.source = raw["behaviour"], raw["source"]
        self.profile = profile or raw.get("profile", DEFAULT_PROFILE)
        self.options = {**group.get("options", {}), **raw.get("options", {})}
        self.functions = raw.get("functions", {"fn": {"scripted": True}})
        self.steps = raw["steps"]
        self.needs = raw.get("needs", [])
        self.alone = raw.get("alone", False)
        self.inside = raw.get("inside", False) or any(inside(s) for s in self.steps)

    @property
    def profile_key(self):
        return yaml.safe_dump(self.profile)


def short_profile(p):
    m = re.fullmatch(r"aws-lambda-(\d{4})-\d\d", p)
    return m.group(1) if m else p


def inside(step):
    kind = next((k for k in step if k in STEP_KINDS), None)
    return kind in INSIDE_STEPS or bool(INSIDE_KEYS & set(step.get("expect", {})))


def need(ok, where, text):
    if not ok:
        raise BadCase(f"{where}: {text}")


def check_step(where, step):
    need(isinstance(step, dict), where, "a step is a mapping")
    kinds = [k for k in step if k in STEP_KINDS]
    need(len(kinds) == 1, where, f"a step has exactly one of {sorted(STEP_KINDS)}, not {list(step)}")
    extra = set(step) - {kinds[0], "expect", "as"}
    need(not extra, where, f"unknown keys {sorted(extra)}")
    if kinds[0] in ("invoke", "request", "join", "raw", "run", "script"):
        expect = step.get("expect", {})
        command = {"status", "stdout", "stderr", "json", "stderr_has", "stdout_has"}
        allowed = {"run": command, "script": command, "raw": {"text", "starts"}}.get(kinds[0], ANSWER_KEYS)
        need(set(expect) <= allowed, where, f"unknown expectations {sorted(set(expect) - allowed)}")


def check_case(where, raw, group_profile_ok=True):
    for k in ("id", "behaviour", "source", "steps"):
        need(k in raw, where, f"no {k}")
    need(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", raw["id"]) and len(raw["id"]) <= 48, where, f"id {raw['id']!r} is not words in small letters")
    need(set(raw) <= CASE_KEYS, where, f"unknown keys {sorted(set(raw) - CASE_KEYS)}")
    need(isinstance(raw["source"], str) and raw["source"].strip(), where, "no source of the fact")
    for name, f in raw.get("functions", {}).items():
        need(set(f) <= FUNCTION_KEYS, where, f"function {name}: unknown keys {sorted(set(f) - FUNCTION_KEYS)}")
    need(raw["steps"], where, "no steps")
    for i, s in enumerate(raw["steps"]):
        check_step(f"{where} step {i + 1}", s)


def parse(text, where):
    doc = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    need(isinstance(doc, dict) and set(doc) <= {"group", "about", "options", "cases"} and "group" in doc, where, "a file has group, about, options and cases")
    out = []
    for raw in doc.get("cases", []):
        at = f"{where}: {raw.get('id', '?')}"
        check_case(at, raw)
        profiles = raw.get("profiles")
        for p in profiles or [None]:
            out.append(Case(raw, doc, where, p))
    return doc, out


def load(folder=CASES):
    """[(group document, [cases])], in the order of the file names; ids are unique."""
    groups, seen = [], {}
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        doc, cases = parse(path.read_text(), path.name)
        for c in cases:
            need(c.id not in seen, path.name, f"the id {c.id} is also in {seen.get(c.id)}")
            seen[c.id] = path.name
        groups.append((doc, cases))
    return groups

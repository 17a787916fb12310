"""Reads the reports of wstest, judges every case, and prints what came out."""

import json
import textwrap
from collections import Counter

from . import cases

OK = "OK"
INFORMATIONAL = "INFORMATIONAL"
NON_STRICT = "NON-STRICT"
FAILED = "FAILED"
UNIMPLEMENTED = "UNIMPLEMENTED"
MISSING = "MISSING"

COLUMNS = (OK, INFORMATIONAL, NON_STRICT, FAILED, UNIMPLEMENTED, MISSING)
PASSED = (OK, INFORMATIONAL)


def read(directory, agent):
    """The reports below a part's directory: case id to report, empty without an index.

    A report that is named in the index and cannot be read is left out, which
    makes its case a missing one.
    """
    try:
        index = json.loads((directory / "index.json").read_text()).get(agent, {})
    except (OSError, ValueError):
        return {}
    reports = {}
    for case, entry in index.items():
        try:
            detail = json.loads((directory / entry["reportfile"]).read_text())
        except (OSError, ValueError, KeyError):
            continue
        entry["reportfile"] = f"{directory.name}/{entry['reportfile']}"
        reports[case] = {"index": entry, "detail": detail}
    return reports


def verdict(behavior, behavior_close):
    """One word for a case: the worse of how it behaved and how it closed.

    WRONG CODE, UNCLEAN, FAILED BY CLIENT and any word not known here are
    failures.
    """
    both = (behavior, behavior_close)
    for word in both:
        if word not in (OK, INFORMATIONAL, NON_STRICT, UNIMPLEMENTED):
            return FAILED
    # Behaviour alone can be unimplemented; the close is judged all the same.
    for word in (NON_STRICT, UNIMPLEMENTED, INFORMATIONAL):
        if word in both:
            return word
    return OK


class Outcome:
    """What a role's run gave for each of the cases that were asked for."""

    def __init__(self, role, expected, reports, deflate_required):
        self.role = role
        self.reports = reports
        self._deflate_required = deflate_required
        self.verdicts = {
            case: verdict(reports[case]["index"].get("behavior"),
                          reports[case]["index"].get("behaviorClose"))
            if case in reports else MISSING
            for case in expected
        }

    def is_expected(self, case):
        """Sections 12 and 13 stay unimplemented until permessage-deflate is in."""
        return (self.verdicts[case] == UNIMPLEMENTED
                and cases.is_deflate(case) and not self._deflate_required)

    def passed(self):
        return sum(word in PASSED for word in self.verdicts.values())

    def failures(self):
        return [case for case, word in self.verdicts.items()
                if word not in PASSED and not self.is_expected(case)]

    def print_failures(self):
        missing = [case for case in self.failures() if case not in self.reports]
        for case in self.failures():
            if case in missing:
                continue
            entry, detail = (self.reports[case][part] for part in ("index", "detail"))
            print(f"{self.role} {case}: behaviour {entry.get('behavior')}, "
                  f"close {entry.get('behaviorClose')} (code {entry.get('remoteCloseCode')})")
            for name in ("description", "expectation", "result", "resultClose"):
                # Descriptions are HTML; what follows the first tag is detail.
                text = " ".join(str(detail.get(name) or "").split("<")[0].split())
                if text:
                    print(f"    {name}: {text}")
        if missing:
            # One broken part can lose hundreds.
            print(f"{self.role} {MISSING} (no report):")
            print(textwrap.fill(" ".join(missing), 96, initial_indent="    ",
                                subsequent_indent="    ", break_on_hyphens=False))

    def print_table(self):
        rows = {}
        for case, word in self.verdicts.items():
            rows.setdefault(cases.section(case), Counter())[word] += 1
        heads = ("cases",) + COLUMNS
        print(f"{self.role:<8}" + "".join(f"  {head}" for head in heads))
        for section in sorted(rows):
            counts = rows[section]
            numbers = (sum(counts.values()),) + tuple(counts[word] for word in COLUMNS)
            print(f"{section:<8}" + "".join(f"  {number:>{len(head)}}"
                                            for head, number in zip(heads, numbers)))

    def print_deflate(self):
        """Sections 12 and 13, reported apart from the rest."""
        here = [case for case in self.verdicts if cases.is_deflate(case)]
        if not here:
            return
        expected = sum(map(self.is_expected, here))
        passed = sum(self.verdicts[case] in PASSED for case in here)
        print(f"{self.role}: sections 12 and 13 (permessage-deflate): {passed} passed, "
              f"{len(here) - passed - expected} failed, {expected} not implemented yet")

    def write_index(self, path, agent):
        """One index for all parts, in the form that wstest writes."""
        index = {agent: {case: self.reports[case]["index"]
                         for case in self.verdicts if case in self.reports}}
        path.write_text(json.dumps(index, indent=3) + "\n")

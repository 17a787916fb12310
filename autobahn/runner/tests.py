"""What the judging rests on: `python3 -m unittest runner.tests`, in autobahn/."""

import json
import tempfile
import unittest
from pathlib import Path

from . import cases, report

ALL = ["1.1.1", "1.1.2", "2.10", "9.1.1", "10.1.1",
       *(f"12.1.{n}" for n in range(1, 19)), *(f"13.7.{n}" for n in range(1, 19))]


class Patterns(unittest.TestCase):
    def test_a_pattern_is_a_whole_id_with_stars(self):
        self.assertEqual(cases.expand(["1.*"], ALL), ["1.1.1", "1.1.2"])
        self.assertEqual(cases.expand(["*.1.1"], ALL), ["1.1.1", "9.1.1", "10.1.1", "12.1.1"])
        self.assertEqual(cases.expand(["12.1.1"], ALL), ["12.1.1"])

    def test_cases_come_once_and_in_numeric_order(self):
        self.assertEqual(cases.expand(["10.*", "9.*", "10.1.1"], ALL), ["9.1.1", "10.1.1"])

    def test_a_pattern_that_matches_nothing_is_an_error(self):
        for pattern in ("11.*", "1.1", "1?1.1", ""):
            with self.assertRaises(ValueError):
                cases.expand([pattern], ALL)

    def test_the_sample_has_all_of_1_to_10_and_two_of_each_group(self):
        sample = [case for case in ALL if cases.in_sample(case)]
        self.assertEqual(sample, [*ALL[:5], "12.1.1", "12.1.11", "13.7.1", "13.7.11"])


class Parts(unittest.TestCase):
    def test_every_case_is_in_exactly_one_part(self):
        for jobs in (1, 2, 3, 100):
            parts = cases.cut(ALL, jobs, with_deflate=True)
            self.assertEqual(sorted(sum(parts, []), key=cases.key), ALL)
            self.assertTrue(all(parts))

    def test_parts_cost_about_the_same(self):
        costs = [sum(cases.seconds(case, True) for case in part)
                 for part in cases.cut(ALL, 2, with_deflate=True)]
        self.assertLess(max(costs), 2 * min(costs))


def outcome(entries, expected, deflate_required=False):
    reports = {case: {"index": {"behavior": behavior, "behaviorClose": close}, "detail": {}}
               for case, (behavior, close) in entries.items()}
    return report.Outcome("server", expected, reports, deflate_required)


class Judging(unittest.TestCase):
    def test_behaviour_and_close_are_both_judged(self):
        table = [
            ("OK", "OK", True), ("OK", "INFORMATIONAL", True), ("INFORMATIONAL", "OK", True),
            ("NON-STRICT", "OK", False), ("OK", "NON-STRICT", False), ("FAILED", "OK", False),
            ("OK", "FAILED", False), ("OK", "WRONG CODE", False), ("OK", "UNCLEAN", False),
            ("OK", "FAILED BY CLIENT", False), ("UNIMPLEMENTED", "OK", False),
            ("a new word", "OK", False), (None, None, False),
        ]
        for behavior, close, passes in table:
            with self.subTest(behavior=behavior, close=close):
                result = outcome({"1.1.1": (behavior, close)}, ["1.1.1"])
                self.assertEqual((result.passed(), len(result.failures())),
                                 (1, 0) if passes else (0, 1))

    def test_a_case_without_a_report_fails(self):
        result = outcome({"1.1.1": ("OK", "OK")}, ["1.1.1", "1.1.2"])
        self.assertEqual(result.failures(), ["1.1.2"])

    def test_only_unimplemented_with_a_good_close_is_expected_in_12_and_13(self):
        for entry, expected in [(("UNIMPLEMENTED", "OK"), []),
                                (("UNIMPLEMENTED", "WRONG CODE"), ["12.1.1"]),
                                (("NON-STRICT", "OK"), ["12.1.1"])]:
            result = outcome({"12.1.1": entry}, ["12.1.1"])
            self.assertEqual((result.passed(), result.failures()), (0, expected))

    def test_unimplemented_fails_once_deflate_is_required(self):
        result = outcome({"12.1.1": ("UNIMPLEMENTED", "OK")}, ["12.1.1"], deflate_required=True)
        self.assertEqual(result.failures(), ["12.1.1"])


class Reading(unittest.TestCase):
    def test_a_report_that_is_named_but_not_there_is_missing(self):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            self.assertEqual(report.read(directory, "sansock"), {})
            entry = {"behavior": "OK", "behaviorClose": "OK"}
            (directory / "index.json").write_text(json.dumps({"sansock": {
                "1.1.1": {**entry, "reportfile": "a.json"},
                "1.1.2": {**entry, "reportfile": "b.json"}}}))
            (directory / "a.json").write_text("{}")
            self.assertEqual(list(report.read(directory, "sansock")), ["1.1.1"])
            self.assertEqual(report.read(directory, "another"), {})


if __name__ == "__main__":
    unittest.main()

"""What the judging rests on: `python3 -m unittest tests`, in autobahn/."""

import json
import tempfile
import unittest
from pathlib import Path

import runner

ALL = ["1.1.1", "1.1.2", "2.10", "9.1.1", "10.1.1",
       *(f"12.1.{n}" for n in range(1, 19)), *(f"13.7.{n}" for n in range(1, 19))]


class Patterns(unittest.TestCase):
    def test_a_pattern_is_a_whole_id_with_stars(self):
        self.assertEqual(runner.expand(["1.*"], ALL), ["1.1.1", "1.1.2"])
        self.assertEqual(runner.expand(["*.1.1"], ALL), ["1.1.1", "9.1.1", "10.1.1", "12.1.1"])
        self.assertEqual(runner.expand(["12.1.1"], ALL), ["12.1.1"])

    def test_cases_come_once_and_in_numeric_order(self):
        self.assertEqual(runner.expand(["10.*", "9.*", "10.1.1"], ALL), ["9.1.1", "10.1.1"])

    def test_a_pattern_that_matches_nothing_is_an_error(self):
        for pattern in ("11.*", "1.1", "1?1.1", ""):
            with self.assertRaises(runner.Broken):
                runner.expand([pattern], ALL)

    def test_the_sample_has_all_of_1_to_10_and_two_of_each_group(self):
        sample = [case for case in ALL if runner.in_sample(case)]
        self.assertEqual(sample, [*ALL[:5], "12.1.1", "12.1.11", "13.7.1", "13.7.11"])


class Roles(unittest.TestCase):
    def test_all_are_those_that_the_adapter_has(self):
        self.assertEqual(runner.roles_of("tokio", "all"), ("server", "client"))
        self.assertEqual(runner.roles_of("axum", "all"), ("server",))
        self.assertEqual(runner.roles_of("tokio", "client"), ("client",))

    def test_one_that_it_does_not_have_is_an_error(self):
        with self.assertRaises(runner.Broken):
            runner.roles_of("axum", "client")


class Parts(unittest.TestCase):
    def test_every_case_is_in_exactly_one_part(self):
        parts = runner.cut(ALL)
        self.assertEqual(sorted(sum(parts, []), key=runner.key), ALL)
        self.assertEqual([part[0] for part in parts], ["13.7.1", "12.1.1", "10.1.1", "9.1.1", "2.10", "1.1.1"])


def outcome(entries, expected):
    reports = {case: {"index": {"behavior": behavior, "behaviorClose": close}, "detail": {}}
               for case, (behavior, close) in entries.items()}
    return runner.Outcome("server", expected, reports)


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
                self.assertEqual(result.failures(), [] if passes else ["1.1.1"])

    def test_a_case_without_a_report_fails(self):
        result = outcome({"1.1.1": ("OK", "OK")}, ["1.1.1", "1.1.2"])
        self.assertEqual(result.failures(), ["1.1.2"])

    def test_unimplemented_fails_with_a_good_close_too(self):
        self.assertEqual(outcome({"12.1.1": ("UNIMPLEMENTED", "OK")}, ["12.1.1"]).failures(), ["12.1.1"])


class Reading(unittest.TestCase):
    def test_a_report_that_is_named_but_not_there_is_missing(self):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            self.assertEqual(runner.read(directory, "sansock"), {})
            entry = {"behavior": "OK", "behaviorClose": "OK"}
            (directory / "index.json").write_text(json.dumps({"sansock": {
                "1.1.1": {**entry, "reportfile": "a.json"},
                "1.1.2": {**entry, "reportfile": "b.json"}}}))
            (directory / "a.json").write_text("{}")
            self.assertEqual(list(runner.read(directory, "sansock")), ["1.1.1"])
            self.assertEqual(runner.read(directory, "another"), {})


if __name__ == "__main__":
    unittest.main()

"""Which cases are run, what each of them costs, and how they are cut into parts."""

import re

# AutobahnTestSuite 25.10.1 and 0.8.2 have the same 517 cases. Another number
# means that the list was misread or that the suite has changed: both must show.
CASES_OF_THE_SUITE = 517

# Of the 18 cases in each group of sections 12 and 13, `--sample` takes the
# smallest message (16 bytes) and, from the middle, 8,192 bytes in fragments
# of 256.
SAMPLE_OF_A_GROUP = (1, 11)

# Seconds that a case takes where that is not next to nothing. 5.19 to 6.4.4
# wait by design; the others move data, and wstest is the slow side.
SECONDS = {
    "5.19": 1.0, "5.20": 1.0,
    "6.4.1": 1.0, "6.4.2": 1.0, "6.4.3": 2.0, "6.4.4": 2.0,
    "9.1.4": 0.1, "9.1.5": 0.2, "9.1.6": 0.4,
    "9.2.4": 0.1, "9.2.5": 0.2, "9.2.6": 0.4,
    "9.3.1": 0.6, "9.3.2": 0.2, "9.4.1": 0.6, "9.4.2": 0.2,
    "9.5.1": 0.8, "9.5.2": 0.4, "9.5.3": 0.2, "9.5.4": 0.1,
    "9.6.1": 0.8, "9.6.2": 0.4, "9.6.3": 0.2, "9.6.4": 0.1,
    "9.7.5": 0.2, "9.7.6": 0.3, "9.8.5": 0.2, "9.8.6": 0.3,
}
SECONDS_OF_ANY_OTHER = 0.02

# A group of 12 or 13 sends 1,000 messages in each of 18 sizes. This is what each
# size takes, as the mean of the groups, and how the groups differ from that mean
# by the data that they send.
SECONDS_BY_SIZE = (0.5, 0.5, 0.6, 0.7, 0.9, 1.1, 1.7, 2.9, 5.2,
                   10.0, 1.4, 2.1, 3.4, 6.6, 13.5, 10.3, 9.8, 9.4)
TIMES_BY_GROUP = {
    (12, 1): 0.6, (12, 2): 1.6, (12, 3): 2.2, (12, 4): 1.1, (12, 5): 1.6,
    (13, 1): 0.6, (13, 2): 0.6, (13, 3): 0.9, (13, 4): 0.6, (13, 5): 0.9,
    (13, 6): 0.6, (13, 7): 0.9,
}


def key(case):
    """The order of cases: 9.2.1 before 10.1.1."""
    return tuple(int(number) for number in case.split("."))


def section(case):
    return key(case)[0]


def is_deflate(case):
    return section(case) in (12, 13)


def in_sample(case):
    return not is_deflate(case) or key(case)[2] in SAMPLE_OF_A_GROUP


def expand(patterns, all_cases):
    """The cases that match any pattern, in order.

    A pattern is a whole case id in which `*` stands for any run of characters.
    Raises ValueError for a pattern that matches nothing: a typing error would
    otherwise look like a passed run.
    """
    chosen = set()
    for pattern in patterns:
        regex = re.compile(".*".join(map(re.escape, pattern.split("*"))))
        matched = [case for case in all_cases if regex.fullmatch(case)]
        if not matched:
            raise ValueError(f"no case matches '{pattern}'")
        chosen.update(matched)
    return sorted(chosen, key=key)


def seconds(case, with_deflate):
    """What the case is expected to take in wstest, which is the slow side."""
    if is_deflate(case) and with_deflate:
        *group, size = key(case)
        return TIMES_BY_GROUP[tuple(group)] * SECONDS_BY_SIZE[size - 1]
    return SECONDS.get(case, SECONDS_OF_ANY_OTHER)


def cut(cases, jobs, with_deflate, seconds_of_a_part=60):
    """Cuts the cases into parts of about the same cost, each in order.

    There is at least one part for each job, and more when the run is long, so
    that a part that goes wrong loses few reports.
    """
    total = sum(seconds(case, with_deflate) for case in cases)
    count = max(jobs, -(-int(total) // seconds_of_a_part))
    parts = [[] for _ in range(min(count, len(cases)))]
    costs = [0.0] * len(parts)
    # The dear ones first, each to the part that has least so far.
    for case in sorted(cases, key=lambda case: (-seconds(case, with_deflate), key(case))):
        cheapest = costs.index(min(costs))
        parts[cheapest].append(case)
        costs[cheapest] += seconds(case, with_deflate)
    return [sorted(part, key=key) for part in parts]

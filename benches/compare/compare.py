"""Compares with other libraries, and puts the result into the table of docs/BENCHMARKS.md and a plot.

Takes a few minutes, most of them to build the libraries. Writes results/PROCESSOR.json and results.svg
beside this script, and the document between its marks: a table for each processor that was measured,
this one's first, which is also drawn. --render draws again what was measured before.
"""

import argparse
import csv
import json
import math
import os
import platform
import re
import subprocess
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib import ticker

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "BENCHMARKS.md"
RESULTS = HERE / "results"
PLOT = HERE / "results.svg"
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"

OURS = "sansock"
ASYNC = "sansock-tokio"
OTHERS = ["tungstenite", "fastwebsockets", "tokio-websockets", "yawc", "wtx", "sockudo-ws"]
PLOTTED = [
    "receive binary as server",
    "receive ASCII as server",
    "send as server",
    "send as client",
]
# Colours of Okabe and Ito, which people with any vision tell apart, and a shape for each besides.
MARKS = {
    "sansock, core": ("#56b4e9", "o"),
    "tungstenite": ("#e69f00", "s"),
    "fastwebsockets": ("#009e73", "^"),
    "tokio-websockets": ("#cc79a7", "D"),
    "yawc": ("#d55e00", "X"),
    "wtx": ("#0072b2", "v"),
    "sockudo-ws": ("#999999", "P"),
    "sansock-tokio": ("#f0e442", "*"),
}

# By the family and whether it has AVX-512.
AMD_GENERATIONS = {("25", False): "Zen 3", ("25", True): "Zen 4", ("26", True): "Zen 5"}


def measure(rounds):
    command = ["cargo", "run", "--release", "--locked", "--", str(rounds)]
    printed = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [
        {**row, "size": int(row["size"]), "nanoseconds": float(row["nanoseconds"])}
        for row in csv.DictReader(printed.splitlines())
    ]
    results = {"machine": machine(), "rounds": rounds, "versions": versions(), "rows": rows}
    file = RESULTS / f"{slug(processor())}.json"
    file.write_text(json.dumps(results, indent=1) + "\n")


def cpuinfo():
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def processor():
    """A virtual machine may hide the model, but not the generation."""
    text = cpuinfo()
    name = re.search(r"model name\s*: (.+)", text)
    family = re.search(r"cpu family\s*: (.+)", text)
    if not name or not family:
        return platform.machine()
    generation = AMD_GENERATIONS.get((family[1], "avx512bw" in text)) if "AMD" in name[1] else None
    return f"{name[1]}, {generation}" if generation else name[1]


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def machine():
    flags = cpuinfo()
    vectors = next((f" with {n}" for f, n in [("avx512bw", "AVX-512"), ("avx2", "AVX2")] if f in flags), "")
    kind = "a virtual machine" if "hypervisor" in flags else "a machine"
    return f"{kind} with {os.cpu_count()} cores ({processor()}), {platform.machine()}{vectors}, {platform.system()}"


def versions():
    lock = (HERE / "Cargo.lock").read_text()
    locked = dict(re.findall(r'name = "(.+)"\nversion = "(.+)"', lock))
    return {name: locked[name] for name in OTHERS}


class Figures:
    def __init__(self, rows):
        self.least = {(r["bench"], r["size"], r["library"]): r["nanoseconds"] for r in rows}
        self.benches = list(dict.fromkeys(r["bench"] for r in rows))
        self.sizes = sorted({r["size"] for r in rows})

    def ratios(self, bench, library):
        """How many times as long as ours it takes, for each size."""
        of = self.least
        return [
            of[bench, size, library] / of[bench, size, OURS]
            for size in self.sizes
            if (bench, size, library) in of
        ]


def size_name(size):
    for unit, name in [(1 << 20, "MiB"), (1 << 10, "KiB")]:
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def time_name(nanoseconds):
    if nanoseconds >= 1000:
        return f"{nanoseconds / 1000:.3g} µs"
    return f"{nanoseconds:.3g} ns"


def table(results, figures):
    versions = results["versions"]
    columns = [name for name in [ASYNC, *OTHERS] if any(r["library"] == name for r in results["rows"])]
    names = [OURS, *(f"{name} {versions[name]}" if name in versions else name for name in columns)]
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    ends = figures.sizes[0], figures.sizes[-1]
    for bench in figures.benches:
        cells = [", ".join(time_name(figures.least[bench, size, OURS]) for size in ends)]
        for library in columns:
            ratios = figures.ratios(bench, library)
            if ratios:
                mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
                cells.append(f"{mean:.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
            else:
                cells.append("–")
        lines.append(f"| {bench} | {' | '.join(cells)} |")
    sizes = [size_name(size) for size in figures.sizes]
    note = (
        f"{OURS}: time per message of {sizes[0]} and of {sizes[-1]}. The others: how many times as long "
        f"they take, as the geometric mean over messages of {', '.join(sizes[:-1])} and {sizes[-1]} (least "
        f"to most). The least of {results['rounds']} rounds, all in one run on {results['machine']}."
    )
    return "\n".join([*lines, "", note, "", behind(figures)])


def behind(figures):
    """Where another library takes less time, by more than what a run differs from the next."""
    cells = [
        f"{bench}, {size_name(size)}: {library} {ratio:.2f}"
        for bench in figures.benches
        for library in OTHERS
        for size, ratio in zip(figures.sizes, figures.ratios(bench, library))
        if ratio < 0.97
    ]
    return "Behind: " + ("; ".join(cells) if cells else "nowhere") + "."


def write_document(text):
    before, rest = DOCUMENT.read_text().split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def plot(figures):
    """A panel for each bench: a row for each size, and a mark for each library."""
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": OURS, "font.size": 9, "font.family": "sans-serif",
    })
    panels, axes = plt.subplots(len(PLOTTED), sharex=True, figsize=(8, 2 + 1.5 * len(PLOTTED)), layout="constrained")
    rows = range(len(figures.sizes))
    for bench, axis in zip(PLOTTED, axes):
        for library, (colour, shape) in MARKS.items():
            axis.plot(figures.ratios(bench, library), rows, shape, color=colour, markersize=7, label=library)
        axis.axvline(1, color="black", zorder=0)
        axis.set_title(bench, loc="left", fontsize=9, fontweight="bold")
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.set_yticks(rows, [size_name(size) for size in figures.sizes])
        axis.invert_yaxis()
        axis.margins(y=0.15)
        axis.grid(alpha=0.35)
        axis.tick_params(labelbottom=True)
    panels.supxlabel(f"time per message, as a multiple of {OURS}'s (logarithmic; left of 1 is faster)", fontsize=9)
    panels.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(MARKS), frameon=False)
    panels.savefig(PLOT, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="of which the least counts (15)")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if not arguments.render:
        measure(arguments.rounds)
    here = slug(processor())
    files = sorted(RESULTS.glob("*.json"), key=lambda file: (file.stem != here, file.stem))
    all_results = [json.loads(file.read_text()) for file in files]
    figures = Figures(all_results[0]["rows"])
    text = "\n\n".join(table(results, Figures(results["rows"])) for results in all_results)
    write_document(text)
    plot(figures)
    print(text)


if __name__ == "__main__":
    main()

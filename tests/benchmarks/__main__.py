"""Races against what a user would pick instead, and what a point costs; no time is asserted."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lightcollapse.errors import nearest

from . import cost, machine, table
from .limits import measure
from .race import Row
from .setting import Setting

EPILOG = """\
{names};
"cost": nanoseconds a point of every family, regime and curation, at three
sizes, on one thread and two. None named: all races, and the cost of families.

  python -m tests.benchmarks --publish     # all, and figures/performance
  python -m tests.benchmarks mixture distinct --quick
"""
FIGURES = Path(__file__).parents[2] / "figures"


def main() -> int:
    given = _arguments()
    names = given.names or list(table.BENCHMARKS)
    facts = machine.describe() | {"load_before": machine.load()}
    talk = sys.stderr if given.json else sys.stdout
    for text in machine.lines(facts):
        print("\n".join(table.wrapped(text)), file=talk)
    if names == ["cost"]:
        costs = _costs(given, talk)
        if given.json:
            print(json.dumps({"machine": facts, "cost": costs}, indent=1))
        return 0
    setting = Setting(measure(), given.quick)
    for text in setting.limits.lines():
        print("\n".join(table.wrapped(text)), file=talk)
    print(f"\n{table.HEAD}", file=talk)
    found: list[Row] = []

    def measured() -> Iterator[Row]:
        for name in names:
            for row in table.rows(name, setting) if name != "cost" else ():
                found.append(row)
                yield row

    for text in table.lines(measured()):
        print(text, flush=True, file=talk)
    costs = [] if given.names and "cost" not in names else _costs(given, talk, families_alone="cost" not in names)
    facts |= {"load_after": machine.load()}
    print(f"\n{table.FOOT}\nLoad of the last minute, before and after: {facts['load_before']}, {facts['load_after']}.",
          file=talk)  # fmt: skip
    whole = json.dumps(table.as_json(facts, setting, found, costs), indent=1, sort_keys=True)
    if given.json:
        print(whole)
    if given.publish:
        (FIGURES / "performance.json").write_text(whole + "\n", encoding="utf-8")
        subprocess.run([sys.executable, str(FIGURES / "_gallery.py"), "performance"], check=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog=EPILOG.format(names="\n".join(table.wrapped("Benchmarks: " + ", ".join(table.BENCHMARKS)))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all where none is named")
    parser.add_argument("--json", action="store_true", help="print JSON; the table goes to standard error")
    parser.add_argument(
        "--publish", action="store_true", help="keep the numbers as figures/performance.json, and draw them"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, three turns: to see that it runs")
    parser.add_argument("--only", default="", help="of cost, only lines that contain this")
    given = parser.parse_args()
    for name in given.names:
        if name not in (*table.BENCHMARKS, "cost"):
            parser.error(f"no benchmark {name!r}; {nearest(name, (*table.BENCHMARKS, 'cost'))}")
    if given.publish and (given.names or given.quick):
        parser.error("--publish wants every benchmark at full size: name none, and leave out --quick")
    return given


def _costs(given: argparse.Namespace, talk: object, families_alone: bool = False) -> list[dict[str, object]]:
    print(f"\n{cost.HEAD}", file=talk)  # type: ignore[call-overload]
    found = []
    repeats = 1 if given.quick else cost.REPEATS
    rows: Iterable[dict[str, object]] = cost.rows(given.only, families_alone, repeats)
    for row in rows:
        found.append(row)
        print(cost.line(row), flush=True, file=talk)  # type: ignore[call-overload]
    for reason in cost.reasons(found):
        print("\n".join(table.wrapped(reason)), file=talk)  # type: ignore[call-overload]
    return found


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # whoever read the table has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None

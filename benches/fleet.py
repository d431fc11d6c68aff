"""Runs a fleet, `xargs -P` and GNU parallel over the same jobs and prints the ratios. Called by
benches/fleet.

Two kinds of jobs, each the same command for all three, so that the ratios are of what each adds:

- `true`, which does nothing. The rest is the orchestrators' own cost. Ours is its library, called by
  benches/nothing.rs, since the program starts itself and nothing else.
- the real `regatta run` of a profile whose steps are all done and whose session does not say COMPLETED
  yet: it takes the lock, makes a change of the session durable (two fsyncs), writes its events and ends,
  without a browser. Most of the time is the job's own.

Regatta keeps a log file a job, a report and its own log; parallel `--joblog --results`; xargs writes all
output into one file.
"""

import argparse
import datetime
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

import measure

PRACTICE = pathlib.Path("examples/practice")
FLAGS = ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled", "password_rotated"]
# The program, not a shell's own.
TRUE = shutil.which("true")
MANY = 10_000
REFILLS = 200


def main():
    parser = argparse.ArgumentParser()
    for name in ("regatta", "nothing", "folder"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    for name in ("jobs", "rounds", "slots"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    work = options.folder.resolve() / "fleet"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        bench = Bench(options, work)
        nothing = bench.rounds("true", bench.nothing_by)
        rounds = bench.rounds("regatta run", bench.run_by)
        refill = bench.refill()
        passed_over = bench.passed_over()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(options, nothing, rounds, refill, passed_over)


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.regatta = str(options.regatta.resolve())
        self.number = 0

    def folder(self, status, count):
        """An operator's folder with so many profiles, their steps done."""
        self.number += 1
        folder = self.work / f"operator-{self.number}"
        shutil.copytree(PRACTICE, folder)
        (folder / "state").mkdir()
        for profile in self.profiles(count):
            document = {
                "profile_id": profile,
                "status": status,
                "platform": "desktop",
                "completion_flags": {flag: True for flag in FLAGS},
                "identity": {},
            }
            (folder / "state" / f"{profile}.json").write_text(json.dumps(document))
        (folder / "profiles.txt").write_text("".join(f"{name}\n" for name in self.profiles(count)))
        return folder

    def profiles(self, count):
        return [f"p{number}" for number in range(1, count + 1)]

    def fleet(self, folder, slots):
        return [self.regatta, "-C", str(folder), "orchestrate", "--max", str(slots),
                "--stagger", "0s", "--json", "profiles.txt"]

    def run_of(self, folder, placeholder):
        return [self.regatta, "-C", str(folder), "--color=never", "run", placeholder]

    def rounds(self, what, command_of):
        """In turn, each on a folder of its own; the order changes with every round.

        Nothing is deleted in between: for seconds after thousands of files were, ext4 looks long for each
        new one, which is the price of keeping a log.
        """
        sides = ["fleet", "xargs", "parallel"]
        measured = []
        for number in range(self.options.rounds):
            order = sides[number % 3:] + sides[:number % 3]
            times = {}
            for side in order:
                folder = self.folder("PENDING", self.options.jobs)
                times[side] = self.timed(folder, command_of(side, folder))
                if what != "true":
                    self.check_completed(folder)
            measured.append([times[side] for side in sides])
            summary = ", ".join(f"{side} {times[side]:.2f} s" for side in sides)
            print(f"{what}, round {number + 1}: {summary}", flush=True)
        return measured

    def nothing_by(self, side, folder):
        if side == "fleet":
            return [str(self.options.nothing.resolve()), str(folder), str(self.options.slots), TRUE]
        return self.runner(side, folder) + [TRUE, "{}"]

    def run_by(self, side, folder):
        if side == "fleet":
            return self.fleet(folder, self.options.slots)
        return self.runner(side, folder) + self.run_of(folder, "{}")

    def runner(self, side, folder):
        slots = self.options.slots
        if side == "xargs":
            return ["xargs", f"-P{slots}", "-I{}"]
        return ["parallel", "--will-cite", f"-j{slots}", "--joblog", str(folder / "joblog"),
                "--results", str(folder / "results")]

    def timed(self, folder, command):
        with open(folder / "profiles.txt") as profiles, open(folder / "output", "wb") as output:
            started = time.monotonic()
            ended = subprocess.run(command, stdin=profiles, stdout=output, stderr=output)
            took = time.monotonic() - started
        if ended.returncode != 0:
            sys.exit(f"failed ({ended.returncode}): {' '.join(command)}\n"
                     + (folder / "output").read_text(errors="replace")[-2000:])
        return took

    def check_completed(self, folder):
        """Every job was done, by whomever."""
        open_ones = [path.name for path in (folder / "state").glob("p*.json")
                     if json.loads(path.read_text())["status"] != "COMPLETED"]
        if open_ones:
            sys.exit(f"not completed in {folder}: {open_ones[:5]} and others")

    def refill(self):
        """With one slot: from a run's last word to the launch of the next, in milliseconds."""
        folder = self.folder("PENDING", REFILLS)
        self.timed(folder, self.fleet(folder, 1))
        launched = {}
        for log in (folder / "logs").glob("orchestrator.*.log"):
            for line in log.read_text().splitlines():
                found = re.match(r"(\S+)\s+INFO .*launched profile=(\S+)", line)
                if found:
                    launched[found[2]] = when(found[1])
        gaps = []
        names = self.profiles(REFILLS)
        for before, after in zip(names, names[1:]):
            events = (folder / "logs" / f"{before}.events.jsonl").read_text().splitlines()
            finished = next(json.loads(line) for line in events if '"run_finished"' in line)
            gaps.append((launched[after] - when(finished["at"])).total_seconds() * 1000)
        return gaps

    def passed_over(self):
        """Seconds, and the orchestrator's peak memory: all done, and all but a hundred."""
        done = self.folder("COMPLETED", MANY)
        took = self.timed(done, self.fleet(done, 5))
        if list((done / "logs").glob("p*")):
            sys.exit("a completed profile was launched")
        some = self.folder("COMPLETED", MANY)
        for profile in self.profiles(100):
            path = some / "state" / f"{profile}.json"
            path.write_text(path.read_text().replace("COMPLETED", "PENDING"))
        peak = measure.measure(self.fleet(some, 5), self.work / "log", True, "chromium")["memory"]
        return took, peak


def when(text):
    """Both clocks are the system's; nanoseconds are cut."""
    text = re.sub(r"(\.\d{6})\d*", r"\1", text.replace("Z", "+00:00"))
    return datetime.datetime.fromisoformat(text)


def report(options, nothing, rounds, refill, passed_over):
    took, peak = passed_over

    def spread(values, digits=2):
        return f"{statistics.median(values):.{digits}f} | {min(values):.{digits}f} to {max(values):.{digits}f}"

    def row(what, values, bound, digits=2):
        print(f"| {what} | {spread(values, digits)} | {bound} |")

    print(f"\n{options.jobs} jobs, {options.slots} at once, {options.rounds} rounds\n")
    print("| fleet | median | min to max | bound |")
    print("|---|---|---|---|")
    bounds = {"jobs that do nothing": (nothing, "at most 1.3", "at least 4"),
              "runs of finished profiles": (rounds, "at most 1.3", "")}
    for jobs, (measured, xargs_bound, parallel_bound) in bounds.items():
        row(f"{jobs}: time against `xargs -P`", [a / b for a, b, _ in measured], xargs_bound)
        row(f"{jobs}: GNU parallel with `--joblog --results` against it", [c / a for a, _, c in measured],
            parallel_bound)
    row("a freed slot is refilled, ms", refill, "at most 10", 1)
    print(f"| {MANY} completed profiles passed over, s | {took:.2f} | | at most 1 |")
    print(f"| orchestrator at {MANY} profiles, MiB | {peak / (1 << 20):.1f} | | at most 40 |")


if __name__ == "__main__":
    main()

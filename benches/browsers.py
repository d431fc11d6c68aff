"""Runs the practice workflow over a fleet on Chromium's headless shell and on the full browser, in turn,
and prints the ratios of each pair. Called by benches/run browsers.

The site's own delays are switched off. Wall time is that of the whole orchestrator. Processor time is that
of the orchestrator and of all its descendants that were waited for, browsers included. Memory is the
proportional set size (PSS) of all processes of one profile's browser: the median of the samples of a fleet,
one every half second.
"""

import argparse
import contextlib
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time

from measure import MIB, PRACTICE, end_browsers, sandbox

SAMPLE_S = 0.5
FIGURES = {"wall": ("s", 1), "processor": ("s", 1), "memory": ("MiB", 1 / MIB)}


def main():
    parser = argparse.ArgumentParser()
    for name in ("regatta", "sandbox", "shell", "full", "folder"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    for name in ("pairs", "profiles", "slots"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    work = options.folder.resolve() / "browsers"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        fleet(options, work, options.shell, "warm-up")
        pairs = []
        for number in range(options.pairs):
            # Neither side is always the one that finds the machine warm.
            sides = ["shell", "full"] if number % 2 == 0 else ["full", "shell"]
            measured = {side: fleet(options, work, getattr(options, side), f"{side}-{number}") for side in sides}
            pairs.append((measured["shell"], measured["full"]))
    finally:
        end_browsers(work)
        shutil.rmtree(work, ignore_errors=True)
    report(options, pairs)


def fleet(options, work, browser, name):
    folder = work / name
    shutil.copytree(PRACTICE, folder)
    (folder / "profiles.txt").write_text("".join(f"p{number}\n" for number in range(options.profiles)))
    with sandbox(options.sandbox, work, "--brisk", "--mail-delay-ms", "0") as site:
        command = [str(options.regatta), "-C", str(folder), "orchestrate", "--max", str(options.slots),
                   "--stagger", "0s", "--quiet", "--set", f"site={site}"]
        environment = dict(os.environ, CHROME=str(browser))
        memory, over = [], threading.Event()
        sampler = threading.Thread(target=sample, args=(folder, memory, over))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        sampler.start()
        try:
            ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        finally:
            over.set()
            sampler.join()
        wall = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        sys.exit(f"the fleet ended with {ended.returncode}:\n{ended.stdout}")
    shutil.rmtree(folder)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "processor": processor, "memory": statistics.median(memory)}


def sample(folder, memory, over):
    """Appends the PSS of each living browser of the folder, until `over`."""
    argument = b"--user-data-dir=" + bytes(folder) + b"/browsers/"
    while not over.wait(SAMPLE_S):
        parents, mains = {}, set()
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    stat = (entry / "stat").read_text()
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                    arguments = (entry / "cmdline").read_bytes()
                    if argument in arguments and b"--type=" not in arguments:
                        mains.add(int(entry.name))
        # The script that started a browser is its parent.
        browsers = {main: [main] for main in mains if parents[main] not in mains}
        for process in parents:
            ancestor = process
            while ancestor and ancestor not in browsers:
                ancestor = parents.get(ancestor)
            if ancestor and ancestor != process:
                browsers[ancestor].append(process)
        for processes in browsers.values():
            # One on its way up or down says little of one at work.
            if len(processes) >= 5:
                memory.append(sum(pss(process) for process in processes))


def pss(process):
    """In bytes; 0 where it has ended meanwhile."""
    try:
        rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)
    return int(found.group(1)) * 1024 if found else 0


def report(options, pairs):
    print(f"{options.profiles} profiles, {options.slots} at once, {len(pairs)} pairs;"
          f" {version(options.shell)} and {version(options.full)}\n")
    print(f"{'median':<14}{'shell':>12}{'full':>12}{'ratio':>9}{'min':>8}{'max':>8}")
    for key, (unit, scale) in FIGURES.items():
        ours, theirs = ([pair[side][key] for pair in pairs] for side in (0, 1))
        ratios = [a / b for a, b in zip(ours, theirs)]
        sides = [f"{statistics.median(values) * scale:.1f} {unit}" for values in (ours, theirs)]
        print(f"{key:<14}{sides[0]:>12}{sides[1]:>12}{statistics.median(ratios):>9.2f}"
              f"{min(ratios):>8.2f}{max(ratios):>8.2f}")


def version(browser):
    said = subprocess.run([str(browser), "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return f"{said.stdout.strip()} ({browser.name})"


if __name__ == "__main__":
    main()

"""Runs regatta and node in turn and prints the ratios of each pair. Called by benches/run.

Only the driver itself is measured. `wait4` would not do: what it says of a process counts the
children which that process has waited for, and node waits for its Chromium; and its peak memory is
that of this program at the least, which the child was before its exec. So processor time is read
from the process's own clock and peak memory from VmHWM.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

PRACTICE = pathlib.Path("examples/practice")
FIRST_STEP = "mailbox_created"
# A start takes some ten milliseconds: many pairs cost little and steady the median.
START_PAIRS = 40
# The poll interval of a driver's peak memory. It never falls, so only what comes in the very last
# of these intervals can be missed.
LOOK_MS = 5
TIMEOUT_S = 120
MIB = 1 << 20


def main():
    options = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    work = options.folder.resolve() / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        stack.callback(end_browsers, work)
        site = stack.enter_context(sandbox(options.sandbox, work))
        bench = Bench(options, work, site)
        print(bench.surroundings(), flush=True)
        bench.finish_a_profile()
        start = bench.pairs("start", START_PAIRS, bench.finished_run, bench.empty_node)
        drive = bench.pairs("drive", options.pairs, bench.regatta_drives, bench.puppeteer_drives)
        check_ledger(site, options.pairs)
    report(bench, start, drive)


def parse_arguments():
    parser = argparse.ArgumentParser()
    for name in ("regatta", "sandbox", "folder"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    for name in ("chromium", "puppeteer"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--pairs", type=int, required=True)
    return parser.parse_args()


class Bench:
    def __init__(self, options, work, site):
        self.options, self.work, self.site = options, work, site
        self.regatta = str(options.regatta.resolve())
        self.node = shutil.which("node")
        self.script = str(options.folder.resolve() / "puppeteer.mjs")
        self.log = work / "log"
        self.operator = work / "operator"
        shutil.copytree(PRACTICE, self.operator)
        self.recorded = work / "chromium-arguments"
        self.round = 0

    def surroundings(self):
        def said(*command):
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

        chromium = " ".join(said(self.options.chromium, "--version").split()[:2])
        versions = [said(self.regatta, "--version"), chromium, f"node {said(self.node, '--version')}"]
        versions.append(f"puppeteer-core {self.options.puppeteer}")
        self.versions = ", ".join(versions)
        return f"{self.versions}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"

    def finish_a_profile(self):
        """Warms both sides up, and records the arguments regatta gives its browser."""
        recorder = self.work / "recorder"
        recorder.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$@\" >'{self.recorded}'\n"
            f"exec '{self.options.chromium}' \"$@\"\n"
        )
        recorder.chmod(0o755)
        self.run(self.run_command("p1"), chrome=str(recorder))
        self.arguments = self.recorded.read_text().splitlines()
        folders = [argument for argument in self.arguments if argument.startswith("--user-data-dir=")]
        assert len(folders) == 1, self.arguments
        self.arguments.remove(folders[0])
        self.puppeteer_drives("warm-up")
        self.finished_run(0)
        self.empty_node(0)

    def pairs(self, name, count, a, b):
        measured = []
        for number in range(1, count + 1):
            measured.append((a(number), b(number)))
            if sys.stderr.isatty():
                print(f"\r{name}: {number}/{count} pairs ", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        return measured

    def finished_run(self, _):
        return self.run(self.run_command("p1"), memory=False)

    def empty_node(self, _):
        return self.run([self.node, "-e", "0"], memory=False)

    def regatta_drives(self, number):
        return self.run([*self.run_command(f"a{number}"), "--until", FIRST_STEP])

    def puppeteer_drives(self, number):
        folder = self.work / f"browser-b{number}"
        # The page stays last, as regatta has it.
        *flags, page = self.arguments
        arguments = [*flags, f"--user-data-dir={folder}", page]
        return self.run(
            [self.node, self.script, self.options.chromium, self.site, f"b{number}", *arguments]
        )

    def run_command(self, profile):
        return [self.regatta, "-C", str(self.operator), "run", profile, "--set", f"site={self.site}"]

    def run(self, command, memory=True, chrome=None):
        return measure(command, self.log, memory, chrome or self.options.chromium)


def measure(command, log, memory, chrome):
    """Wall and processor time in seconds, peak memory in bytes (0 where it is not asked for)."""
    environment = dict(os.environ, CHROME=chrome)
    with open(log, "wb") as output, open(os.devnull, "rb") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0)]
        actions += [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        started = time.monotonic()
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
    status = None
    try:
        peak = wait(pid, started, memory)
        wall = time.monotonic() - started
        # clock_getcpuclockid(3): all threads of the process, and no child. It stands until the
        # process is reaped.
        processor = time.clock_gettime((~pid << 3) | 2)
        status = os.waitpid(pid, 0)[1]
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if status != 0:
        said = pathlib.Path(log).read_text(errors="replace")
        sys.exit(f"failed ({os.waitstatus_to_exitcode(status)}): {' '.join(command)}\n{said}")
    return {"wall": wall, "processor": processor, "memory": peak}


def wait(pid, started, memory):
    """Until the process has ended; it is not yet reaped. Its peak memory."""
    peak = 0
    with open(os.pidfd_open(pid)) as ended:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        while not poll.poll(LOOK_MS if memory else TIMEOUT_S * 1000):
            if memory:
                peak = max(peak, peak_memory(pid))
            if time.monotonic() - started > TIMEOUT_S:
                sys.exit(f"not ended within {TIMEOUT_S} s")
    return peak


def peak_memory(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def sandbox(executable, work, *switches):
    folder = tempfile.mkdtemp(prefix="site-", dir=work)
    command = [str(executable), "--site", "127.0.0.1:0", "--data", folder, "--exit-with-stdin", *switches]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        yield json.loads(process.stdout.readline())["site"]
    finally:
        process.terminate()
        process.wait()


def check_ledger(site, pairs):
    """Both sides did what they were measured at, and once."""
    with urllib.request.urlopen(f"{site}/ledger") as answer:
        ledger = json.load(answer)
    wanted = [f"{side}{number}" for side in "ab" for number in range(1, pairs + 1)]
    missing = [name for name in wanted if ledger["profiles"].get(name) != {FIRST_STEP: 1}]
    if missing or ledger["twice"]:
        sys.exit(f"the site's ledger does not agree: {missing} {ledger['twice']}")


def end_browsers(work):
    """What an interrupted driver left. Only processes whose arguments name our folder."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            ours = b"--user-data-dir=" + bytes(work) + b"/"
            if any(argument.startswith(ours) for argument in arguments):
                os.kill(int(entry.name), signal.SIGKILL)


def report(bench, start, drive):
    milliseconds = ("ms", 1000)
    rows = [
        ("finished profile against `node -e 0`: wall time", start, "wall", milliseconds),
        ("finished profile against `node -e 0`: processor time", start, "processor", milliseconds),
        ("one step in a browser against puppeteer-core: peak memory", drive, "memory", ("MiB", 1 / MIB)),
        ("one step in a browser against puppeteer-core: processor time", drive, "processor", milliseconds),
        ("one step in a browser against puppeteer-core: wall time", drive, "wall", milliseconds),
    ]
    width = max(len(row[0]) for row in rows)
    print(f"\n{'median of each side, and of the ratios of the pairs':<{width}}"
          f"{'pairs':>7}{'regatta':>12}{'node':>12}{'ratio':>9}{'min':>8}{'max':>8}")
    lines = []
    for label, pairs, key, (unit, scale) in rows:
        ours, theirs = ([pair[side][key] for pair in pairs] for side in (0, 1))
        ratios = [a / b for a, b in zip(ours, theirs)]
        ratio, least, most = statistics.median(ratios), min(ratios), max(ratios)
        sides = [f"{statistics.median(values) * scale:.1f} {unit}" for values in (ours, theirs)]
        print(f"{label.replace('`', ''):<{width}}{len(pairs):>7}{sides[0]:>12}{sides[1]:>12}"
              f"{ratio:>9.3f}{least:>8.3f}{most:>8.3f}")
        lines.append(f"| {label} | {ratio:.2f} | {least:.2f} to {most:.2f} | {len(pairs)} |")
    print("\nFor the README:\n")
    print("| regatta / node, the driver process alone | median | min to max | pairs |")
    print("|---|---|---|---|")
    print("\n".join(lines))
    print(f"\nMeasured by `make bench` in one run, both sides in turn: {bench.versions}.")


if __name__ == "__main__":
    main()

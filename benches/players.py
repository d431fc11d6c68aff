"""Plays the oracle's flow and the practice flows by regatta, by the Recorder's reference runner and by a
Playwright script, in turn, each time in a fresh browser of the same Chromium, and prints the ratios of
each pair. Called by benches/run.

The practice site makes its visitors wait on purpose. So its flows are played twice: on the site as it is,
and with those delays switched off, which says what the drivers themselves cost.

What is compared is the time of the steps alone: from the start of the first to the end of the last, as each
driver measures it. Starting and ending the browser is not measured. Processor time and peak memory are those of
the driver's whole process, as in measure.py.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

from measure import MIB, PRACTICE, end_browsers, measure, sandbox

FLOWS = ["mailbox", "store", "developer.desktop", "two_factor"]
STEPS = {"mailbox_created", "store_signup", "dev_registration", "2fa_enabled"}
# The oracle's page makes every driver wait for that long in one of its steps.
BY_DESIGN_MS = 500
FRAME_MS = 1000 / 60
FLAGS = [
    "--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
    "--window-size=1280,900",
]


def main():
    parser = argparse.ArgumentParser()
    for name in ("regatta", "sandbox", "folder"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--pairs", type=int, required=True)
    options = parser.parse_args()
    work = options.folder.resolve() / "players"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        stack.callback(end_browsers, work)
        site = stack.enter_context(sandbox(options.sandbox, work))
        brisk = stack.enter_context(sandbox(options.sandbox, work, "--brisk", "--mail-delay-ms=0"))
        oracle = stack.enter_context(oracle_server(options.folder.resolve(), work))
        bench = Players(options, work, {"b": site, "c": brisk}, oracle)
        print(f"load {os.getloadavg()[0]:.1f}, {options.pairs} pairs", flush=True)
        bench.warm_up()
        a = bench.rounds("a", options.pairs, ["regatta", "replay", "untraced"])
        b = bench.rounds("b", options.pairs, ["regatta", "replay", "playwright"])
        c = bench.rounds("c", options.pairs, ["regatta", "replay", "playwright"])
        check_ledger(site, "b", options.pairs)
        check_ledger(brisk, "c", options.pairs)
    report(a, b, c)


@contextlib.contextmanager
def oracle_server(folder, work):
    flow = work / "oracle.json"
    command = [str(folder / "node_modules/.bin/replay-extension-test"), "--ext", str(folder / "oracle.mjs")]
    process = subprocess.Popen(
        command, env=dict(os.environ, FLOW=str(flow)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 30
        while not flow.exists() or not flow.read_text().endswith("}"):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit("the oracle did not start")
            time.sleep(0.05)
        yield flow
    finally:
        process.terminate()
        process.wait()


class Players:
    def __init__(self, options, work, sites, oracle):
        self.options, self.work, self.sites, self.oracle = options, work, sites, oracle
        self.regatta = str(options.regatta.resolve())
        self.node = shutil.which("node")
        self.player = str(options.folder.resolve() / "player.mjs")
        # Folders of an operator, in which it is remembered which selectors matched; as it comes, and without
        # a trace in store for a failure.
        self.operators = {"regatta": work / "operator", "untraced": work / "operator-untraced"}
        for operator in self.operators.values():
            operator.mkdir()
            (operator / "workflow.toml").write_text(
                'name = "bench"\nallowed_origins = ["http://localhost:8907"]\n[variables]\nsite = ""\n'
                '[[step]]\nflag = "a"\nflow = "none.json"\n'
            )
        (self.operators["untraced"] / "regatta.toml").write_text('trace = "off"\n')
        self.log = work / "log"

    def warm_up(self):
        for driver in ("regatta", "replay", "playwright"):
            for part in ("b", "c"):
                self.play(part, driver, f"warm-{part}-{driver}")
        for driver in self.operators:
            self.play("a", driver, f"warm-a-{driver}")

    def rounds(self, part, count, drivers):
        rounds = []
        for number in range(1, count + 1):
            rounds.append({driver: self.play(part, driver, f"{part}-{driver}-{number}") for driver in drivers})
            if sys.stderr.isatty():
                print(f"\r{part}: {number}/{count} rounds ", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        return rounds

    def play(self, part, driver, profile):
        flows = [self.oracle] if part == "a" else [PRACTICE.resolve() / f"flows/{name}.json" for name in FLOWS]
        values = {
            "profile_id": profile,
            "variables.site": self.sites.get(part, ""),
            "identity.email": f"{profile}@practice.test",
            "identity.password": "correct-horse-battery",
        }
        with self.browser(profile) as ws:
            if driver in self.operators:
                parts = [self.by_regatta(self.operators[driver], flow, values, ws) for flow in flows]
            else:
                parts = [self.by_node(driver, flows, values, ws)]
        return {
            "ms": sum(part["ms"] for part in parts),
            "clicks": [click for part in parts for click in part["clicks"]],
            "processor": sum(part["processor"] for part in parts),
            "memory": max(part["memory"] for part in parts),
        }

    def by_regatta(self, operator, flow, values, ws):
        command = [self.regatta, "-C", str(operator), "play", str(flow), "--endpoint", ws, "--json"]
        command += [f"--allow={site}" for site in self.sites.values()]
        for name, value in values.items():
            if name.startswith(("identity.", "variables.")):
                command += ["--set", f"{name.removeprefix('variables.')}={value}"]
        measured = measure(command, self.log, True, self.options.chromium)
        events = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        at = lambda event: datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")[:26] + "+00:00"
                                                           if len(event["at"]) > 27 else event["at"])
        acts = [event for event in events if event["type"] in ("action_started", "action_finished")]
        finished = [event for event in acts if event["type"] == "action_finished"]
        clicks = [event["ms"] for event in finished if event["action"] == "click"]
        return {**measured, "ms": (at(acts[-1]) - at(acts[0])).total_seconds() * 1000, "clicks": clicks}

    def by_node(self, driver, flows, values, ws):
        file = self.work / "values.json"
        file.write_text(json.dumps(values))
        command = [self.node, self.player, driver, ws, str(file), *map(str, flows)]
        measured = measure(command, self.log, True, self.options.chromium)
        return {**measured, **json.loads(self.log.read_text().splitlines()[-1])}

    @contextlib.contextmanager
    def browser(self, profile):
        folder = self.work / f"browser-{profile}"
        process = subprocess.Popen(
            [self.options.chromium, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            port = folder / "DevToolsActivePort"
            until = time.monotonic() + 30
            while not port.exists() or len(port.read_text().split()) < 2:
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit("the browser did not start")
                time.sleep(0.02)
            number, path = port.read_text().split()
            yield f"ws://127.0.0.1:{number}{path}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def check_ledger(site, part, pairs):
    """Everybody did all of what they were measured at, and once."""
    with urllib.request.urlopen(f"{site}/ledger") as answer:
        ledger = json.load(answer)
    drivers = ("regatta", "replay", "playwright")
    wanted = [f"{part}-{driver}-{number}" for driver in drivers for number in range(1, pairs + 1)]
    missing = [name for name in wanted if ledger["profiles"].get(name) != dict.fromkeys(STEPS, 1)]
    if missing or ledger["twice"]:
        sys.exit(f"the site's ledger does not agree: {missing} {ledger['twice']}")


def report(a, b, c):
    def without_wait(part):
        return part["ms"] - BY_DESIGN_MS

    rows = [
        ("oracle's flow: steps, without its 500 ms; reference runner / regatta", a, "replay", without_wait, "ms", 1),
        ("oracle's flow: steps; no trace at all / a trace in store for a failure", a, "untraced", without_wait, "ms", 1),
        ("oracle's flow: processor time; no trace at all / a trace in store", a, "untraced", lambda part: part["processor"], "ms", 1000),
        ("practice flows: steps; reference runner / regatta", b, "replay", lambda part: part["ms"], "ms", 1),
        ("practice flows: steps; Playwright / regatta", b, "playwright", lambda part: part["ms"], "ms", 1),
        ("practice flows, no delays of the site: steps; reference runner / regatta", c, "replay", lambda part: part["ms"], "ms", 1),
        ("practice flows, no delays of the site: steps; Playwright / regatta", c, "playwright", lambda part: part["ms"], "ms", 1),
        ("practice flows: driver's processor time; Playwright / regatta", b, "playwright", lambda part: part["processor"], "ms", 1000),
        ("practice flows: driver's peak memory; Playwright / regatta", b, "playwright", lambda part: part["memory"], "MiB", 1 / MIB),
        ("practice flows: driver's processor time; reference runner / regatta", b, "replay", lambda part: part["processor"], "ms", 1000),
        ("practice flows: driver's peak memory; reference runner / regatta", b, "replay", lambda part: part["memory"], "MiB", 1 / MIB),
    ]
    width = max(len(row[0]) for row in rows)
    print(f"\n{'median of each side, and of the ratios of the pairs':<{width}}"
          f"{'pairs':>7}{'regatta':>12}{'other':>12}{'ratio':>8}{'min':>8}{'max':>8}")
    lines = []
    for label, rounds, other, of, unit, scale in rows:
        ours, theirs = [of(r["regatta"]) for r in rounds], [of(r[other]) for r in rounds]
        ratios = [y / x for x, y in zip(ours, theirs)]
        ratio, least, most = statistics.median(ratios), min(ratios), max(ratios)
        sides = [f"{statistics.median(values) * scale:.1f} {unit}" for values in (ours, theirs)]
        print(f"{label:<{width}}{len(ratios):>7}{sides[0]:>12}{sides[1]:>12}{ratio:>8.2f}{least:>8.2f}{most:>8.2f}")
        lines.append(f"| {label} | {ratio:.1f} | {least:.1f} to {most:.1f} | {len(ratios)} |")
    print("\na click of the practice flows, in frames of 16.7 ms: median of all, what it sets off included")
    for driver in ("regatta", "playwright", "replay"):
        clicks = [click for r in b for click in r[driver]["clicks"]]
        print(f"  {driver:<12}{statistics.median(clicks) / FRAME_MS:>6.2f}")
    clicks = {driver: [click for r in a for click in r[driver]["clicks"]] for driver in ("regatta", "replay")}
    print("a click of the oracle's flow, which sets nothing off")
    for driver, all_clicks in clicks.items():
        print(f"  {driver:<12}{statistics.median(all_clicks) / FRAME_MS:>6.2f}")
    print("\nFor the README:\n")
    print("| other / regatta | median | min to max | pairs |")
    print("|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

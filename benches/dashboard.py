#!/usr/bin/env python3
"""What watching costs: a dashboard with ten pages open on its event stream, over 50 profiles that are
being run, alone and beside ten thousand that are done. Fails above 5 % of a core or 60 MiB.

    benches/dashboard.py path/to/regatta

The runs are this script: it holds their locks, and writes documents and events as runs do, 25 events a
second, which is more than 50 browsers write. So the figure is that of the dashboard alone. Linux.
"""

import contextlib
import datetime
import fcntl
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

RUNNING, PAGES, SECONDS, PAUSE = 50, 10, 20, 0.04
MOST_CPU, MOST_MEMORY = 5.0, 60 << 20
FLAGS = ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled"]
NETWORK = {"requests": 9, "failed": 0, "bytes_received": 20_000, "bytes_sent": 500}


class Runs:
    """Runs that drive nothing."""

    def __init__(self, root, done):
        self.root = root
        for part in ("state", "logs"):
            (root / part).mkdir()
        for number in range(done):
            self.document(f"done-{number:05}", "COMPLETED", 4)
        self.profiles = [f"p{number}" for number in range(RUNNING)]
        self.seq = dict.fromkeys(self.profiles, 0)
        self.locks = []
        for profile in self.profiles:
            self.document(profile, "PROCESSING", 0)
            lock = open(root / "state" / f"{profile}.lock", "w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.locks.append(lock)
            self.event(profile, {"type": "run_started", "pid": os.getpid(), "plan": "x", "steps": 4, "done": 0})

    def document(self, profile, status, done):
        flags = {flag: place < done for place, flag in enumerate(FLAGS)}
        session = {"profile_id": profile, "status": status, "platform": "desktop", "completion_flags": flags, "identity": {}}
        temp = self.root / "state" / f".{profile}"
        temp.write_text(json.dumps(session))
        temp.rename(self.root / "state" / f"{profile}.json")

    def event(self, profile, kind):
        self.seq[profile] += 1
        at = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        line = {"v": 1, "seq": self.seq[profile], "at": at, "run_id": "r", "profile_id": profile, **kind}
        with open(self.root / "logs" / f"{profile}.events.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")

    def go_on(self, number):
        profile = self.profiles[number % RUNNING]
        turn = number // RUNNING
        flag = FLAGS[turn // 2 % 4]
        if turn % 2 == 0:
            self.event(profile, {"type": "step_started", "flag": flag, "attempt": 1, "mode": "act"})
        else:
            self.event(profile, {"type": "step_finished", "flag": flag, "outcome": "done", "ms": 2000, "network": NETWORK})
            self.document(profile, "PROCESSING", turn // 2 % 4 + 1)


def measure(regatta, done):
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(pathlib.Path(folder), done)
        page = subprocess.Popen([regatta, "-C", folder, "dashboard", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            host = page.stdout.readline().split("//")[1].split("/")[0]
            received = [0] * PAGES
            begun = threading.Barrier(PAGES + 1)

            def watch(place):
                connection = http.client.HTTPConnection(host)
                connection.request("GET", "/events")
                answer = connection.getresponse()
                received[place] += len(answer.read1(65536))
                begun.wait()
                # The end of the page is the end of the stream.
                with contextlib.suppress(http.client.HTTPException, OSError):
                    while block := answer.read1(65536):
                        received[place] += len(block)

            for place in range(PAGES):
                threading.Thread(target=watch, args=(place,), daemon=True).start()
            begun.wait()
            ticks = os.sysconf("SC_CLK_TCK")
            used = lambda: sum(map(int, pathlib.Path(f"/proc/{page.pid}/stat").read_text().split()[13:15])) / ticks
            before, since, number = used(), time.monotonic(), 0
            while time.monotonic() - since < SECONDS:
                runs.go_on(number)
                number += 1
                time.sleep(PAUSE)
            cpu = 100 * (used() - before) / (time.monotonic() - since)
            status = pathlib.Path(f"/proc/{page.pid}/status").read_text()
            memory = int(status.split("VmHWM:")[1].split()[0]) << 10
        finally:
            page.terminate()
            page.wait()
    print(f"{RUNNING} running, {done} done, {PAGES} pages: {cpu:.1f} % of a core, {memory / 2**20:.0f} MiB at most, "
          f"{number} events, {min(received) >> 10} KiB to each page")
    return cpu < MOST_CPU and memory < MOST_MEMORY


results = [measure(sys.argv[1], done) for done in (0, 10_000)]
sys.exit(0 if all(results) else "more than 5 % of a core or 60 MiB")

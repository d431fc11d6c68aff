"""What an orchestrator with its dashboard costs: `regatta orchestrate --dashboard` over 50 runs that live at
once, ten pages open on its event stream; alone, and beside ten thousand profiles that are done. Fails above
5 % of a core or 60 MiB of the orchestrator's process. Called by benches/dashboard.

Fifty Chromiums fit no two cores, so the runs are stood in for, and nothing else is. First one real run of
the practice flows, in Chromium, on the sandbox, is recorded: its events and when they came. The children of
the orchestrator are then benches/stand_in.py: each takes the lock of its profile, writes those events as
they came, and the session as it is after each, and ends as the run did. They print nothing and fsync
nothing: neither is work of the orchestrator. It launches, follows, reaps and reports them as any others.

Measured at two paces, to which the recording is stretched. 30 s a profile is what four steps take on sites
that are not on the same machine. 5 s is what the practice site takes; ten runs are launched a second then,
and it would take dozens of cores to carry their browsers.

How its children are replaced: the orchestrator starts the file it was started from. It is started
from a copy, and its list of profiles is not answered before the script lies in the place of that copy.
"""

import contextlib
import datetime
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LIVING, PAGES, SECONDS = 50, 10, 30
PACES = (30, 5)
MOST_CPU, MOST_MEMORY = 5.0, 60 << 20
HERE = pathlib.Path(__file__).resolve().parent
PRACTICE, STAND_IN = HERE.parent / "examples/practice", HERE / "stand_in.py"


def main():
    # What was started is ended also where this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    regatta, sandbox = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="regatta-dashboard-") as work:
        work = pathlib.Path(work)
        recording = record(regatta, sandbox, work)
        print(f"recorded: {len(recording)} events in {recording[-1]['after']:.1f} s", flush=True)
        results = [measure(regatta, recording, work, took, done) for took in PACES for done in (0, 10_000)]
    sys.exit(0 if all(results) else f"more than {MOST_CPU} % of a core or {MOST_MEMORY >> 20} MiB")


def record(regatta, sandbox, work):
    """The events of one real run, each with the seconds after the first."""
    from measure import sandbox as served

    folder = operator(work)
    with served(sandbox, work) as site:
        run = [regatta, "-C", folder, "run", "recorded", "--set", f"site={site}"]
        ended = subprocess.run(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode != 0:
        sys.exit(f"the run to be recorded failed: {ended.stdout}")
    lines = (folder / "logs/recorded.events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    first = when(events[0]["at"])
    return [{**event, "after": (when(event["at"]) - first).total_seconds()} for event in events]


def when(text):
    """Nanoseconds are cut."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}.{(rest + '000000')[:6]}+00:00")


def operator(work):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="operator-", dir=work))
    shutil.copytree(PRACTICE, folder, dirs_exist_ok=True)
    for part in ("state", "logs", "bin"):
        (folder / part).mkdir()
    return folder


def measure(regatta, recording, work, took, done):
    """`took`: seconds that a profile takes."""
    pace = took / recording[-1]["after"]
    # Enough for the time it takes to fill the slots, to measure, and to end.
    open_ones = LIVING + int(LIVING * (SECONDS + 20) / took)
    folder = operator(work)
    flags = [event["flag"] for event in recording if event["type"] == "step_finished"]
    for number in range(done):
        session = {"profile_id": f"done-{number:05}", "status": "COMPLETED", "platform": "desktop",
                   "completion_flags": dict.fromkeys(flags, True), "identity": {}}
        (folder / f"state/done-{number:05}.json").write_text(json.dumps(session))
    (folder / "recording.json").write_text(json.dumps({"pace": pace, "flags": flags, "real": str(regatta), "events": recording}))
    program = folder / "bin/regatta"
    shutil.copy2(regatta, program)
    names = [f"done-{number:05}" for number in range(done)] + [f"p{number}" for number in range(open_ones)]
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(list_of(names, program))
        fleet = subprocess.Popen(
            # Started one after the other, so that they do not act all at once from then on.
            [program, "-C", folder, "orchestrate", source, "--max", str(LIVING), "--stagger", "50ms", "--json",
             "--dashboard", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        stack.callback(end, fleet)
        host = next(line for line in fleet.stderr if "http://" in line).split("//")[1].split("/")[0]
        # The rest of its output must not fill the pipe.
        threading.Thread(target=fleet.stderr.read, daemon=True).start()
        pages = [Page(host) for _ in range(PAGES)]
        wait_for(lambda: pages[0].living and pages[0].living[-1] >= LIVING, fleet)
        pages[0].living.clear()
        received, events = [page.received for page in pages], event_count(folder)
        before, since = used(fleet.pid), time.monotonic()
        time.sleep(SECONDS)
        cpu = 100 * (used(fleet.pid) - before) / (time.monotonic() - since)
        status = pathlib.Path(f"/proc/{fleet.pid}/status").read_text()
        memory = int(status.split("VmHWM:")[1].split()[0]) << 10
        living, events = pages[0].living, event_count(folder) - events
        least = min(page.received - already for page, already in zip(pages, received))
    if statistics.median(living) < LIVING * 0.9:
        sys.exit(f"at the median {statistics.median(living)} runs lived and not {LIVING}: this machine is too slow, or too busy")
    print(f"{took} s a profile, beside {done} that are done: {cpu:.1f} % of a core, {memory / 2**20:.0f} MiB at most; "
          f"{statistics.median(living):.0f} runs lived at the median, {events / SECONDS:.0f} events a second, "
          f"{least >> 10} KiB to each of {PAGES} pages", flush=True)
    return cpu < MOST_CPU and memory < MOST_MEMORY


@contextlib.contextmanager
def list_of(names, program):
    """A server whose answer is the list, given once `program` has become the stand-in."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            stand_in = program.with_suffix(".new")
            stand_in.write_text(f"#!{sys.executable} -SE\n" + STAND_IN.read_text())
            stand_in.chmod(0o755)
            stand_in.replace(program)
            body = json.dumps(names).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Page:
    """One that is open: reads the stream, and how many runs live."""

    def __init__(self, host):
        self.received, self.living = 0, []
        connection = http.client.HTTPConnection(host)
        connection.request("GET", "/events")
        self.answer = connection.getresponse()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        # The end of the orchestrator is the end of the stream.
        with contextlib.suppress(http.client.HTTPException, OSError):
            while line := self.answer.readline():
                self.received += len(line)
                if line.startswith(b"data:"):
                    # In the counts, ahead of the rows.
                    self.living.append(int(line.split(b'"PROCESSING":', 1)[1].split(b",", 1)[0]))


def used(pid):
    """Seconds of a processor, of all its threads and none of its children."""
    return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def event_count(folder):
    return sum(path.read_bytes().count(b"\n") for path in (folder / "logs").glob("p*.events.jsonl"))


def wait_for(holds, fleet):
    until = time.monotonic() + 120
    while not holds():
        if fleet.poll() is not None or time.monotonic() > until:
            sys.exit("the fleet did not start its runs")
        time.sleep(0.05)


def end(fleet):
    """Twice: at once."""
    for _ in range(2):
        if fleet.poll() is None:
            fleet.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                fleet.wait(30)
    fleet.kill()
    fleet.wait()


if __name__ == "__main__":
    main()

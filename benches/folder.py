"""Makes a folder of many profiles in mixed states, each with a session and the events of a run, and prints
what the commands that show it take: time to the answer, processor time and peak memory. Called by
benches/folder.

The events are few, as of a profile with two steps; what a command reads of them is proportional.
"""

import argparse
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import urllib.request

PRACTICE = pathlib.Path("examples/practice")
FLAGS = ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled", "password_rotated"]
ERROR = "no element matches any of its 3 selectors within 10 s"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--regatta", type=pathlib.Path, required=True)
    parser.add_argument("--profiles", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, help="use this folder, and keep it")
    options = parser.parse_args()
    regatta = str(options.regatta.resolve())
    with tempfile.TemporaryDirectory(prefix="regatta-folder-") as work:
        folder = options.folder or pathlib.Path(work) / "folder"
        if not folder.exists():
            make(folder, options.profiles)
        lines = [measured(regatta, folder, *words) for words in COMMANDS]
        lines += [watch(regatta, folder), dashboard(regatta, folder, options.profiles)]
    print(f"\n{options.profiles} profiles\n")
    print("| command | time, s | processor, s | peak memory, MiB |")
    print("|---|---|---|---|")
    for name, wall, cpu, peak in lines:
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak / 1024:.0f} |")


COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["status", "p1"],
    ["status", "--status", "failed", "--sort", "error"],
    ["doctor"],
    ["report"],
    ["clean", "--dry-run"],
    ["clean", "--browsers", "completed", "--artifacts", "30d", "--logs", "30d", "--dry-run"],
    ["sessions", "export", "--format", "csv"],
]


def make(folder, count):
    shutil.copytree(PRACTICE, folder)
    for name in ["state", "logs"]:
        (folder / name).mkdir()
    started = time.monotonic()
    for number in range(1, count + 1):
        session, events = profile(number)
        name = f"p{number}"
        (folder / "state" / f"{name}.json").write_text(session)
        (folder / "state" / f"{name}.lock").touch()
        (folder / "logs" / f"{name}.events.jsonl").write_text(events)
    print(f"made {count} profiles in {time.monotonic() - started:.0f} s", flush=True)


def profile(number):
    """Of a hundred: 80 completed, 8 pending, 6 failed, 4 waiting for a person, 2 interrupted in a step."""
    kind = number % 100
    done = 5 if kind < 80 else number % 4
    session = {
        "profile_id": f"p{number}",
        "status": "COMPLETED",
        "platform": "desktop",
        "completion_flags": {flag: place < done for place, flag in enumerate(FLAGS)},
        "identity": {"email": f"p{number}@practice.test", "password": "word of the bench", "two_fa_secret": None},
        "version": 1,
    }
    error = {"flag": FLAGS[min(done, 4)], "message": ERROR, "at": "2026-01-02T03:04:09Z"}
    outcome, code = "completed", 0
    if 80 <= kind < 88:
        session["status"] = "PENDING"
    elif 88 <= kind < 94:
        session["status"], session["last_error"] = "FAILED", error
        outcome, code = "step_failed", 1
    elif 94 <= kind < 98:
        session["status"], session["last_error"] = "NEEDS_ATTENTION", error
        outcome, code = "needs_attention", 3
    elif kind >= 98:
        session["status"] = "PROCESSING"
        session["in_flight"] = {"flag": FLAGS[done], "attempt": 1, "started_at": "2026-01-02T03:04:05Z", "run_id": "r"}
    return json.dumps(session, indent=2), "".join(events(number, min(done, 2), outcome, code))


def events(number, done, outcome, code):
    network = {"requests": 9, "failed": 0, "bytes_received": 20480, "bytes_sent": 512}
    lines = [{"type": "run_started", "pid": 5, "plan": "sha256:1", "steps": 5, "done": 0}]
    for flag in FLAGS[:done]:
        lines.append({"type": "step_started", "flag": flag, "attempt": 1, "mode": "act"})
        lines.append({"type": "step_finished", "flag": flag, "outcome": "done", "ms": 1500 + number % 997, "network": network})
    lines.append({"type": "run_finished", "outcome": outcome, "exit_code": code, "ms": 4000})
    for seq, event in enumerate(lines, 1):
        head = {"v": 1, "seq": seq, "at": f"2026-01-02T03:04:{seq:02}Z", "run_id": f"r{number}", "profile_id": f"p{number}"}
        yield json.dumps(head | event, separators=(",", ":")) + "\n"


def measured(regatta, folder, *words):
    started = time.monotonic()
    child = subprocess.Popen([regatta, "-C", folder, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return " ".join(words), time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def watch(regatta, folder):
    """Until the first picture, and a key after it."""
    started = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(regatta, [regatta, "-C", str(folder), "watch"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    shown = until(terminal, b"q quit")
    first = shown - started
    times = []
    for key in [b"j"] * 5:
        pressed = time.monotonic()
        os.write(terminal, key)
        times.append(until(terminal, b"p") - pressed)
    print(f"watch: a key is answered after {sorted(times)[2] * 1000:.0f} ms", flush=True)
    os.write(terminal, b"q")
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass
    _, _, usage = os.wait4(pid, 0)
    return "watch, first picture", first, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def until(terminal, words):
    seen = b""
    while words not in seen:
        if not select.select([terminal], [], [], 300)[0]:
            raise SystemExit(f"{words} never came: {seen[-300:]}")
        seen += os.read(terminal, 65536)
    return time.monotonic()


def dashboard(regatta, folder, count):
    """Until the page knows every profile; then what it takes for ten seconds in which nothing happens."""
    started = time.monotonic()
    child = subprocess.Popen([regatta, "-C", folder, "dashboard", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    address = re.search(r"http://[^/]+/", child.stdout.readline()).group()
    while profiles(address) < count:
        time.sleep(0.05)
    first = time.monotonic() - started
    before = processor(child.pid)
    time.sleep(10)
    print(f"dashboard: {(processor(child.pid) - before) * 10:.1f} % of a core while nothing happens", flush=True)
    status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1))
    used = processor(child.pid)
    child.send_signal(signal.SIGTERM)
    child.wait()
    return "dashboard, all profiles known", first, used, peak


def profiles(address):
    text = urllib.request.urlopen(address + "metrics", timeout=60).read().decode()
    return sum(float(value) for value in re.findall(r"^regatta_profiles\{[^}]*\} ([\d.]+)", text, re.M))


def processor(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

"""Reports, metrics and webhooks, read by independent programs.

views.py REGATTA: makes a folder in which something went well and something did not, and asks
junitparser, the OpenMetrics parser of prometheus_client, and standardwebhooks what they make of it.
"""

import csv
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request

from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from standardwebhooks import Webhook

regatta = pathlib.Path(sys.argv[1]).resolve()
practice = pathlib.Path("examples/practice").resolve()
# The steps of the practice workflow: a profile is completed when all of them are.
STEPS = ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled", "password_rotated"]
NETWORK = {"requests": 9, "failed": 1, "bytes_received": 2048, "bytes_sent": 512}


def fill(root):
    for part in ("state", "logs", "flows"):
        (root / part).mkdir()
    (root / "workflow.toml").write_text((practice / "workflow.toml").read_text())
    for flow in (practice / "flows").iterdir():
        (root / "flows" / flow.name).write_text(flow.read_text())
    stories = {
        "p1": ("COMPLETED", "done", None),
        "p2": ("FAILED", "failed", 'no element <matches> "it" & more \u0007'),
        "p3": ("NEEDS_ATTENTION", "needs_attention", "a person must look"),
    }
    for profile, (status, outcome, message) in stories.items():
        flags = dict.fromkeys(STEPS, status == "COMPLETED")
        session = {"profile_id": profile, "status": status, "platform": "desktop", "completion_flags": flags, "identity": {}}
        if message:
            session["last_error"] = {"flag": "mailbox_created", "message": message, "at": "2026-01-02T03:04:05Z"}
        (root / "state" / f"{profile}.json").write_text(json.dumps(session))
        kinds = [
            {"type": "run_started", "pid": 1, "plan": "x", "steps": len(STEPS), "done": 0},
            {"type": "pacer_waited", "call": "start", "ms": 250},
            {"type": "step_started", "flag": "mailbox_created", "attempt": 1, "mode": "act"},
            {"type": "step_finished", "flag": "mailbox_created", "outcome": outcome, "ms": 1500, "network": NETWORK},
        ]
        lines = (
            {"v": 1, "seq": seq, "at": f"2026-01-02T03:04:{seq:02}Z", "run_id": "r", "profile_id": profile, **kind}
            for seq, kind in enumerate(kinds, 1)
        )
        (root / "logs" / f"{profile}.events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def run(root, *arguments):
    return subprocess.run([regatta, "-C", root, *arguments], check=True, capture_output=True, text=True).stdout


def junit(root):
    suites = JUnitXml.fromstring(run(root, "report", "--stdout", "junit").encode())
    found = {suite.name: (suite.tests, suite.failures, suite.errors, suite.skipped) for suite in suites}
    assert found == {"p1": (5, 0, 0, 0), "p2": (5, 1, 0, 4), "p3": (5, 0, 1, 4)}, found
    assert suites.tests == 15 and suites.failures == 1 and suites.errors == 1, suites
    print("junitparser:", suites.tests, "cases in", len(found), "suites")


def table(root):
    rows = list(csv.DictReader(io.StringIO(run(root, "report", "--stdout", "csv"))))
    assert [row["status"] for row in rows] == ["COMPLETED", "FAILED", "NEEDS_ATTENTION"], rows


def metrics(root):
    page = subprocess.Popen([regatta, "-C", root, "dashboard", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        address = page.stdout.readline().split("#")[0].strip()
        while True:
            with urllib.request.urlopen(address + "metrics") as answer:
                kind, text = answer.headers["content-type"], answer.read().decode()
            if 'regatta_profiles{status="completed"} 1' in text:
                break
        assert kind.startswith("application/openmetrics-text; version=1.0.0"), kind
        families = {family.name: family for family in text_string_to_metric_families(text)}
    finally:
        page.terminate()
        page.wait()
    for name, kind, unit in [
        ("regatta_profiles", "gauge", ""),
        ("regatta_steps", "counter", ""),
        ("regatta_step_duration_seconds", "histogram", "seconds"),
        ("regatta_pacer_wait_seconds", "counter", "seconds"),
        ("regatta_network_bytes", "counter", "bytes"),
        ("regatta_children_resident_memory_bytes", "gauge", "bytes"),
    ]:
        assert (families[name].type, families[name].unit) == (kind, unit), families[name]
    waited = families["regatta_pacer_wait_seconds"].samples[0].value
    assert waited == 0.75, waited
    print("prometheus_client:", len(families), "families of OpenMetrics")


def webhook(root):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    received = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(Webhook(secret).verify(body, dict(self.headers)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/hook"
    (root / "regatta.toml").write_text(f'[notify]\nwebhook = "{address}"\nsecret_env = "SECRET"\n')
    (root / "profiles.txt").write_text("p3\n")
    ended = subprocess.run([regatta, "-C", root, "orchestrate"], env={**os.environ, "SECRET": secret}, capture_output=True, text=True)
    assert ended.returncode == 3, ended
    assert [message["type"] for message in received] == ["fleet.finished"], received
    assert received[0]["data"]["tally"]["need_attention"] == 1, received
    server.shutdown()
    print("standardwebhooks: a signed message is verified")


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    fill(root)
    junit(root)
    table(root)
    metrics(root)
    webhook(root)

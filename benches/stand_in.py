"""A run that was recorded, played again as the child of an orchestrator: `--folder FOLDER … run … PROFILE`, as
`regatta` is called. Called by benches/dashboard.py, which wrote FOLDER/recording.json. What else the
orchestrator asks of its program (the report) the real one does.
"""

import fcntl
import json
import os
import sys
import time


def main(arguments):
    folder, profile = arguments[arguments.index("--folder") + 1], arguments[-1]
    with open(f"{folder}/recording.json") as file:
        recording = json.load(file)
    if "run" not in arguments:
        os.execv(recording["real"], [recording["real"], *arguments])
    began = time.time()
    run = time.strftime("%Y%m%dT%H%M%S", time.gmtime(began)) + f"-{os.getpid():08x}"
    lock = open(f"{folder}/state/{profile}.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(json.dumps({"pid": os.getpid(), "started_at": now(), "run_id": run}) + "\n")
    lock.flush()
    flags = dict.fromkeys(recording["flags"], False)
    log = open(f"{folder}/logs/{profile}.events.jsonl", "a", buffering=1)
    for event in recording["events"]:
        time.sleep(max(0, began + event.pop("after") * recording["pace"] - time.time()))
        kind = event["type"]
        event.update(at=now(), run_id=run, profile_id=profile)
        status, in_flight = "PROCESSING", None
        if kind == "run_started":
            event["pid"] = os.getpid()
        elif kind == "step_started":
            in_flight = {"flag": event["flag"], "attempt": event["attempt"], "started_at": now(), "run_id": run}
        elif kind == "step_finished":
            flags[event["flag"]] = True
        elif kind == "run_finished":
            status = "COMPLETED"
        if kind in ("run_started", "step_started", "step_finished", "run_finished"):
            write(folder, profile, status, flags, in_flight)
        log.write(json.dumps(event) + "\n")
    lock.truncate(0)


def now():
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06}Z"


def write(folder, profile, status, flags, in_flight):
    """The document is replaced whole, as a run does."""
    session = {"profile_id": profile, "status": status, "platform": "desktop", "completion_flags": flags, "identity": {}}
    if in_flight:
        session["in_flight"] = in_flight
    temp = f"{folder}/state/.{profile}"
    with open(temp, "w") as file:
        json.dump(session, file)
    os.replace(temp, f"{folder}/state/{profile}.json")


main(sys.argv[1:])

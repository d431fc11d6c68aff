"""The schemas that `regatta schema` prints are valid, accept the golden and example documents, and refuse wrong ones.

    schemas.py REGATTA
"""

import glob
import json
import subprocess
import sys
import tomllib

from jsonschema import Draft202012Validator


def schema(name):
    text = subprocess.run([sys.argv[1], "schema", name], check=True, capture_output=True, text=True).stdout
    document = json.loads(text)
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def errors(validator, document):
    return [error.message for error in validator.iter_errors(document)]


def toml(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


session, event, workflow, settings = map(schema, ["session", "event", "workflow", "settings"])

golden = sorted(glob.glob("tests/it/golden/*.json"))
assert len(golden) >= 3, golden
for path in golden:
    with open(path) as file:
        document = json.load(file)
    assert not errors(session, document), (path, errors(session, document))
    del document["status"]
    assert errors(session, document), f"{path} without its status is accepted"

line = {"v": 1, "seq": 1, "at": "2026-01-02T03:04:05Z", "run_id": "r", "profile_id": "p1", "type": "browser_stopped", "ms": 5}
assert not errors(event, line), errors(event, line)
assert errors(event, {**line, "type": "no_such_event"})
assert errors(event, {**line, "profile_id": "no/profile"})

document = toml("examples/practice/workflow.toml")
assert not errors(workflow, document), errors(workflow, document)
document["step"][0]["atempts"] = 3
assert errors(workflow, document)

document = toml("examples/practice/regatta.toml")
assert not errors(settings, document), errors(settings, document)
assert not errors(settings, {"fleet": {"max": "auto", "min_free_memory": "1GiB"}})
assert errors(settings, {"fleet": {"max": 0}})

print("schemas: ok")

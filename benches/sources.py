"""Starts a fleet on a hundred thousand profiles of each source and prints the orchestrator's peak memory
(VmHWM) once all of them were taken in, and the time to its first run. Called by benches/sources.

Every row has an identity field and a variable. The runs find no browser and fail at once; how a fleet
runs is measured elsewhere. AdsPower is not here: a page of a hundred takes it a second.
"""

import argparse
import datetime
import glob
import http.server
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

PRACTICE = pathlib.Path("examples/practice")
PASSWORD = "word-of-the-bench"
COLUMNS = ["profile_id", "identity.email", "variables.shop"]
PAGE = 1000


def rows(count):
    return [(f"p{number}", f"p{number}@practice.test", f"shop {number % 7}") for number in range(1, count + 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--regatta", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regatta-sources-") as work:
        os.chmod(work, 0o755)
        bench = Bench(options, pathlib.Path(work))
        lines = [(name, *bench.measure(*source())) for name, source in bench.sources()]
        bench.end()
    print(f"\n{options.rows} rows, one run at a time\n")
    print("| source | first run after, s | all taken in after, s | peak memory, MiB |")
    print("|---|---|---|---|")
    for name, first, whole, peak in lines:
        print(f"| {name} | {first:.2f} | {whole:.2f} | {peak / 1024:.1f} |")
    print("\nBounds: 2 s, and 60 MiB.")


class Bench:
    def __init__(self, options, work):
        self.regatta, self.count, self.work = str(options.regatta.resolve()), options.rows, work
        self.rows = rows(options.rows)
        self.number, self.ends = 0, []

    def sources(self):
        return [("list", self.list), ("CSV", self.csv), ("JSON lines", self.json_lines), ("SQLite", self.sqlite),
                ("Postgres", self.postgres), (f"HTTP, pages of {PAGE}", self.http)]

    def list(self):
        path = self.work / "list.txt"
        path.write_text("".join(f"{row[0]}\n" for row in self.rows))
        return str(path), ""

    def csv(self):
        path = self.work / "fleet.csv"
        path.write_text(",".join(COLUMNS) + "\n" + "".join(",".join(row) + "\n" for row in self.rows))
        return str(path), ""

    def json_lines(self):
        path = self.work / "fleet.jsonl"
        path.write_text("".join(json.dumps(dict(zip(COLUMNS, row))) + "\n" for row in self.rows))
        return str(path), ""

    def sqlite(self):
        path = self.work / "fleet.db"
        with sqlite3.connect(path) as database:
            database.execute("create table people (id text, mail text, shop text)")
            database.executemany("insert into people values (?, ?, ?)", self.rows)
        return f"sqlite:{path}?query={QUERY}", ""

    def postgres(self):
        port = self.start_postgres()
        return f"postgres://fleet@127.0.0.1:{port}/postgres?query={QUERY}", '[source]\npassword_env = "DB"\n'

    def start_postgres(self):
        programs = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
        data, word = self.work / "data", self.work / "word"
        data.mkdir()
        word.write_text(PASSWORD)
        as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(data, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run([*as_user, programs / "initdb", "--no-sync", "--auth=scram-sha-256", "-U", "fleet",
                        f"--pwfile={word}", "-D", data], check=True, **quiet)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen([*as_user, programs / "postgres", "-D", data, "-c", "fsync=off", "-c", f"port={port}",
                                   "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"], **quiet)
        self.ends.append(lambda: (server.send_signal(signal.SIGQUIT), server.wait()))
        psql = ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "fleet", "postgres"]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        ready = time.monotonic() + 60
        while subprocess.run([*psql, "-c", "select 1"], env=environment, **quiet).returncode != 0:
            if server.poll() is not None or time.monotonic() > ready:
                sys.exit("no Postgres")
            time.sleep(0.05)
        table = "create table people (id text, mail text, shop text);\ncopy people from stdin;\n"
        text = table + "".join("\t".join(row) + "\n" for row in self.rows) + "\\.\n"
        subprocess.run([*psql, "-v", "ON_ERROR_STOP=1"], input=text, text=True, env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        return port

    def http(self):
        documents = [dict(zip(COLUMNS, row)) for row in self.rows]

        class Pages(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                page = int(self.path.partition("page=")[2] or 0)
                body = json.dumps(documents[page * PAGE:(page + 1) * PAGE]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                if (page + 1) * PAGE < len(documents):
                    self.send_header("Link", f'</people?page={page + 1}>; rel="next"')
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.ends.append(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/people", ""

    def measure(self, source, settings):
        """Seconds to the first run and until all was taken in, and the peak in KiB by then."""
        self.number += 1
        folder = self.work / f"operator-{self.number}"
        shutil.copytree(PRACTICE, folder)
        # Rows may set only what the workflow declares.
        workflow = folder / "workflow.toml"
        workflow.write_text(workflow.read_text().replace("[variables]\n", "[variables]\nshop = \"\"\n", 1))
        (folder / "regatta.toml").write_text(settings)
        environment = {**os.environ, "CHROME": "/no/such/browser", "DB": PASSWORD}
        started = time.time()
        with open(folder / "output", "wb") as output:
            fleet = subprocess.Popen([self.regatta, "-C", folder, "orchestrate", "--max", "1", "--stagger", "5s",
                                      "--source", source], env=environment, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 300
            log = ""
            while f"profiles={self.count}" not in log:
                if fleet.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{source}: not taken in\n" + (folder / "output").read_text()[-2000:])
                time.sleep(0.02)
                log = "".join(path.read_text() for path in (folder / "logs").glob("orchestrator.*"))
            status = pathlib.Path(f"/proc/{fleet.pid}/status").read_text()
            peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        finally:
            fleet.kill()
            fleet.wait()
        first = re.search(r"^(\S+)\s+INFO .*launched", log, re.M)
        whole = re.search(rf"^(\S+)\s+INFO .*profiles={self.count}\b", log, re.M)
        return when(first[1]) - started, when(whole[1]) - started, peak

    def end(self):
        for end in self.ends:
            end()


QUERY = 'select id, mail as "identity.email", shop as "variables.shop" from people'


def when(text):
    text = re.sub(r"(\.\d{6})\d*", r"\1", text.replace("Z", "+00:00"))
    return datetime.datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()

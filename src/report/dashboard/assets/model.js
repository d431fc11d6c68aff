// The state of the folder: rows by profile, and totals. Fed by one event stream.

// Places in a row, as `row` in feed.rs writes it.
export const COLUMNS = { id: 0, status: 1, done: 2, steps: 3, step: 4, error: 5, ms: 6, bytes: 7, lastEvent: 8, attempt: 9, since: 10, runs: 11 };

export const STATUSES = {
  PROCESSING: { word: "running", tone: "live" },
  PENDING: { word: "pending", tone: "soft" },
  INTERRUPTED: { word: "interrupted", tone: "warn" },
  NEEDS_ATTENTION: { word: "needs a person", tone: "warn" },
  FAILED: { word: "failed", tone: "bad" },
  DAMAGED: { word: "damaged", tone: "bad" },
  COMPLETED: { word: "completed", tone: "good" },
};

export class Model {
  rows = new Map();
  counted = null;
  fleet = {};
  name = "Regatta";
  // Of the server's clock, ahead of ours.
  skew = 0;
  version = 0;

  now() {
    return Date.now() + this.skew;
  }

  take(message, whole) {
    if (whole) this.rows.clear();
    for (const row of message.rows) this.rows.set(row[COLUMNS.id], row);
    this.counted = message.counted;
    this.fleet = message.fleet;
    this.name = message.name;
    this.skew = message.now - Date.now();
    this.version += 1;
  }
}

// Calls `changed(ids)`, `null` for everything, and `state` with "on" or "off".
export function follow(model, changed, state) {
  const stream = new EventSource("/events");
  stream.addEventListener("whole", (event) => {
    model.take(JSON.parse(event.data), true);
    state("on");
    changed(null);
  });
  stream.addEventListener("change", (event) => {
    const message = JSON.parse(event.data);
    model.take(message, false);
    changed(message.rows.map((row) => row[COLUMNS.id]));
  });
  // The browser reconnects automatically and gets everything then.
  stream.addEventListener("error", () => state("off"));
}

// The token stands behind the # of the printed address, so it is in no log; it is kept for this tab.
export function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem("token");
}

export async function act(profile, action) {
  const answer = await fetch(`/api/profiles/${encodeURIComponent(profile)}/${action}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` },
  });
  const said = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  return said.done ?? [said.error, said.hint].filter(Boolean).join(": ");
}

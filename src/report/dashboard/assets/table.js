// The table of profiles. Only the rows that can be seen exist, so ten thousand cost as much as thirty.

import { $, bytes, h, span, when } from "./dom.js";
import { COLUMNS as C, STATUSES } from "./model.js";

const HEADS = [
  ["profile", C.id], ["status", C.status], ["steps", C.done], ["at step", C.step],
  ["time", C.ms], ["received", C.bytes], ["last event", C.lastEvent], ["last error", C.error],
];
// Running profiles and those that need a person come first.
const ORDER = { PROCESSING: 0, NEEDS_ATTENTION: 1, FAILED: 2, INTERRUPTED: 3, DAMAGED: 4, PENDING: 5, COMPLETED: 6 };
const SPARE = 8;
// Numbers in ids count as numbers: p9 stands before p10.
const key = (id) => id.replace(/\d+/g, (digits) => digits.padStart(12, "0"));

export class Table {
  filter = { text: "", status: "", step: "" };
  sort = { column: C.status, down: false };
  shown = [];
  at = null;
  // Ids in their order: found once, since every other order is laid over it.
  ids = [];
  // By id, what is on the screen: a row that is as it was stays.
  drawn = new Map();

  constructor(model, open) {
    this.model = model;
    this.open = open;
    this.box = $("table");
    this.head = h("div", { class: "head", role: "row" });
    this.body = h("div", { class: "body", role: "rowgroup" });
    this.box.append(this.head, this.body);
    this.heads();
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      if (row) this.open(row.dataset.id);
    });
  }

  heads() {
    this.head.replaceChildren(...HEADS.map(([word, column]) => {
      const sorted = this.sort.column === column ? (this.sort.down ? "descending" : "ascending") : "none";
      const turn = () => {
        this.sort = { column, down: this.sort.column === column ? !this.sort.down : column >= C.ms };
        this.heads();
        this.update();
        // The button that was pressed is another one now.
        this.head.children[HEADS.findIndex((head) => head[1] === column)].firstChild.focus();
      };
      return h("div", { role: "columnheader", "aria-sort": sorted }, h("button", { type: "button", onclick: turn }, word));
    }));
  }

  // Filters and sorts anew; keeps the place.
  update() {
    const { status, step } = this.filter;
    const words = this.filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    const phrase = this.filter.text.toLowerCase();
    const fits = (row) => {
      if (status && row[C.status] !== status) return false;
      if (step && row[C.step] !== step) return false;
      if (!words.length) return true;
      const text = `${row[C.id]} ${row[C.step] ?? ""} ${row[C.error] ?? ""}`.toLowerCase();
      return text.includes(phrase) || words.every((word) => text.includes(word));
    };
    const { column, down } = this.sort;
    const value = column === C.status ? (row) => ORDER[row[column]] : (row) => row[column];
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === y) return 0;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      const by = x < y ? -1 : 1;
      return down ? -by : by;
    };
    if (this.ids.length !== this.model.rows.size) {
      const keyed = [...this.model.rows.keys()].map((id) => [key(id), id]);
      this.ids = keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => id);
    }
    this.shown = this.ids.map((id) => this.model.rows.get(id)).filter((row) => row && fits(row));
    if (column !== C.id) this.shown.sort(compare);
    else if (down) this.shown.reverse();
    const height = this.shown.length * this.rowHeight();
    this.body.style.height = `${height}px`;
    // The head is not there on a phone.
    const head = this.head.offsetHeight;
    this.box.style.height = `min(${Math.max(height, 108) + head + 2}px, 34rem, 66vh)`;
    this.box.setAttribute("aria-rowcount", this.shown.length + 1);
    const all = this.model.rows.size;
    const count = this.shown.length === all ? `${all.toLocaleString()} profile${all === 1 ? "" : "s"}` : `${this.shown.length.toLocaleString()} of ${all.toLocaleString()}`;
    // Screen readers announce each change, even to the same text.
    if ($("count").textContent !== count) $("count").textContent = count;
    this.draw();
  }

  rowHeight() {
    return matchMedia("(max-width: 40rem)").matches ? 56 : 36;
  }

  draw() {
    const height = this.rowHeight();
    const first = Math.max(0, Math.floor(this.box.scrollTop / height) - SPARE);
    const last = Math.min(this.shown.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + SPARE);
    const now = this.model.now();
    const drawn = new Map();
    for (let place = first; place < last; place += 1) {
      const row = this.shown[place];
      const looks = [place, height, row[C.id] === this.at, row[C.since] ? Math.floor((now - row[C.since]) / 1000) : 0].join();
      const known = this.drawn.get(row[C.id]);
      drawn.set(row[C.id], known?.row === row && known.looks === looks ? known : { row, looks, element: this.row(row, place, height, now) });
    }
    this.drawn = drawn;
    const rows = [...drawn.values()].map(({ element }) => element);
    if (!rows.length) rows.push(this.none());
    put(this.body, rows);
    if (this.at) this.box.setAttribute("aria-activedescendant", `row-${this.at}`);
  }

  none() {
    const [what, next] = this.model.rows.size
      ? ["No profile fits.", "Esc leaves the search; another status or step may be chosen."]
      : ["No profile has run in this folder yet.", "regatta run ID starts one, regatta orchestrate a fleet; they appear here by themselves."];
    return h("div", { class: "none" }, h("p", {}, what), h("p", {}, next));
  }

  row(row, place, height, now) {
    const id = row[C.id];
    const status = STATUSES[row[C.status]];
    const again = row[C.attempt] > 1 ? `, attempt ${row[C.attempt]}` : "";
    const since = row[C.since] ? ` · ${span(Math.max(0, Math.floor((now - row[C.since]) / 1000) * 1000))}` : "";
    const cell = (text, kind) => h("div", { role: "gridcell", class: kind, title: text || null }, text);
    const made = h("div", { role: "row", id: `row-${id}`, class: id === this.at ? "row at" : "row", "data-id": id, "aria-rowindex": place + 2, "aria-selected": id === this.at ? "true" : "false" },
      cell(id, "mono"),
      h("div", { role: "gridcell" }, h("span", { class: `pill ${status.tone}` }, status.word)),
      cell(row[C.steps] ? `${row[C.done]}/${row[C.steps]}` : ""),
      cell(row[C.step] ? `${row[C.step]}${again}${since}` : ""),
      cell(row[C.runs] ? span(row[C.ms]) : ""),
      cell(row[C.runs] ? bytes(row[C.bytes]) : ""),
      cell(when(row[C.lastEvent], now)),
      cell(row[C.error] ?? ""));
    made.style.top = `${place * height}px`;
    return made;
  }

  key(event) {
    const place = this.shown.findIndex((row) => row[C.id] === this.at);
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.rowHeight()) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.target.closest("button") && event.key === "Enter") return;
    if (event.key === "Enter" && this.at) {
      this.open(this.at);
    } else if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const to = place < 0 && event.key !== "End" ? 0 : place + moves[event.key];
      this.choose(Math.min(this.shown.length - 1, Math.max(0, to)));
    } else {
      return;
    }
    event.preventDefault();
  }

  choose(place) {
    if (!this.shown[place]) return;
    this.at = this.shown[place][C.id];
    const height = this.rowHeight();
    const top = place * height;
    const space = this.box.clientHeight - 36;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + height > this.box.scrollTop + space) this.box.scrollTop = top + height - space;
    this.draw();
  }
}

// Those that are there already are not moved.
function put(box, rows) {
  const kept = new Set(rows);
  for (const there of [...box.children]) if (!kept.has(there)) there.remove();
  let next = box.firstChild;
  for (const row of rows) {
    if (row === next) next = next.nextSibling;
    else box.insertBefore(row, next);
  }
}

// One profile: its steps, times, last error, log, traffic, picture, evidence, and what can be done.

import { $, bytes, h, patch, span, toast, when } from "./dom.js";
import { STATUSES, act } from "./model.js";

const REFRESH = 2000;

const ACTS = {
  retry: { word: "Run again", sure: "Start a run", why: "starts a run of this profile", fits: (status) => !["PROCESSING", "COMPLETED", "DAMAGED"].includes(status) },
  stop: { word: "Stop", sure: "Stop it", why: "asks the run to stop after the step it is in", fits: (status) => status === "PROCESSING" },
  reset: { word: "Reset", sure: "Forget its steps", why: "forgets that steps were done; the identity is kept", fits: (status) => !["PROCESSING", "DAMAGED"].includes(status) },
};

export class Profile {
  id = null;
  timer = null;

  constructor(model) {
    this.model = model;
    this.box = $("profile");
    this.box.addEventListener("close", () => this.left());
    // A click on what lies around it.
    this.box.addEventListener("click", (event) => { if (event.target === this.box) this.box.close(); });
  }

  open(id) {
    this.id = id;
    if (location.hash !== `#/${id}`) history.pushState(null, "", `#/${id}`);
    this.box.replaceChildren(h("header", {}, h("h2", { id: "profile-name" }, id), this.closer()), h("div", { class: "inside" }, h("p", { class: "soft" }, "reading …")));
    if (!this.box.open) this.box.showModal();
    this.parts = null;
    this.read();
  }

  left() {
    clearTimeout(this.timer);
    this.id = null;
    if (location.hash.startsWith("#/")) history.pushState(null, "", location.pathname);
    $("table").focus({ preventScroll: true });
  }

  closer() {
    return h("button", { class: "quiet close", type: "button", "aria-label": "Close", onclick: () => this.box.close() }, "Close");
  }

  async read() {
    clearTimeout(this.timer);
    const id = this.id;
    if (!id) return;
    try {
      const answer = await fetch(`/api/profiles/${encodeURIComponent(id)}`);
      const detail = await answer.json();
      if (this.id !== id) return;
      if (answer.ok) this.draw(detail);
      else this.box.querySelector(".inside").replaceChildren(h("p", { class: "error-box" }, detail.error));
    } catch {
      // The state in the head says that the server is away; it is asked again.
    }
    if (this.id === id) this.timer = setTimeout(() => this.read(), REFRESH);
  }

  draw(detail) {
    if (!this.parts) {
      this.parts = {
        pill: h("span", { class: "pill" }),
        acts: h("div", { class: "acts" }),
        body: h("div", { class: "inner" }),
        picture: h("section", { class: "card shot" }),
        log: h("pre", { class: "log", tabindex: 0, role: "log", "aria-label": "what its runs printed" }),
        events: h("pre", { class: "log", tabindex: 0, role: "log", "aria-label": "events" }),
      };
      // The button to close has the focus, and keeps it.
      this.box.querySelector("h2").after(this.parts.pill);
      this.box.querySelector(".inside").replaceChildren(this.parts.acts, this.parts.body, this.parts.picture,
        h("section", { class: "card" }, h("h2", {}, "Events"), this.parts.events),
        h("section", { class: "card" }, h("h2", {}, "Log"), this.parts.log));
    }
    const { pill, acts, body, picture, log, events } = this.parts;
    const status = STATUSES[detail.status];
    pill.className = `pill ${status.tone}`;
    pill.textContent = status.word;
    if (acts.dataset.status !== detail.status) {
      acts.dataset.status = detail.status;
      this.actions(acts, detail.status);
    }
    patch(body, [this.error(detail), this.steps(detail), this.facts(detail), this.runs(detail)].filter(Boolean));
    const shot = detail.picture ? `/artifacts/${this.id}/${encodeURI(detail.picture)}` : "";
    if (picture.dataset.shot !== shot) {
      picture.dataset.shot = shot;
      picture.hidden = !shot;
      const image = h("img", { src: shot, alt: "the page, as it was last kept", loading: "lazy" });
      image.addEventListener("error", () => { picture.hidden = true; });
      picture.replaceChildren(h("h2", {}, "Last picture"), image);
    }
    tail(events, detail.events.map((event) => line(event)).join("\n") || "no events yet");
    tail(log, detail.log || "nothing yet: a log is written by runs that a fleet or this page starts");
  }

  actions(acts, status) {
    const known = sessionStorage.getItem("token");
    const buttons = Object.entries(ACTS).filter(([, action]) => action.fits(status)).map(([name, action]) => {
      const ask = (event) => {
        const button = event.currentTarget;
        if (button.dataset.asked) {
          acts.querySelectorAll("button").forEach((each) => { each.disabled = true; });
          act(this.id, name).then((said) => { toast(said); acts.dataset.status = ""; this.read(); });
          return;
        }
        // The second click is the answer to the question that the first one puts.
        button.dataset.asked = "yes";
        button.classList.add("sure");
        button.textContent = action.sure;
        setTimeout(() => { delete button.dataset.asked; button.classList.remove("sure"); button.textContent = action.word; }, 5000);
      };
      return h("button", { class: "act", type: "button", title: action.why, disabled: !known, onclick: ask }, action.word);
    });
    const how = known ? null : h("span", { class: "soft" }, "Actions need the address with the token that was printed.");
    acts.replaceChildren(...buttons, ...(how ? [how] : []));
  }

  error(detail) {
    return detail.error ? h("p", { class: "error-box" }, detail.error) : null;
  }

  steps(detail) {
    const troubled = ["FAILED", "NEEDS_ATTENTION", "INTERRUPTED"].includes(detail.status);
    const open = detail.flags.find(([, done]) => !done)?.[0];
    const marks = detail.flags.map(([flag, done]) => {
      const here = flag === (detail.in_flight ?? (troubled ? open : null));
      const [tone, sign, word] = done ? ["good", "✓", "done"] : !here ? ["soft", "·", "open"] : troubled ? [STATUSES[detail.status].tone, "✕", STATUSES[detail.status].word] : ["live", "▸", "under way"];
      return h("li", { class: tone }, h("span", { "aria-hidden": "true" }, `${sign} `), flag, h("span", { class: "sr" }, `: ${word}`));
    });
    return h("section", { class: "card" }, h("h2", {}, "Steps"), marks.length ? h("ul", { class: "marks" }, marks) : h("p", { class: "soft" }, "It has not run yet."));
  }

  facts(detail) {
    const net = detail.network;
    const facts = [["requests", String(net.requests)], ["failed", String(net.failed)], ["received", bytes(net.bytes_received)], ["sent", bytes(net.bytes_sent)]];
    if (net.blocked) facts.push(["blocked", String(net.blocked)]);
    if (detail.pid) facts.push(["process", String(detail.pid)]);
    const types = Object.entries(net.by_type ?? {}).map(([type, total]) => `${type} ${bytes(total.bytes_received ?? 0)}`);
    return h("section", { class: "card" }, h("h2", {}, "Traffic, all runs"),
      h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      types.length ? h("p", { class: "legend" }, types.map((type) => h("span", {}, type))) : null);
  }

  runs(detail) {
    if (!detail.runs.length) return null;
    const now = this.model.now();
    const rows = detail.runs.slice().reverse().flatMap((run) => {
      const outcome = (run.outcome ?? (detail.status === "PROCESSING" ? "running" : "died")).replaceAll("_", " ");
      const head = h("tr", { class: "run" }, h("th", { scope: "rowgroup", colspan: 4 }, `${when(run.started_at, now)} · ${outcome} · ${span(run.heard_at - run.started_at)}`, run.message ? h("p", { class: "bad" }, run.message) : null));
      return [head, ...run.steps.map((step) => this.step(step, now))];
    });
    return h("section", { class: "card" }, h("h2", {}, "Runs"), h("div", { class: "scroll" }, h("table", { class: "plain runs" }, h("tbody", {}, rows))));
  }

  step(step, now) {
    const took = (step.ended_at ?? now) - step.started_at;
    const words = step.is_failed ? "failed" : (step.outcome ?? (step.ended_at ? "no" : "under way")).replaceAll("_", " ");
    const tone = step.is_failed ? "bad" : step.outcome === "done" || step.outcome === "verified" ? "good" : "soft";
    const name = `${step.flag}${step.mode === "verify" ? ", asking the site" : ""}${step.attempt > 1 ? `, attempt ${step.attempt}` : ""}`;
    const base = `/artifacts/${this.id}/${encodeURIComponent(step.evidence ?? "")}`;
    const links = step.evidence ? [h("a", { href: `${base}/index.html`, target: "_blank", rel: "noopener" }, "evidence"), h("a", { href: `${base}/trace.zip`, download: "" }, "trace")] : [];
    return h("tr", {},
      h("td", {}, h("code", {}, name), step.message ? h("div", { class: "bad" }, step.message) : null, links.length ? h("div", { class: "links" }, links) : null),
      h("td", { class: tone }, words),
      h("td", { class: "n" }, span(took)),
      h("td", { class: "n" }, step.requests ? `${step.requests} requests, ${bytes(step.bytes)}` : ""));
  }
}

// Keeps a reader at the end where the reader is there.
function tail(box, text) {
  if (box.textContent === text) return;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
  box.textContent = text;
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function line(event) {
  const { at, type, v, seq, run_id: run, profile_id: profile, network, ...rest } = event;
  const words = Object.entries(rest).filter(([, value]) => value !== null).map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : value}`);
  return `${when(Date.parse(at))} ${type} ${words.join(" ")}`;
}

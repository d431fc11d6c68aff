// Ties the parts together. Draws at most one part of the page a frame, so no part holds up a scroll.

import { $, bytes, h, patch } from "./dom.js";
import { Model, STATUSES, follow, token } from "./model.js";
import { causes, funnel, lanes, plot } from "./plots.js";
import { Profile } from "./profile.js";
import { Table } from "./table.js";

const model = new Model();
token();
const profile = new Profile(model);
const open = (id) => profile.open(id);
const table = new Table(model, open);

function search(text) {
  $("search").value = text;
  table.filter = { text, status: "", step: "" };
  $("by-status").value = "";
  $("by-step").value = "";
  table.update();
  tiles();
  $("profiles").scrollIntoView({ block: "start" });
}

function byStatus(status) {
  table.filter.status = table.filter.status === status ? "" : status;
  $("by-status").value = table.filter.status;
  table.update();
  tiles();
}

function tiles() {
  const overview = model.counted.overview;
  const made = Object.entries(STATUSES)
    .filter(([status]) => overview.by_status[status] || ["PROCESSING", "COMPLETED", "FAILED"].includes(status))
    .map(([status, { word, tone }]) => h("li", {}, h("button", { type: "button", "data-status": status, "aria-pressed": String(table.filter.status === status), onclick: () => byStatus(status) },
      h("b", { class: overview.by_status[status] ? tone : "soft" }, overview.by_status[status].toLocaleString()), h("span", {}, word))));
  const fact = (number, word, unit) => h("li", {}, h("div", {}, h("b", {}, number, unit ? h("small", {}, ` ${unit}`) : null), h("span", {}, word)));
  const [received, unit] = bytes(overview.network.bytes_received).split(" ");
  made.push(fact(overview.steps_done.toLocaleString(), `of ${overview.steps_total.toLocaleString()} steps`), fact(received, "received", unit));
  if (overview.retries) made.push(fact(overview.retries.toLocaleString(), "runs again"));
  patch($("tiles"), made);
}

function choices() {
  const put = (select, options, first) => {
    const key = options.map(([value]) => value).join("\n");
    if (select.dataset.key === key) return;
    select.dataset.key = key;
    const kept = select.value;
    select.replaceChildren(h("option", { value: "" }, first), ...options.map(([value, word]) => h("option", { value }, word)));
    select.value = kept;
  };
  put($("by-status"), Object.entries(STATUSES).map(([status, { word }]) => [status, word]), "every status");
  put($("by-step"), model.counted.overview.steps.map((step) => [step.flag, step.flag]), "every step");
}

function head() {
  const { overview } = model.counted;
  const running = overview.by_status.PROCESSING;
  $("name").textContent = model.name;
  document.title = `${running ? `${running} running · ` : ""}${model.name} · Regatta`;
  const { waiting, is_stopping: stopping } = model.fleet;
  $("waiting").hidden = !waiting && !stopping;
  $("waiting").textContent = stopping ? "The fleet is stopping: runs end after their step." : `Launches wait: ${waiting}`;
  const say = $("state");
  if (!say.classList.contains("off")) {
    say.className = `state ${running ? "busy" : "on"}`;
    say.textContent = running ? `${running} running` : model.fleet.is_running ? "the fleet waits" : "nothing runs";
  }
}

const PARTS = [
  () => { head(); tiles(); choices(); funnel(model.counted); },
  () => table.update(),
  () => { plot(model.counted); causes(model.counted, search); },
  () => lanes(model.counted, model.now(), open),
];
// Those that are not as the model is.
const due = new Set();
function draw() {
  if (model.counted && !document.hidden) {
    const [part] = due;
    due.delete(part);
    part();
  } else {
    due.clear();
  }
  if (due.size) requestAnimationFrame(draw);
}

function soon() {
  if (!due.size) requestAnimationFrame(draw);
  // What waits already keeps its place, so that each has its turn however fast changes come.
  for (const part of PARTS) due.add(part);
}

follow(model, (ids) => {
  soon();
  if (profile.id && ids?.includes(profile.id)) profile.read();
}, (state) => {
  const say = $("state");
  say.classList.toggle("off", state === "off");
  if (state === "off") say.textContent = "not connected, trying again …";
});

new ResizeObserver(soon).observe($("plot"));

// What runs goes on between two events.
setInterval(() => { if (!document.hidden && model.counted?.overview.by_status.PROCESSING) { lanes(model.counted, model.now(), open); table.draw(); } }, 1000);
document.addEventListener("visibilitychange", soon);

let typing;
$("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => { table.filter.text = event.target.value; table.update(); }, 80);
});
$("by-status").addEventListener("change", (event) => { table.filter.status = event.target.value; table.update(); tiles(); });
$("by-step").addEventListener("change", (event) => { table.filter.step = event.target.value; table.update(); });

function theme(next) {
  if (next) localStorage.setItem("theme", next);
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
function turn() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  theme(dark ? "light" : "dark");
}
theme();
$("theme").addEventListener("click", turn);

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") { $("search").focus(); event.preventDefault(); }
  else if (event.key === "t") turn();
  else if (["ArrowDown", "ArrowUp", "j", "k"].includes(event.key) && event.target === document.body) { $("table").focus(); table.key(event); }
});

const fromAddress = () => {
  const id = location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : null;
  if (id && id !== profile.id) open(id);
  else if (!id && profile.id) $("profile").close();
};
addEventListener("popstate", fromAddress);
addEventListener("hashchange", () => { token(); fromAddress(); });
fromAddress();

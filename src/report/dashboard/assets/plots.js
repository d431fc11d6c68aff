// Throughput, funnel, causes and lanes.

import { $, bytes, h, s, patch, span, when, width as widthOf } from "./dom.js";

const HEIGHT = 168;
const LEFT = 42;
const FOOT = 20;
const TOP = 8;

// Steps of an axis that reaches `most`, at most five: 1, 2 or 5 times a power of ten, and whole.
function marks(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most / 4)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step * 4 >= most);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

export function plot(counted) {
  const box = $("plot");
  const timeline = counted.timeline;
  $("plot-legend").hidden = !timeline;
  if (!timeline) {
    patch(box, [h("p", { class: "soft" }, "Nothing has run yet.")]);
    return;
  }
  const WIDTH = Math.max(240, box.clientWidth);
  const { buckets, bucket_seconds: seconds } = timeline;
  const counts = marks(Math.max(1, ...buckets.map((bucket) => bucket.steps + bucket.failed)));
  const most = counts.at(-1);
  const mostBytes = Math.max(1, ...buckets.map((bucket) => bucket.bytes));
  const inner = { width: WIDTH - LEFT, height: HEIGHT - FOOT - TOP };
  const step = inner.width / buckets.length;
  const y = (count) => TOP + inner.height * (1 - count / most);
  const from = Date.parse(timeline.from);
  const lines = counts.flatMap((mark) => [
    s("line", { class: "grid-line", x1: LEFT, x2: WIDTH, y1: y(mark), y2: y(mark) }),
    s("text", { x: LEFT - 7, y: y(mark) + 4, "text-anchor": "end" }, mark.toLocaleString()),
  ]);
  const bars = buckets.map((bucket, at) => {
    const x = LEFT + at * step + step * 0.08;
    const title = `${when(from + at * seconds * 1000)}: ${bucket.steps} steps done, ${bucket.failed} attempts failed, ${bytes(bucket.bytes)}`;
    const bar = (kind, low, high) => (high > low ? s("rect", { class: kind, x, width: step * 0.84, y: y(high), height: y(low) - y(high) }) : null);
    return s("g", {},
      s("title", {}, title),
      s("rect", { class: "reach", x: LEFT + at * step, width: step, y: TOP, height: inner.height }),
      bar("done", 0, bucket.steps),
      bar("failed", bucket.steps, bucket.steps + bucket.failed),
    );
  });
  const path = buckets.map((bucket, at) => `${at ? "L" : "M"}${LEFT + (at + 0.5) * step} ${TOP + inner.height * (1 - bucket.bytes / mostBytes)}`).join("");
  const until = Date.parse(timeline.to);
  const places = WIDTH > 520 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1];
  const times = places.map((share) => s("text", { x: LEFT + inner.width * share, y: HEIGHT - 4, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, when(from + (until - from) * share)));
  const done = buckets.reduce((sum, bucket) => sum + bucket.steps, 0);
  const failed = buckets.reduce((sum, bucket) => sum + bucket.failed, 0);
  patch(box, [s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${done} steps done and ${failed} attempts failed since ${when(from)}` },
    lines, bars, s("path", { class: "bytes", d: path }), times)]);
  $("plot-note").textContent = `a bar is ${widthOf(seconds * 1000)}, the line's top ${bytes(mostBytes)}`;
}

export function funnel(counted) {
  const all = Math.max(1, counted.overview.profiles);
  const bar = (kind, count) => {
    const part = h("i", { class: kind });
    part.style.width = `${(100 * count) / all}%`;
    return part;
  };
  const rows = counted.overview.steps.map((step) => {
    const words = `${step.reached} reached, ${step.done} done, ${step.running} in it, ${step.troubled} in trouble, ${step.failed_attempts} attempts failed`;
    return h("tr", {},
      h("th", { scope: "row" }, h("code", {}, step.flag)),
      h("td", { title: words }, h("div", { class: "track", role: "img", "aria-label": words },
        bar("reach", Math.max(step.reached, step.done)), bar("troubled", step.troubled ? step.done + step.troubled : 0), bar("done", step.done))),
      h("td", { class: "n" }, step.done.toLocaleString()),
      h("td", { class: "n" }, span(step.median_ms)),
      h("td", { class: "n" }, span(step.p95_ms)),
    );
  });
  patch($("funnel").tBodies[0], rows);
}

const CAUSES = 5;

export function causes(counted, search) {
  $("causes-card").hidden = counted.causes.length === 0;
  const items = counted.causes.slice(0, CAUSES).map((cause) => {
    const where = [cause.flag ?? "no step was to blame", cause.place].filter(Boolean).join(" · ");
    const stand = cause.troubled ? `${cause.troubled} profile${cause.troubled === 1 ? "" : "s"} stand${cause.troubled === 1 ? "s" : ""} here` : "every profile went on";
    const said = cause.attempts ? `${stand} · ${cause.attempts} failed attempt${cause.attempts === 1 ? "" : "s"}` : stand;
    const words = cause.message.slice(0, 60);
    return h("li", {}, h("button", { type: "button", title: "show these profiles", "data-search": words, onclick: () => search(words) },
      h("b", { class: cause.troubled ? "bad" : "soft" }, (cause.troubled || cause.attempts).toLocaleString()),
      h("span", {}, h("p", {}, cause.message), h("small", {}, `${where} · ${said}`)),
    ));
  });
  const more = counted.causes.length - CAUSES;
  if (more > 0) items.push(h("li", { class: "soft" }, `and ${more} more cause${more === 1 ? "" : "s"}; regatta report has all of them`));
  patch($("causes"), items);
}

const LANE = 15;
// The run that the Tab key reaches; the arrow keys go on from there.
let chosen = null;

export function lanes(counted, now, open) {
  const timeline = counted.timeline;
  $("lanes-card").hidden = !timeline;
  if (!timeline) return;
  const from = Date.parse(timeline.from);
  const living = timeline.lanes.some((lane) => lane.runs.some((run) => run.is_living));
  const latest = Math.max(Date.parse(timeline.to), living ? now : 0) - from || 1;
  // Earlier runs may be too many to be drawn: time begins with the first that is.
  const begin = Math.min(...timeline.lanes.map((lane) => lane.runs[0].start));
  // What runs grows into a space that is free, so that not everything moves every second.
  const rough = 2 ** Math.ceil(Math.log2(Math.max(1000, (latest - begin) / 32)));
  const end = living ? begin + Math.ceil((latest - begin) / rough) * rough : latest;
  const to = end - begin || 1;
  const width = Math.max(240, $("lanes").clientWidth);
  const height = timeline.lanes.length * LANE + 2;
  const x = (at) => Math.round((10 * width * Math.min(at - begin, to)) / to) / 10;
  const order = counted.overview.steps.map((step) => step.flag);
  const colour = (flag) => `step-${Math.max(0, order.indexOf(timeline.flags[flag])) % 6}`;
  const key = (run) => `${run.profile} ${run.start}`;
  const all = timeline.lanes.flatMap((lane) => lane.runs);
  if (!all.some((run) => key(run) === chosen)) chosen = key(all[0]);
  const drawn = timeline.lanes.flatMap((lane, place) => lane.runs.map((run) => {
    const top = place * LANE + 2;
    const until = run.is_living ? latest : run.end;
    const bar = (part, kind) => s("rect", { class: kind, x: x(part.start), y: top + 2, width: Math.max(1, x(part.end) - x(part.start)), height: LANE - 7, rx: 1.5 });
    const steps = run.steps.map((step) => bar({ start: step.start, end: run.is_living && step.end >= run.end ? latest : step.end }, step.is_failed ? "step-bad" : colour(step.flag)));
    const label = run.is_living
      ? `${run.profile}: running since ${when(from + run.start, now)}`
      : `${run.profile}: ${(run.outcome ?? "died").replaceAll("_", " ")}, ${span(Math.round(until - run.start))}`;
    return s("a", { href: `#/${run.profile}`, "aria-label": label, "data-run": key(run), "data-lane": place, tabindex: key(run) === chosen ? 0 : -1, onclick: (event) => { event.preventDefault(); open(run.profile); } },
      s("title", {}, label),
      s("rect", { class: `run${run.is_living || run.outcome === "completed" || run.outcome === "stopped" ? "" : " failed"}`, x: x(run.start), y: top, width: Math.max(2, x(until) - x(run.start)), height: LANE - 3, rx: 3 }),
      steps);
  }));
  patch($("lanes"), [s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "runs over time, a lane for each that ran beside another; arrow keys go from run to run" }, drawn)]);
  patch($("lanes-axis"), [0, 0.5, 1].map((share) => h("span", {}, when(from + begin + to * share, now))));
  const legend = (kind, word) => h("span", {}, h("i", { class: `key ${kind}` }), word);
  const notes = [legend("bad", "failed attempt"), h("span", {}, `${timeline.lanes.length} at once at most`)];
  if (timeline.undrawn) notes.push(h("span", {}, `${timeline.undrawn.toLocaleString()} earlier runs are not drawn`));
  patch($("lanes-legend"), [...timeline.flags.map((flag, at) => legend(colour(at), flag)), ...notes]);
}

$("lanes").addEventListener("keydown", (event) => {
  const runs = [...$("lanes").querySelectorAll("a")];
  const at = runs.indexOf(event.target);
  if (at < 0) return;
  const lane = Number(event.target.dataset.lane);
  const next = {
    ArrowRight: () => runs[at + 1],
    ArrowLeft: () => runs[at - 1],
    ArrowDown: () => runs.find((run) => Number(run.dataset.lane) === lane + 1),
    ArrowUp: () => runs.find((run) => Number(run.dataset.lane) === lane - 1),
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  chosen = next.dataset.run;
  event.target.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
});

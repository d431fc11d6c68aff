// Throughput, funnel, causes and lanes.

import { $, bytes, h, s, span, when } from "./dom.js";

const HEIGHT = 168;
const LEFT = 34;
const FOOT = 20;

export function plot(counted) {
  const box = $("plot");
  const timeline = counted.timeline;
  if (!timeline) {
    box.replaceChildren(h("p", { class: "soft" }, "Nothing has run yet."));
    $("plot-note").textContent = "";
    return;
  }
  const WIDTH = Math.max(240, box.clientWidth);
  const { buckets, bucket_seconds: seconds } = timeline;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.steps + bucket.failed));
  const mostBytes = Math.max(1, ...buckets.map((bucket) => bucket.bytes));
  const inner = { width: WIDTH - LEFT, height: HEIGHT - FOOT - 6 };
  const step = inner.width / buckets.length;
  const y = (count) => 6 + inner.height * (1 - count / most);
  const marks = [0, 0.5, 1].map((share) => Math.round(most * share)).filter((mark, at, all) => all.indexOf(mark) === at);
  const from = Date.parse(timeline.from);
  const lines = marks.flatMap((mark) => [
    s("line", { class: "grid-line", x1: LEFT, x2: WIDTH, y1: y(mark), y2: y(mark) }),
    s("text", { x: LEFT - 6, y: y(mark) + 4, "text-anchor": "end" }, String(mark)),
  ]);
  const bars = buckets.map((bucket, at) => {
    const x = LEFT + at * step + step * 0.08;
    const title = `${when(from + at * seconds * 1000)}: ${bucket.steps} steps done, ${bucket.failed} attempts failed, ${bytes(bucket.bytes)}`;
    return s("g", {},
      s("title", {}, title),
      s("rect", { class: "done", x, width: step * 0.84, y: y(bucket.steps), height: Math.max(0, y(0) - y(bucket.steps)) }),
      s("rect", { class: "failed", x, width: step * 0.84, y: y(bucket.steps + bucket.failed), height: Math.max(0, y(bucket.steps) - y(bucket.steps + bucket.failed)) }),
    );
  });
  const path = buckets.map((bucket, at) => `${at ? "L" : "M"}${LEFT + (at + 0.5) * step} ${6 + inner.height * (1 - bucket.bytes / mostBytes)}`).join("");
  const ends = [[LEFT, "start", from], [WIDTH, "end", Date.parse(timeline.to)]];
  const times = ends.map(([x, anchor, at]) => s("text", { x, y: HEIGHT - 5, "text-anchor": anchor }, when(at)));
  const done = buckets.reduce((sum, bucket) => sum + bucket.steps, 0);
  const failed = buckets.reduce((sum, bucket) => sum + bucket.failed, 0);
  box.replaceChildren(s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${done} steps done and ${failed} attempts failed since ${when(from)}` },
    lines, bars, s("path", { class: "bytes", d: path }), times));
  $("plot-note").textContent = `· a bar is ${span(seconds * 1000)} · most ${bytes(mostBytes)}`;
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
      h("td", { class: "n" }, String(step.done)),
      h("td", { class: "n" }, span(step.median_ms)),
      h("td", { class: "n" }, span(step.p95_ms)),
    );
  });
  $("funnel").tBodies[0].replaceChildren(...rows);
}

const CAUSES = 5;

export function causes(counted, search) {
  $("causes-card").hidden = counted.causes.length === 0;
  const items = counted.causes.slice(0, CAUSES).map((cause) => {
    const where = [cause.flag ?? "no step was to blame", cause.place].filter(Boolean).join(" · ");
    const stand = cause.troubled ? `${cause.troubled} profile${cause.troubled === 1 ? "" : "s"} stand${cause.troubled === 1 ? "s" : ""} here` : "every profile went on";
    const said = `${stand} · ${cause.attempts} failed attempt${cause.attempts === 1 ? "" : "s"}`;
    return h("li", {}, h("button", { type: "button", title: "show these profiles", onclick: () => search(cause.message.slice(0, 60)) },
      h("b", { class: cause.troubled ? "bad" : "soft" }, String(cause.troubled || cause.attempts)),
      h("span", {}, h("p", {}, cause.message), h("small", {}, `${where} · ${said}`)),
    ));
  });
  const more = counted.causes.length - CAUSES;
  if (more > 0) items.push(h("li", { class: "soft" }, `and ${more} more cause${more === 1 ? "" : "s"}; regatta report has all of them`));
  $("causes").replaceChildren(...items);
}

const LANE = 15;

export function lanes(counted, now, open) {
  const timeline = counted.timeline;
  $("lanes-card").hidden = !timeline;
  if (!timeline) return;
  const from = Date.parse(timeline.from);
  const living = timeline.lanes.some((lane) => lane.runs.some((run) => run.is_living));
  const end = Math.max(Date.parse(timeline.to), living ? now : 0) - from || 1;
  // Earlier runs may be too many to be drawn: time begins with the first that is.
  const begin = Math.min(...timeline.lanes.map((lane) => lane.runs[0].start));
  const to = end - begin || 1;
  const width = Math.max(240, $("lanes").clientWidth);
  const height = timeline.lanes.length * LANE + 18;
  const x = (at) => (width * Math.min(at - begin, to)) / to;
  const order = counted.overview.steps.map((step) => step.flag);
  const colour = (flag) => `step-${Math.max(0, order.indexOf(timeline.flags[flag])) % 6}`;
  const drawn = timeline.lanes.flatMap((lane, place) => lane.runs.map((run) => {
    const top = place * LANE + 2;
    const until = run.is_living ? end : run.end;
    const bar = (part, kind) => s("rect", { class: kind, x: x(part.start), y: top + 2, width: Math.max(1, x(part.end) - x(part.start)), height: LANE - 7, rx: 1.5 });
    const steps = run.steps.map((step) => bar({ start: step.start, end: run.is_living && step.end >= run.end ? end : step.end }, step.is_failed ? "step-bad" : colour(step.flag)));
    const outcome = run.is_living ? "running" : (run.outcome ?? "died").replace("_", " ");
    const label = `${run.profile}: ${outcome}, ${span(Math.round(until - run.start))}`;
    const link = s("a", { href: `#/${run.profile}`, "aria-label": label, onclick: (event) => { event.preventDefault(); open(run.profile); } },
      s("title", {}, label),
      s("rect", { class: `run${run.is_living || run.outcome === "completed" || run.outcome === "stopped" ? "" : " failed"}`, x: x(run.start), y: top, width: Math.max(2, x(until) - x(run.start)), height: LANE - 3, rx: 3 }),
      steps);
    return link;
  }));
  const times = [[0, "start", from + begin], [width, "end", from + end]].map(([at, anchor, ms]) => s("text", { x: at, y: height - 3, "text-anchor": anchor }, when(ms, now)));
  $("lanes").replaceChildren(s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "runs over time, a lane for each that ran beside another" }, drawn, times));
  const key = (kind, word) => h("span", {}, h("i", { class: `key ${kind}` }), word);
  const names = timeline.flags.map((flag, at) => key(colour(at), flag));
  const more = timeline.undrawn ? h("span", {}, `· ${timeline.undrawn} earlier runs are not drawn`) : null;
  $("lanes-legend").replaceChildren(...names, key("bad", "failed attempt"), ...(more ? [more] : []));
}

// Makes elements. All text from the server becomes text, never markup.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Puts what was made in the place of what is there, and touches only what differs: focus, selection and what
// the pointer is over stay. What a handler of an element depends on has to stand in one of its attributes, or
// the handler of another one may stay with it.
export function patch(box, children) {
  const old = [...box.childNodes];
  children.forEach((made, at) => {
    const there = old[at];
    if (!there) box.append(made);
    else if (alike(there, made)) patch(there, [...made.childNodes]);
    else {
      const focused = there.contains(document.activeElement);
      there.replaceWith(made);
      if (focused) (made.matches?.("a, button") ? made : made.querySelector?.("a, button"))?.focus({ preventScroll: true });
    }
  });
  for (const gone of old.slice(children.length)) gone.remove();
}

function alike(a, b) {
  if (a.nodeName !== b.nodeName || a.nodeType !== Node.ELEMENT_NODE) return a.isEqualNode(b);
  return a.attributes.length === b.attributes.length && [...a.attributes].every(({ name, value }) => b.getAttribute(name) === value);
}

let leaving;
export function toast(text) {
  const box = $("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(leaving);
  leaving = setTimeout(() => { box.hidden = true; }, 6000);
}

export function span(ms) {
  if (ms === null || ms === undefined) return "";
  const seconds = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${seconds}.${Math.floor((ms % 1000) / 100)} s`;
  if (ms < 3_600_000) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

// Of a length that is a choice and no measurement: 10 s, 5 min.
export const width = (ms) => span(ms).replace(/\.0 s$/, " s").replace(/ (?:00 s|00 min)$/, "");

export function bytes(count) {
  let value = count / 1024;
  if (count < 1024) return `${count} B`;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    if (value < 1023.95) return `${value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
export function when(ms, now = Date.now()) {
  if (!ms) return "";
  return now - ms < 20 * 3_600_000 ? clock.format(ms) : day.format(ms);
}

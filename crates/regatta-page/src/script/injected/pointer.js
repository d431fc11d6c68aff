// Where a click goes: the point, the element there, whether it is at rest, and where a press went.

// The element at a point, in every open shadow root and in the closed ones around `target`, which the
// accessibility tree may have led into.
const elementAt = (x, y, target) => {
  const around = new Map();
  for (let root = target[dom.getRootNode](); root[dom.host]; root = root[dom.host][dom.getRootNode]()) around.set(root[dom.host], root);
  const rootOf = el => el && (el[dom.shadowRoot] ?? around.get(el));
  let el = document[dom.elementFromPoint](x, y);
  for (let root = rootOf(el); root; root = rootOf(el)) {
    const inner = root[dom.elementFromPoint](x, y);
    if (!inner || inner[dom.getRootNode]() !== root) break;
    el = inner;
  }
  return el;
};

const isHit = (el, hit) => {
  const owner = el[dom.matches]('input, textarea, select') ? el : closest(el, 'button, [role=button], a, [role=link]') ?? el;
  for (let at = hit; at; at = parentOf(at)) {
    // A control inside a label is not the label.
    if (el[dom.localName] === 'label' && at !== el && at !== el[dom.control] && at[dom.matches]('a[href], button, input, select, textarea')) return false;
    if (at === el || at === owner || (at[dom.localName] === 'label' && at[dom.control] === el)) return true;
  }
  return false;
};

// The outermost element over the target: what a person would call the thing in the way.
const cover = (el, hit) => {
  const above = new Set();
  for (let at = el; at; at = parentOf(at)) above.add(at);
  let name = hit;
  for (let at = hit; at && !above.has(at); at = parentOf(at)) name = at;
  return name;
};

const coveredReason = (el, x, y) => {
  const hit = elementAt(x, y, el);
  if (hit && isHit(el, hit)) return null;
  const reason = message => ({ code: 'covered', message });
  if (closest(el, '[inert]')) return reason(`the ${noun(el)} is inert`);
  if (!hit) return reason(`the ${noun(el)} cannot be scrolled into view`);
  const through = getComputedStyle(el).pointerEvents === 'none';
  return reason(through ? `the ${noun(el)} lets clicks through to ${describe(hit)}` : `covered by ${describe(cover(el, hit))}`);
};

const clickPoint = (el, at) => {
  const box = boxOf(el);
  if (at) return [box.x + at.x, box.y + at.y];
  // Of a text that wraps, the middle of the box may lie outside all of its lines.
  const line = [...rangeOf(el)[dom.getClientRects]()].find(rect => rect.width > 0 && rect.height > 0) ?? box;
  return [line.x + line.width / 2, line.y + line.height / 2];
};

// From the frame's own origin, inside border and padding, to the corner of its box. A frame that is
// scaled scales what is in it.
const insideOf = (el, x, y) => {
  const box = el[dom.getBoundingClientRect](), style = getComputedStyle(el);
  const scaleX = el[dom.offsetWidth] ? box.width / el[dom.offsetWidth] : 1, scaleY = el[dom.offsetHeight] ? box.height / el[dom.offsetHeight] : 1;
  return { x: (el[dom.clientLeft] + parseFloat(style.paddingLeft) + x) * scaleX, y: (el[dom.clientTop] + parseFloat(style.paddingTop) + y) * scaleY };
};

// Whether the frame is drawn otherwise than moved and scaled.
const isTurned = el => {
  for (let at = el; at; at = parentOf(at)) {
    const style = getComputedStyle(at);
    if (style.rotate !== 'none' || style.scale.includes('-') || style.perspective !== 'none' || style.offsetPath !== 'none') return true;
    if (style.transform === 'none') continue;
    const matrix = new DOMMatrixReadOnly(style.transform);
    if (!matrix.is2D || matrix.b !== 0 || matrix.c !== 0 || matrix.a < 0 || matrix.d < 0) return true;
  }
  return false;
};

let scrolls = 0;
const bringIntoView = (el, at) => {
  const block = ['center', 'end', 'start', 'nearest'][scrolls++ % 4];
  boxed(el)[dom.scrollIntoView]({ block, inline: 'center', behavior: 'instant' });
  // The point of a large element may still be outside.
  for (let scroller = parentOf(el); scroller; scroller = parentOf(scroller)) {
    const isRoot = scroller === document[dom.scrollingElement];
    if (!isRoot && getComputedStyle(scroller).overflow === 'visible') continue;
    const [x, y] = clickPoint(el, at);
    const view = isRoot ? { left: 0, top: 0, right: innerWidth, bottom: innerHeight } : scroller[dom.getBoundingClientRect]();
    if (x < view.left || x >= view.right || y < view.top || y >= view.bottom) {
      scroller[dom.scrollBy]({ left: x - (view.left + view.right) / 2, top: y - (view.top + view.bottom) / 2, behavior: 'instant' });
    }
  }
};

// Input counts from the visual viewport, boxes from the layout viewport. Chromium itself takes the
// zoom of a phone's page into account.
const toInput = (x, y) => ({ x: x - (visualViewport?.offsetLeft ?? 0), y: y - (visualViewport?.offsetTop ?? 0) });

const HALF_A_FRAME = 8;

const isSame = (a, b) => ['x', 'y', 'width', 'height'].every(side => a[side] === b[side]);

// Whether the box is the same a frame later. Between frames Chromium shows animations as they will be at
// a frame to come, on a busy machine as they will be two or three frames later: where any runs, frames
// are drawn until its clock has gone on since the box was measured. There is no time limit here: a frame
// that a busy machine skips would make a moving element look still.
const rest = async (el, box) => {
  const animations = () => document[dom.getAnimations]().filter(animation => animation.timeline === document[dom.timeline]);
  const shown = document[dom.visibilityState] === 'visible';
  const draw = shown ? () => new Promise(requestAnimationFrame) : frame;
  const animated = animations().some(animation => animation.pending || animation.playState === 'running');
  let since = document[dom.timeline].currentTime;
  for (let frames = 1; ; frames++) {
    await draw();
    if (!isSame(box, boxOf(el))) return false;
    // The clock of a hidden page stands.
    if (!animated || !shown && frames > 1) return true;
    const now = document[dom.timeline].currentTime;
    // One that has not begun begins with the frame that it is drawn in.
    if (frames < 10 && animations().some(animation => animation.pending)) since = now;
    else if (now - since >= HALF_A_FRAME) return true;
  }
};

// Whether the pointer has come into this document since it was last sent on its way.
let moved = false;
const onMove = event => { moved ||= event.isTrusted; };
const watchMove = () => { moved = false; addEventListener('pointermove', onMove, { capture: true }); };
const hasMoved = () => { removeEventListener('pointermove', onMove, { capture: true }); return moved; };

// A press is watched from when its element was confirmed to when it is known where it went: what the page
// does in between may bring something else under the pointer. Such a press is kept from the page, with all
// that follows it, and the action is tried again.
let press = null;
const BEGINS = ['pointerdown', 'mousedown'];
const INPUTS = [...BEGINS, 'touchstart', 'touchend', 'pointerup', 'mouseup', 'click', 'auxclick', 'dblclick', 'contextmenu'];

// Places of mouse events are whole numbers, those of frames that are scaled are further apart.
const isAt = (event, x, y) => Math.abs(event.clientX - x) < 2 && Math.abs(event.clientY - y) < 2;

const onInput = event => {
  if (!event.isTrusted) return;
  const begins = BEGINS.includes(event.type);
  if (performance.now() > press.until && (begins || press.reached === undefined)) return stopWatching();
  if (begins && press.reached === undefined) {
    press.reached = press.reaches(event);
    press.resolve({ ok: press.reached });
  }
  if (press.reached !== false) return;
  event.preventDefault();
  event.stopImmediatePropagation();
};

let pressedAt = -Infinity;
for (const type of BEGINS) addEventListener(type, event => { if (event.isTrusted) pressedAt = performance.now(); }, { capture: true, passive: true });

// A later press is not taken for this one.
const PRESS_MS = 5000;

const watchPress = reaches => {
  press = { reaches, until: performance.now() + PRESS_MS };
  press.reply = new Promise(resolve => press.resolve = resolve);
  for (const type of INPUTS) addEventListener(type, onInput, { capture: true, passive: false });
};

const stopWatching = () => {
  press?.resolve({ ok: press.reached !== false });
  press = null;
  for (const type of INPUTS) removeEventListener(type, onInput, { capture: true });
};

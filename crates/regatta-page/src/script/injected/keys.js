// Text goes into the field that was checked, and nowhere else.

// Keys go to the tab, and the element that has the focus gets them. While keys are sent, every document of
// the tab is guarded: the one they are meant for lets them through as long as the element that was checked
// has the focus, and every other keeps them from its page. The listeners are added before any script of
// the page runs, so nothing in a guarded document sees what is kept, unless the browser was joined later.
let guard = null;
const STROKES = ['keydown', 'keypress', 'keyup', 'beforeinput'];
// An editor that cancels a paste takes it within this time and within so many frames, or has only forbidden it.
const PASTE_MS = 500, PASTE_FRAMES = 10, LATEST_PASTE_MS = 5000;

const active = () => {
  let el = document[dom.activeElement];
  while (el?.[dom.shadowRoot]?.[dom.activeElement]) el = el[dom.shadowRoot][dom.activeElement];
  return el;
};

// The origin of the document that a frame element was given; one without an address of its own has the page's.
const originOf = el => {
  const { origin } = new URL(el[dom.src] || location.href, document[dom.baseURI]);
  return origin === 'null' ? globalThis.origin : origin;
};

const isFrame = el => el?.[dom.localName] === 'iframe' || el?.[dom.localName] === 'frame';

// The root of the element knows, be it a closed one.
const hasFocus = el => el ? el[dom.getRootNode]()[dom.activeElement] === el : !active();

// Of editors in one another, the outermost has the focus.
const focusable = el => {
  while (el[dom.isContentEditable] && el[dom.parentElement]?.[dom.isContentEditable]) el = el[dom.parentElement];
  return el;
};

// A row of boxes that take one character each hands the focus on from one to the next. Some set no bound:
// those are as narrow as a character or two.
const isNextBox = (from, to) => {
  if (!to || to === from || from[dom.localName] !== 'input' || to[dom.localName] !== 'input') return false;
  if (to[dom.type] !== from[dom.type] || to[dom.maxLength] !== from[dom.maxLength] || to[dom.ownerDocument] !== from[dom.ownerDocument]) return false;
  if (from[dom.maxLength] === 1) return true;
  const a = from[dom.getBoundingClientRect](), b = to[dom.getBoundingClientRect]();
  const isNarrow = from[dom.clientWidth] <= 3 * parseFloat(getComputedStyle(from).fontSize);
  return isNarrow && [...from[dom.value]].length === 1 && a.top === b.top && a.width === b.width && a.height === b.height;
};

const isMeant = () => {
  if (hasFocus(guard.el)) return true;
  const now = active();
  if (!guard.field || !isNextBox(guard.el, now)) return false;
  guard.el = now;
  return true;
};

const keep = event => {
  event.preventDefault();
  event.stopImmediatePropagation();
};

// `sent` is `text`, a character at a time, or the `down` or `up` of one key.
const onStroke = event => {
  if (!guard || !event.isTrusted) return;
  if (performance.now() > guard.until) return void (guard = null);
  const { type } = event, isUp = type === 'keyup', isKey = isUp || type === 'keydown';
  // The text of a key belongs to the key; text that no key writes comes alone.
  const begins = guard.sent === 'up' ? isUp : type === 'keydown' || !isKey && !guard.down;
  if (type === 'keydown') guard.down = true;
  // The page may move the focus with a key, unless more text follows.
  const passes = guard.own && (begins || guard.sent === 'text' && !isUp ? isMeant() : !guard.kept);
  if (begins) guard.kept = !passes;
  if (!passes) {
    keep(event);
    if (begins || guard.own && !guard.kept) {
      if (guard.stray === null && isFrame(active())) guard.frame = originOf(active());
      guard.stray ??= active() ? describe(active()) : 'the document';
    }
    // It was counted when it began.
    if (!begins && guard.own && !guard.kept) guard.seen--;
    guard.kept = true;
  } else if (begins) {
    guard.seen++;
  }
  if (isUp) guard.down = false;
  if (isUp || !passes || guard.sent !== 'text' || !guard.down) guard.report();
};

const arm = (ms, sent, own, el, field) => {
  guard = { until: performance.now() + ms, sent, own, el, field, seen: 0, stray: null, frame: null, down: false, kept: false, report: () => {} };
  // A document that was opened anew has lost its listeners.
  for (const type of STROKES) addEventListener(type, onStroke, { capture: true });
};
for (const type of STROKES) addEventListener(type, onStroke, { capture: true });
// A document that begins while keys are sent learns it from its first script.
if (Object.hasOwn(globalThis, 'regattaGuardedUntil') && regattaGuardedUntil > Date.now()) arm(regattaGuardedUntil - Date.now(), 'text', false, null, false);

const unfocusable = { ok: false, reason: { code: 'unfit', message: 'the field does not take the focus' } };

// Gives the focus to the field that was found, with all that is in it selected: what is typed next
// replaces it.
const takeFocus = () => {
  const { el } = held, target = focusable(el);
  target[dom.focus]();
  if (!hasFocus(target)) return false;
  if (el[dom.isContentEditable]) {
    const range = document[dom.createRange]();
    range.selectNodeContents(el);
    const selection = el[dom.getRootNode]()[dom.getSelection]();
    selection.removeAllRanges();
    selection.addRange(range);
  } else {
    el[dom.select]();
  }
  return true;
};

// A list or picker of the browser that is open takes the keys: no document sees them.
const opensList = el => el?.[dom.localName] === 'select' || el?.[dom.localName] === 'input' && (!!el[dom.list] || sortOf(el) === 'native' && el[dom.type] !== 'range');

// A textarea too narrow for a character only takes the keys of an editor, which draws its text elsewhere.
const takesKeysOnly = el => el[dom.localName] === 'textarea' && el[dom.clientWidth] < parseFloat(getComputedStyle(el).fontSize);

const heldText = el => el[dom.isContentEditable] ? el[dom.textContent] : el[dom.value];

const typing = {
  // `room` is how many characters the field takes; 0 where it has no bound.
  edit: () => {
    if (!takeFocus()) return unfocusable;
    const { el } = held;
    if (el[dom.isContentEditable]) return { ok: true, empty: el[dom.textContent] === '', rich: true };
    if (takesKeysOnly(el)) return { ok: true, rich: true, keyed: true };
    return { ok: true, empty: el[dom.value] === '' && !el[dom.validity].badInput, room: Math.max(0, el[dom.maxLength] ?? 0) };
  },

  // Focus and text in one go: no other script runs in between, in this process or another. The text goes to
  // this document's own focus, wherever the tab's is. `unsupported` where the browser does not edit by command.
  insert: ({ text }) => {
    if (!takeFocus()) return unfocusable;
    const { el } = held;
    let notified = false;
    const onInsert = event => { notified ||= event.isTrusted; };
    addEventListener('input', onInsert, { capture: true });
    let done = false;
    try { done = text === '' ? document[dom.execCommand]('delete') : document[dom.execCommand]('insertText', false, text); } catch {}
    removeEventListener('input', onInsert, { capture: true });
    if (heldText(el) === text || notified) return { ok: true };
    return done || !hasFocus(focusable(el)) ? { ok: false, reason: { code: 'refused', message: 'the field did not take the text' } } : { ok: true, unsupported: true };
  },

  // Lines as a person pastes them: an editor that keeps a text of its own takes them whole, but treats an inserted
  // line break like its key. Some take them a moment later. Not ok where nothing took them: some pages only
  // forbid pasting.
  paste: async ({ text }) => {
    const { el } = held, before = heldText(el);
    let isDrawn = false;
    const observer = new MutationObserver(() => { isDrawn = true; });
    if (takesKeysOnly(el)) observer.observe(el[dom.getRootNode](), { subtree: true, childList: true, characterData: true });
    if (!hasFocus(focusable(el))) return { ok: false };
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    const pasted = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true, composed: true });
    const isHandled = !active()[dom.dispatchEvent](pasted);
    const took = () => ({ ok: heldText(el) !== before || isHandled && isDrawn });
    let taken = await until({ ms: isHandled ? PASTE_MS : 100 }, took);
    // A page that draws late takes them late. Were they typed as well, they would stand there twice.
    const end = performance.now() + LATEST_PASTE_MS;
    for (let drawn = 0; isHandled && !taken.ok && drawn < PASTE_FRAMES && performance.now() < end; taken = took()) {
      drawn += await frame();
    }
    observer.disconnect();
    return taken;
  },

  // Guards this document for `ms`. With `field`, keys are meant for the field that was found; with `focus`,
  // for what has the focus, if that is in this document and not in a frame of it. Not ok where none are.
  guard: ({ ms, sent, field, focus }) => {
    if (field && !takeFocus()) return unfocusable;
    const own = !!field || !!focus && (self === top || document[dom.hasFocus]()) && !isFrame(active());
    arm(ms, sent, own, field ? focusable(held.el) : active(), !!field);
    return { ok: own, origin: globalThis.origin, opens_list: own && opensList(active()) };
  },

  unguard: () => { guard = null; return {}; },

  // Called before stroke number `n` is sent; its first event resolves it.
  stroke: ({ n }) => new Promise(done => {
    if (!guard) return done({ ok: false });
    const report = () => {
      if (guard?.seen >= n) done({ ok: true });
      else if (guard?.stray) done({ ok: false });
    };
    guard.report = report;
    report();
  }),

  // The stroke that was kept from this document since the last call, and how many strokes went through.
  kept: () => {
    const { stray, seen, frame } = guard ?? {};
    if (guard) guard.stray = guard.frame = null;
    return { stray: stray ?? null, frame: frame ?? null, seen: seen ?? 0, focused: document[dom.hasFocus]() && !isFrame(active()), origin: globalThis.origin };
  },

  // The field that has room for one character is full, and the next character is for the box after it.
  next: query => until(query, () => ({ ok: !guard?.el || guard.el[dom.value] === '' || isNextBox(guard.el, active()) })),

  // A page may bring the focus elsewhere once or twice: it comes late to the field that it begins with.
  refocus: () => {
    const el = guard?.el;
    if (!el?.[dom.isConnected] || !(dom.selectionStart in el) || isFrame(active())) return { ok: false };
    el[dom.focus]();
    guard.stray = null;
    return { ok: hasFocus(el) };
  },

  // Whether the field holds what was typed. A page may write it in its own form, and hand the focus on.
  typed: ({ text }) => {
    const { el } = held;
    if (!el[dom.isConnected]) return { ok: true };
    const holds = heldText(el);
    // No page formats a password; one that has sent it may have cleared the field.
    if (el[dom.type] !== 'password' || holds === text || holds === '' || el[dom.maxLength] === 1) return { ok: true };
    return { ok: false, reason: { code: 'refused', message: 'the field holds something else than what was typed' } };
  },
};

// The methods that are called from outside. Rust has the same list, with the reply of each: `script/methods.rs`.
//
// A method that needs an element that an earlier call found replies `{ lost: true }` where its document was
// replaced since.

/**
 * @typedef {{ code: string, message: string, alternative?: number, candidates?: string[], shows?: string, hint?: string, final?: boolean }} Reason
 * @typedef {{ x: number, y: number, width: number, height: number, checked: boolean, origin: string }} Point
 * @typedef {{ ok: boolean, reason?: Reason }} Checked
 * @typedef {{ ok: boolean, again?: boolean, reason?: Reason, alternative?: number, cheaper?: number, sort?: string, url?: string, element?: object } & Partial<Point>} Found
 *
 * @typedef {object} Replies
 * @property {Found} find
 * @property {Checked & { again?: boolean } & Partial<Point>} revalidate
 * @property {Found & { value?: string }} read
 * @property {Checked & { again?: boolean, found?: number }} wait
 * @property {{ found: number }} count
 * @property {{}} stash
 * @property {{ ok: boolean }} parsed
 * @property {{ ok: boolean, value?: string }} title
 * @property {{}} changed
 * @property {{ ok: boolean, again: boolean }} scroll
 * @property {Checked & { moved?: boolean }} confirm
 * @property {{ ok: boolean }} reached
 * @property {{ ok: boolean, seen: boolean }} seen
 * @property {{ ok: boolean }} pressed
 * @property {{}} unwatch
 * @property {Checked & { moved?: boolean }} frameConfirm
 * @property {Checked & { x?: number, y?: number, width?: number, height?: number, turned?: boolean }} framePoint
 * @property {Checked & { empty?: boolean, rich?: boolean, keyed?: boolean, room?: number }} edit
 * @property {Checked & { unsupported?: boolean }} insert
 * @property {{ ok: boolean }} paste
 * @property {Checked} typed
 * @property {Checked} set
 * @property {Checked} checked
 * @property {Checked & { origin?: string, opens_list?: boolean }} guard
 * @property {{}} unguard
 * @property {{ ok: boolean }} stroke
 * @property {{ stray: ?string, frame: ?string, seen: number, focused: boolean, origin: string }} kept
 * @property {{}} next
 * @property {{ ok: boolean }} refocus
 * @property {{}} rest
 * @property {{}} tasks
 * @property {{}} frames
 * @property {{ elements: object[], own?: number }} likes
 * @property {{ selectors: string[][] }} means
 * @property {{ ok: boolean }} agrees
 * @property {{ selectors: string[][], errors: string[] }} near
 * @property {{ value?: string }} instead
 * @property {{ value: string }} html
 * @property {?HTMLInputElement} input
 * @property {Element[]} roots
 */

const METHODS = ['find', 'revalidate', 'read', 'wait', 'count', 'stash', 'parsed', 'title', 'changed', 'scroll', 'confirm', 'reached',
  'seen', 'pressed', 'unwatch', 'frameConfirm', 'framePoint', 'edit', 'insert', 'paste', 'typed', 'set', 'checked', 'guard', 'unguard',
  'stroke', 'kept', 'next', 'refocus', 'rest', 'tasks', 'frames', 'likes', 'means', 'agrees', 'near', 'instead', 'html', 'input', 'roots'];

const methods = {
  find: query => { stopWatching(); scrolls = 0; return until(query, () => resolve(query)); },

  // Checks the element that was found, while it is connected: its text and classes may change under the pointer.
  revalidate: query => until(query, () => held.el[dom.isConnected] ? confirmMatch(held.el, 0, query) : { ok: true, again: true }),

  // Whether everything is still where it was, a frame later. As a rule the mouse's move has taken that frame: on
  // a busy machine its answer may come before.
  confirm: async ({ tasks, watch }) => {
    const { el, needs, box, x, y, rests } = held;
    // The move itself may have set it off.
    const rested = await rests;
    if (tasks) await tasksDone();
    const stable = rested && isSame(box, boxOf(el));
    if (!el[dom.isConnected]) return { ok: false, reason: { code: 'missing', message: 'the element was removed', shows: shows() } };
    if (!stable) return { ok: false, reason: { code: 'moving', message: `the ${noun(el)} keeps moving`, shows: shows() } };
    const reason = (needs.enabled && isDisabled(controlOf(el)) && { code: 'disabled', message: `the ${noun(controlOf(el))} is disabled` }) || coveredReason(el, x, y);
    if (reason) return { ok: false, reason: { ...reason, shows: shows() } };
    if (watch) watchPress(event => isAt(event, x, y) && el[dom.isConnected] && !coveredReason(el, x, y));
    return { ok: true, moved: hasMoved() };
  },

  // Called before the press is sent; its first event resolves it. A press without one went to another document.
  reached: () => press ? press.reply : { ok: true },

  // Called after the press was answered.
  seen: () => ({ ok: press?.reached !== false, seen: !(press && press.reached === undefined) }),

  // Whether any press has come here in the last `ms`, wherever it was meant to go.
  pressed: ({ ms }) => ({ ok: pressedAt >= performance.now() - ms }),

  unwatch: () => { stopWatching(); return {}; },

  ...typing,

  set: ({ value, further, adds }) => {
    const { el } = held;
    el[dom.focus]();
    if (el[dom.localName] === 'select') {
      const options = [value, ...further].map(value => optionFor(el, value));
      if (!options.every(option => option && !option[dom.matches](':disabled'))) return { ok: false, reason: { code: 'option', message: 'the list has no such option any more' } };
      for (const other of adds && el[dom.multiple] ? [] : el[dom.options]) if (!options.includes(other) && other[dom.selected]) setNatively(other, 'selected', false);
      for (const option of options) setNatively(option, 'selected', true);
    } else {
      setNatively(el, 'value', value);
    }
    notify(el);
    return { ok: true };
  },

  checked: async ({ wanted, ms }) => until({ ms }, () => {
    const { el } = held;
    if (!el[dom.isConnected] || isChecked(controlOf(el)) === wanted) return { ok: true };
    return { ok: false, reason: { code: 'unfit', message: `the ${noun(controlOf(el))} did not change its state` } };
  }),

  // Not ok where the page ends before the place: more may be on its way. It scrolls again
  // each time there is more, for `ms` from the first scroll: scroll events and observers run in
  // frames, and a page that draws none for `undrawn` is not waited for.
  scroll: async ({ x, y, page, ms, undrawn }) => {
    const root = document[dom.scrollingElement] ?? document[dom.documentElement];
    const el = page || held.el === document[dom.body] ? root : held.el;
    const to = { behavior: 'instant' };
    if (x !== null) to.left = x;
    if (y !== null) to.top = y;
    const size = () => el[dom.scrollHeight] + el[dom.scrollWidth], before = size();
    const isShort = () => (y ?? 0) > el[dom.scrollHeight] - el[dom.clientHeight] + 1 || (x ?? 0) > el[dom.scrollWidth] - el[dom.clientWidth] + 1;
    const hopeless = performance.now() + undrawn;
    for (let end = null;;) {
      el[dom.scrollTo](to);
      for (let drawn = 0; drawn < 2;) {
        if (await frame() || !isShort() || performance.now() >= hopeless) drawn++;
      }
      end ??= performance.now() + ms;
      if (!isShort() || performance.now() >= end) return { ok: !isShort(), again: size() !== before };
      await changed(end);
    }
  },

  // With `visible: false` until the condition does not hold of what is visible.
  wait: query => until(query, () => {
    const { operator, count, visible, properties, attributes } = query;
    let valid = 0;
    const found = query.alternatives.map(alternative => {
      try {
        const all = matches(alternative);
        valid++;
        return all.filter(el => isVisible(el)
          && Object.entries(attributes).every(([name, value]) => el[dom.getAttribute](name) === value)
          && Object.entries(properties).every(([name, value]) => subset(value, propertyOf(el, name)))).length;
      } catch { return null; }
    });
    if (!valid) return { ok: false, reason: { code: 'invalid', message: 'not a valid selector', alternative: query.alternatives[0].index, final: true } };
    const known = found.filter(n => n !== null);
    // That something is gone has to hold by every selector: one that is out of date finds nothing either.
    const absence = operator === '<=' || count === 0 && operator === '==';
    const met = absence ? known.every(n => holds(operator, n, count)) : known.some(n => holds(operator, n, count));
    if (met === visible) return { ok: true };
    return { ok: false, found: Math.max(...known), reason: { code: met ? 'present' : 'missing', message: '', shows: shows() } };
  }),

  count: query => {
    const some = query.alternatives.some(alternative => {
      try { return matches(alternative).some(isVisible); } catch { return false; }
    });
    return { found: some ? 1 : 0 };
  },

  read: query => until(query, () => {
    const matched = resolve(query);
    if (!matched.ok) return matched;
    const { el } = held;
    const value = query.from === 'attribute' ? el[dom.getAttribute](query.attribute)
      : query.from === 'value' ? propertyOf(el, 'value') : el[dom.innerText] ?? el[dom.textContent];
    const trimmed = typeof value === 'string' ? value.trim() : '';
    if (trimmed === '') return { ok: false, reason: { code: 'empty', message: `the ${query.from} of ${describe(el)} is empty`, shows: shows() } };
    if (trimmed === query.not) return { ok: false, reason: { code: 'empty', message: `the ${query.from} of ${describe(el)} does not match the pattern`, shows: shows() } };
    return { ...matched, value: trimmed };
  }),

  title: query => {
    const literal = part => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&');
    const pattern = new RegExp(`^${query.title.split('*').map(literal).join('[^]*')}$`);
    return until(query, () => pattern.test(document[dom.title]) ? { ok: true } : { ok: false, value: document[dom.title] });
  },

  // Whether the document is parsed to its end.
  parsed: query => until(query, () => ({ ok: document[dom.readyState] !== 'loading' })),

  // Waits for the next change of the page, for conditions that are evaluated in another world.
  changed: async ({ ms }) => { await changed(performance.now() + ms); return {}; },
  // Waits until the page's timers of this time have run.
  rest: async ({ ms }) => { await pause(ms); await tasksDone(); return {}; },
  tasks: async () => { await tasksDone(); return {}; },
  frames: async () => { await frame(); await frame(); return {}; },

  // ---- a frame that a step is played in, seen from the document around it

  // A point inside the frame becomes one outside. The frame has to be as an element that is clicked.
  // `point` is where the browser says that it is, which is asked where the frame is turned.
  framePoint: ({ x, y, point }, el) => {
    if (!isVisible(el)) return { ok: false, reason: { code: 'invisible', message: `the frame ${describe(el)} is not visible`, shows: shows() } };
    const size = { width: innerWidth, height: innerHeight }, corner = el[dom.getBoundingClientRect]();
    if (!point && isTurned(el)) return { ok: false, turned: true, ...size };
    const at = point ? { x: point.x - corner.x, y: point.y - corner.y } : insideOf(el, x, y);
    let [px, py] = clickPoint(el, at);
    let reason = coveredReason(el, px, py);
    if (reason) {
      bringIntoView(el, at);
      [px, py] = clickPoint(el, at);
      reason = coveredReason(el, px, py);
    }
    if (reason) return { ok: false, reason: { ...reason, shows: shows() } };
    const box = el[dom.getBoundingClientRect]();
    passage = { el, box, x: px, y: py, rests: rest(el, box) };
    stopWatching();
    watchMove();
    return { ok: true, ...toInput(px, py), ...size };
  },

  // The document around a frame does not see a press inside it: a press that it sees has not gone in.
  frameConfirm: async ({ watch }) => {
    const { el, box, x, y, rests } = passage;
    const still = await rests && el[dom.isConnected] && isSame(box, el[dom.getBoundingClientRect]());
    const reason = still ? coveredReason(el, x, y) : { code: 'moving', message: `the frame ${describe(el)} keeps moving` };
    if (reason) return { ok: false, reason: { ...reason, shows: shows() } };
    if (watch) watchPress(() => false);
    return { ok: true, moved: hasMoved() };
  },

  // The file input that was found.
  input: () => held && controlOf(held.el),

  // ---- the accessibility tree is queried from outside, with these

  roots: (query, ...from) => follow(query.chain, from.length ? from : [document]),
  stash: (query, ...found) => {
    stashed.set(query.index, query.chain.length ? follow(query.chain, found) : found);
    return {};
  },

  ...likeness,
  ...near,

  // ---- evidence

  html: () => {
    byPierce(document, 'x');
    const open = [...roots].filter(root => root[dom.host][dom.isConnected]);
    return { value: `<!doctype html>\n<!-- ${location.href.replaceAll('--', '- -')} -->\n` +
      (document[dom.documentElement][dom.getHTML] ? `<html>${document[dom.documentElement][dom.getHTML]({ shadowRoots: open })}</html>` : document[dom.documentElement][dom.outerHTML]) };
  },
};

// Methods about an element that was found: its document may have been replaced by this one since.
const OF_FOUND = new Set(['confirm', 'revalidate', 'edit', 'paste', 'insert', 'typed', 'set', 'checked']);
const isLost = (method, query) => OF_FOUND.has(method) || method === 'scroll' && !query.page ? !held : method === 'frameConfirm' && !passage || method === 'guard' && query.field && !held;

const unlisted = [...METHODS.filter(name => !methods[name]), ...Object.keys(methods).filter(name => !METHODS.includes(name))];
if (unlisted.length) throw new Error(`methods and METHODS differ: ${unlisted.join(', ')}`);

globalThis.regatta = { version: VERSION,
  call: (method, query, ...nodes) => isLost(method, query) ? { lost: true } : methods[method](query, ...nodes) };

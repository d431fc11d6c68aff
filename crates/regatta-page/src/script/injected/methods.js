// What is asked from outside, each by one call.

const methods = {
  find: query => { stopWatching(); scrolls = 0; return until(query, () => resolve(query)); },

  // The element that was found, as long as it is there: what its selectors say may change under the pointer.
  keep: query => until(query, () => held.el[dom.isConnected] ? settleOn(held.el, 0, query) : { ok: true, again: true }),

  // Is everything still where it was, a frame later? The mouse's move has taken that frame, as a rule:
  // on a busy machine its answer may come before.
  confirm: async ({ stirred, watch }) => {
    const { el, needs, box, x, y, rests } = held;
    // The move itself may have set it off.
    const rested = await rests;
    if (stirred) await tasksDone();
    const stable = rested && isSame(box, boxOf(el));
    if (!el[dom.isConnected]) return { ok: false, why: { code: 'missing', message: 'the element was removed', shows: shows() } };
    if (!stable) return { ok: false, why: { code: 'moving', message: `the ${noun(el)} keeps moving`, shows: shows() } };
    const why = (needs.enabled && isDisabled(controlOf(el)) && { code: 'disabled', message: `the ${noun(controlOf(el))} is disabled` }) || coveredWhy(el, x, y);
    if (why) return { ok: false, why: { ...why, shows: shows() } };
    if (watch) watchPress(event => isAt(event, x, y) && el[dom.isConnected] && !coveredWhy(el, x, y));
    return { ok: true, moved: hasMoved() };
  },

  // Asked before the press is sent, told by its first event. Where none is seen it went to another document.
  reached: () => press ? press.told : { ok: true },

  // Asked after the press was answered.
  seen: () => ({ ok: press?.reached !== false, found: press && press.reached === undefined ? 0 : 1 }),

  // Whether any press has come here in the last `ms`, wherever it was meant to go.
  pressed: ({ ms }) => ({ ok: pressedAt >= performance.now() - ms }),

  unwatch: () => { stopWatching(); return { ok: true }; },

  ...typing,

  set: ({ value, further, adds }) => {
    const { el } = held;
    el[dom.focus]();
    if (el[dom.localName] === 'select') {
      const options = [value, ...further].map(value => optionFor(el, value));
      if (!options.every(option => option && !option[dom.matches](':disabled'))) return { ok: false, why: { code: 'option', message: 'the list has no such option any more' } };
      for (const other of adds && el[dom.multiple] ? [] : el[dom.options]) if (!options.includes(other) && other[dom.selected]) setNatively(other, 'selected', false);
      for (const option of options) setNatively(option, 'selected', true);
    } else {
      setNatively(el, 'value', value);
    }
    tell(el);
    return { ok: true };
  },

  checked: async ({ wanted, ms }) => until({ ms }, () => {
    const { el } = held;
    if (!el[dom.isConnected] || isChecked(controlOf(el)) === wanted) return { ok: true };
    return { ok: false, why: { code: 'unfit', message: `the ${noun(controlOf(el))} did not change its state` } };
  }),

  // Not ok where it ends before the place that is meant: more may be on its way. It is gone to again
  // each time there is more, for `ms` from when the page was told: scroll events and observers run in
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
    if (!valid) return { ok: false, why: { code: 'invalid', message: 'not a valid selector', alternative: query.alternatives[0].index, final: true } };
    const known = found.filter(n => n !== null);
    // That something is gone has to hold by every selector: one that is out of date finds nothing either.
    const absence = operator === '<=' || count === 0 && operator === '==';
    const met = absence ? known.every(n => holds(operator, n, count)) : known.some(n => holds(operator, n, count));
    if (met === visible) return { ok: true };
    return { ok: false, found: Math.max(...known), why: { code: met ? 'present' : 'missing', message: '', shows: shows() } };
  }),

  count: query => {
    const some = query.alternatives.some(alternative => {
      try { return matches(alternative).some(isVisible); } catch { return false; }
    });
    return { ok: true, found: some ? 1 : 0 };
  },

  read: query => until(query, () => {
    const settled = resolve(query);
    if (!settled.ok) return settled;
    const { el } = held;
    const value = query.from === 'attribute' ? el[dom.getAttribute](query.attribute)
      : query.from === 'value' ? propertyOf(el, 'value') : el[dom.innerText] ?? el[dom.textContent];
    const trimmed = typeof value === 'string' ? value.trim() : '';
    if (trimmed === '') return { ok: false, why: { code: 'empty', message: `the ${query.from} of ${describe(el)} is empty`, shows: shows() } };
    if (trimmed === query.not) return { ok: false, why: { code: 'empty', message: `the ${query.from} of ${describe(el)} does not match the pattern`, shows: shows() } };
    return { ...settled, value: trimmed };
  }),

  title: query => {
    const literal = part => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&');
    const pattern = new RegExp(`^${query.title.split('*').map(literal).join('[^]*')}$`);
    return until(query, () => pattern.test(document[dom.title]) ? { ok: true } : { ok: false, value: document[dom.title] });
  },

  // The document is there to its end.
  parsed: query => until(query, () => ({ ok: document[dom.readyState] !== 'loading' })),

  // The next change of the page; for conditions that are not asked in this world.
  changed: async ({ ms }) => { await changed(performance.now() + ms); return { ok: true }; },
  // Timers of the page that were to run by then have run.
  rest: async ({ ms }) => { await pause(ms); await tasksDone(); return { ok: true }; },
  tasks: async () => { await tasksDone(); return { ok: true }; },
  frames: async () => { await frame(); await frame(); return { ok: true }; },
  shows: () => ({ ok: true, value: shows() }),

  // ---- a frame that a step is played in, seen from the document around it

  // A point inside the frame becomes one outside. The frame has to be as an element that is clicked.
  // `point` is where the browser says that it is, which is asked where the frame is turned.
  through: ({ x, y, point }, el) => {
    if (!isVisible(el)) return { ok: false, why: { code: 'invisible', message: `the frame ${describe(el)} is not visible`, shows: shows() } };
    const size = { width: innerWidth, height: innerHeight }, corner = el[dom.getBoundingClientRect]();
    if (!point && isTurned(el)) return { ok: false, turned: true, ...size };
    const at = point ? { x: point.x - corner.x, y: point.y - corner.y } : insideOf(el, x, y);
    let [px, py] = clickPoint(el, at);
    let why = coveredWhy(el, px, py);
    if (why) {
      bringIntoView(el, at);
      [px, py] = clickPoint(el, at);
      why = coveredWhy(el, px, py);
    }
    if (why) return { ok: false, why: { ...why, shows: shows() } };
    const box = el[dom.getBoundingClientRect]();
    passage = { el, box, x: px, y: py, rests: rest(el, box) };
    stopWatching();
    watchMove();
    return { ok: true, ...toInput(px, py), ...size };
  },

  // What is pressed inside the frame is nothing to the document around it: a press that is seen there
  // has not gone in.
  passed: async ({ watch }) => {
    const { el, box, x, y, rests } = passage;
    const still = await rests && el[dom.isConnected] && isSame(box, el[dom.getBoundingClientRect]());
    const why = still ? coveredWhy(el, x, y) : { code: 'moving', message: `the frame ${describe(el)} keeps moving` };
    if (why) return { ok: false, why: { ...why, shows: shows() } };
    if (watch) watchPress(() => false);
    return { ok: true, moved: hasMoved() };
  },

  // The file input that was found.
  input: () => held && controlOf(held.el),

  // ---- the accessibility tree is asked from outside; these take part in it

  roots: (query, ...from) => follow(query.chain, from.length ? from : [document]),
  stash: (query, ...found) => {
    stashed.set(query.index, query.chain.length ? follow(query.chain, found) : found);
    return { ok: true };
  },

  ...likeness,
  ...near,

  // ---- evidence

  html: () => {
    byPierce(document, 'x');
    const open = [...roots].filter(root => root[dom.host][dom.isConnected]);
    return { ok: true, value: `<!doctype html>\n<!-- ${location.href.replaceAll('--', '- -')} -->\n` +
      (document[dom.documentElement][dom.getHTML] ? `<html>${document[dom.documentElement][dom.getHTML]({ shadowRoots: open })}</html>` : document[dom.documentElement][dom.outerHTML]) };
  },
};

// What is about an element that was found: its document may have been replaced since by this one.
const OF_FOUND = new Set(['confirm', 'keep', 'edit', 'paste', 'insert', 'typed', 'set', 'checked']);
const isLost = (method, query) => OF_FOUND.has(method) || method === 'scroll' && !query.page ? !held : method === 'passed' && !passage || method === 'guard' && query.field && !held;

globalThis.regatta = { version: VERSION,
  call: (method, query, ...nodes) => isLost(method, query) ? { lost: true } : methods[method](query, ...nodes) };

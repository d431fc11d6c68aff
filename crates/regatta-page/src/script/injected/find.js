// Resolves a query to the one element that is ready for it, or the reason why there is none.

let held = null, passage = null;

const optionFor = (el, value) => {
  const options = [...el[dom.options]];
  return options.find(option => option[dom.value] === value) ?? options.find(option => squeeze(option[dom.label]) === squeeze(value) || squeeze(option[dom.text]) === squeeze(value));
};

// Whether the field accepts a number, a date or a colour: it would drop others silently.
const accepts = (el, value) => {
  const probe = el[dom.cloneNode]();
  setNatively(probe, 'value', value);
  const got = probe[dom.value];
  if (got.toLowerCase() === value.toLowerCase()) return true;
  return got !== '' && (['number', 'range'].includes(el[dom.type]) ? Number(got) === Number(value) : el[dom.type] !== 'color');
};

// An offset may be outside the box and still on the element: its text overflows, a pseudo-element is drawn there.
const outside = (el, at) => {
  const box = boxOf(el);
  if (!at || at.x >= 0 && at.y >= 0 && at.x < box.width && at.y < box.height) return null;
  const size = n => Math.round(n * 10) / 10;
  return { code: 'offset', message: `the offset ${at.x}, ${at.y} is outside the ${noun(el)}, which is ${size(box.width)} × ${size(box.height)}` };
};

// The reason why the element is not ready for what the query needs, or null.
const unready = (el, query) => {
  const needs = query.needs;
  // Such an element is no field: it may be hidden, and what it shows is drawn elsewhere.
  if (needs.editable && el[dom.editContext] && !el[dom.isContentEditable]) {
    return { code: 'unfit', message: `${describe(el)} takes the keys of an editor and has no value to set`, hint: 'record a click on the text of the editor, then its keys (keyDown, keyUp)', final: true };
  }
  if (needs.visible && !isVisible(el)) return { code: 'invisible', message: `the ${noun(el)} is not visible` };
  if (needs.enabled && isDisabled(controlOf(el))) return { code: 'disabled', message: `the ${noun(controlOf(el))} is disabled` };
  if (needs.editable) {
    const sort = sortOf(controlOf(el));
    if (sort === 'file') return { code: 'unfit', message: 'the field takes files: use regatta.upload', final: true };
    if (!['text', 'native', 'select', 'checkbox', 'radio'].includes(sort)) {
      return { code: 'unfit', message: `a value cannot be set on ${describe(el)}` };
    }
    if ((sort === 'native' || el[dom.type] === 'number' && needs.value !== '') && !accepts(el, needs.value)) {
      return { code: 'option', message: `the field of type ${el[dom.type]} does not take this value` };
    }
    // Boxes of one character pass the focus on.
    if (sort === 'text' && el[dom.maxLength] > 1 && needs.value.length > el[dom.maxLength]) {
      return { code: 'option', message: `the field takes at most ${el[dom.maxLength]} characters` };
    }
    if ((sort === 'text' || sort === 'native') && isReadOnly(el)) return { code: 'readonly', message: 'the field is read-only' };
    const values = [needs.value, ...needs.further];
    if (values.length > 1 && !(sort === 'select' && el[dom.multiple])) {
      return { code: 'unfit', message: `the ${noun(el)} takes one value, not ${values.length}`, final: true };
    }
    if (sort === 'select') {
      const options = values.map(value => optionFor(el, value));
      if (!options.every(Boolean)) {
        const names = [...el[dom.options]].slice(0, 10).map(option => `\`${short(option[dom.label])}\``).join(', ');
        return { code: 'option', message: `the list has no such option; it has ${names || 'none'}` };
      }
      if (options.some(option => option[dom.matches](':disabled'))) return { code: 'option', message: 'that option of the list is disabled' };
    }
  }
  if (needs.files) {
    const input = controlOf(el);
    if (sortOf(input) !== 'file') {
      return { code: 'unfit', message: `${describe(input)} takes no files: name the input of type file behind it`, final: true };
    }
    if (input[dom.webkitdirectory]) return { code: 'unfit', message: 'the field takes a folder, not files', final: true };
    if (needs.files > 1 && !input[dom.multiple]) {
      return { code: 'unfit', message: `the field takes one file, not ${needs.files}`, final: true };
    }
  }
  if (needs.hit) {
    let [x, y] = clickPoint(el, needs.at);
    let reason = coveredReason(el, x, y);
    if (reason) {
      bringIntoView(el, needs.at);
      [x, y] = clickPoint(el, needs.at);
      reason = coveredReason(el, x, y);
    }
    if (reason) return outside(el, needs.at) ?? reason;
  } else if (needs.view) {
    el[dom.scrollIntoView]({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  }
  return null;
};

const shows = () => short(document[dom.querySelector]('h1')?.[dom.innerText] || document[dom.title]);

const confirmMatch = (el, index, query) => {
  const control = controlOf(el), sort = sortOf(control);
  // A checkbox that is not seen is ticked by its label, which is.
  const byLabel = ['checkbox', 'radio'].includes(sort) && !isVisible(control);
  if (query.needs.editable && !byLabel) el = control;
  const reason = unready(el, query);
  if (reason) return { ok: false, reason: { ...reason, shows: shows() }, alternative: index };
  const box = boxOf(el);
  const [x, y] = clickPoint(el, query.needs.at);
  const rests = rest(el, box);
  held = { el, needs: query.needs, box, x, y, rests };
  if (query.needs.hit && self !== top) watchMove();
  return { ok: true, alternative: index, ...toInput(x, y), width: innerWidth, height: innerHeight, sort, checked: isChecked(control),
    url: location.href, origin: globalThis.origin, element: query.from ? printRead(el, query.attribute) : print(actsFor(el), false, { depth: query.depth }) };
};

const means = (alternative, el) => {
  try {
    const found = matches(alternative);
    return found.length === 1 && found[0] === el;
  } catch { return false; }
};

const resolve = query => {
  const passed = index => query.passed?.includes(index);
  if (query.remembered && !passed(query.remembered.index)) {
    let found = [];
    try { found = matches(query.remembered); } catch {}
    const matched = found.length === 1 && confirmMatch(found[0], query.remembered.index, query);
    if (matched?.ok) return matched;
    if (query.only) return { ok: false, reason: { code: 'missing', message: '', final: found.length > 0 } };
  }
  let ambiguous = null, invalid = null, valid = 0;
  for (const alternative of query.alternatives) {
    let found;
    if (passed(alternative.index)) { valid++; continue; }
    try { found = matches(alternative); valid++; } catch { invalid ??= alternative; continue; }
    if (found.length === 1) {
      const matched = confirmMatch(found[0], alternative.index, query);
      // The accessibility tree is slow to ask: what means the same without it is remembered.
      if (matched.ok && alternative.stashed) matched.cheaper = query.alternatives.find(other => !other.stashed && !passed(other.index) && means(other, found[0]))?.index;
      return matched;
    }
    if (found.length > 1) {
      ambiguous ??= { code: 'ambiguous', message: `${found.length} elements match`, alternative: alternative.index,
        candidates: found.slice(0, 10).map(candidate) };
    }
  }
  if (!valid && invalid) {
    return { ok: false, reason: { code: 'invalid', message: 'not a valid selector', alternative: invalid.index, final: true } };
  }
  return { ok: false, reason: { ...(ambiguous ?? { code: 'missing', message: '' }), shows: shows() } };
};

const holds = (operator, found, count) => operator === '>=' ? found >= count : operator === '<=' ? found <= count : found === count;

const subset = (wanted, got) => {
  if (wanted === null || typeof wanted !== 'object') return Object.is(wanted, got);
  if (got === null || got === undefined) return false;
  return Object.keys(wanted).every(key => subset(wanted[key], propertyOf(got, key)));
};

const setNatively = (el, name, value) => {
  const prototype = { input: HTMLInputElement, select: HTMLSelectElement, option: HTMLOptionElement }[el[dom.localName]].prototype;
  Object.getOwnPropertyDescriptor(prototype, name).set.call(el, value);
};

const notify = el => {
  el[dom.dispatchEvent](new Event('input', { bubbles: true, composed: true }));
  el[dom.dispatchEvent](new Event('change', { bubbles: true }));
};

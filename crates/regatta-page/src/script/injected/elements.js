// The kind of an element, and whether it can be seen and used.

const parentOf = el => el[dom.assignedSlot] ?? el[dom.parentElement] ?? el[dom.getRootNode]()[dom.host] ?? null;
const closest = (el, selector) => {
  for (let at = el; at; at = parentOf(at)) if (at[dom.matches](selector)) return at;
  return null;
};

const short = text => { text = squeeze(text ?? ''); return text.length > 40 ? text.slice(0, 39) + '…' : text; };
const describe = el => el[dom.localName] + (el[dom.id] ? '#' + el[dom.id] : [...el[dom.classList]].slice(0, 2).map(c => '.' + c).join(''));
const candidate = el => {
  const label = el[dom.getAttribute]('aria-label') || (isPushInput(el) ? el[dom.value] : el[dom.textContent]);
  const own = single(el)?.join(' >>> ');
  return describe(el) + (short(label) ? ` "${short(label)}"` : '') + (own ? ` (\`${own}\`)` : '');
};

const sortOf = el => {
  if (el[dom.localName] === 'select') return 'select';
  if (el[dom.localName] === 'textarea') return 'text';
  if (el[dom.localName] === 'input') {
    if (['checkbox', 'radio'].includes(el[dom.type])) return el[dom.type];
    if (['date', 'time', 'datetime-local', 'month', 'week', 'range', 'color'].includes(el[dom.type])) return 'native';
    if (['text', 'search', 'email', 'url', 'tel', 'password', 'number'].includes(el[dom.type])) return 'text';
    return el[dom.type];
  }
  if (el[dom.isContentEditable]) return 'text';
  // A script's own control: its role gives its kind, and its state the effect of a click.
  const role = el[dom.getAttribute]('role');
  return { switch: 'checkbox', checkbox: 'checkbox', radio: 'radio' }[role] ?? 'other';
};

const isChecked = el => dom.checked in el ? el[dom.checked] : el[dom.getAttribute]('aria-checked') === 'true';

const noun = el => {
  const role = el[dom.getAttribute]('role');
  if (el[dom.localName] === 'button' || role === 'button' || isPushInput(el)) return 'button';
  if (el[dom.localName] === 'a' || role === 'link') return 'link';
  return { select: 'list', text: 'field', native: 'field', checkbox: 'checkbox', radio: 'radio button' }[sortOf(el)] ?? describe(el);
};

// A label stands for its control.
const controlOf = el => {
  if (el[dom.matches]('a, input, textarea, button, select, [role]') || el[dom.isContentEditable]) return el;
  return closest(el, 'button, [role=button], [role=checkbox], [role=radio]') ?? closest(el, 'label')?.[dom.control] ?? el;
};

const isVisible = el => {
  const style = getComputedStyle(el);
  if (style.display === 'contents') {
    return [...el[dom.childNodes]].some(child => {
      if (child[dom.nodeType] === Node.ELEMENT_NODE) return isVisible(child);
      if (child[dom.nodeType] !== Node.TEXT_NODE) return false;
      const range = document[dom.createRange]();
      range.selectNode(child);
      const box = range[dom.getBoundingClientRect]();
      return style.visibility === 'visible' && box.width > 0 && box.height > 0;
    });
  }
  if (!el[dom.checkVisibility]() || style.visibility !== 'visible') return false;
  const box = el[dom.getBoundingClientRect]();
  return box.width > 0 && box.height > 0;
};

// An element of `display: contents` has no box of its own: it is where its contents are.
const rangeOf = el => {
  if (getComputedStyle(el).display !== 'contents') return el;
  const range = document[dom.createRange]();
  range.selectNodeContents(el);
  return range;
};
const boxOf = el => rangeOf(el)[dom.getBoundingClientRect]();
// The element with a box to scroll to.
const boxed = el => rangeOf(el) === el ? el : el[dom.firstElementChild] ? boxed(el[dom.firstElementChild]) : parentOf(el) ?? el;

const isDisabled = el => {
  if (el[dom.matches](':disabled')) return true;
  for (let at = el; at; at = parentOf(at)) {
    const said = at[dom.getAttribute]('aria-disabled')?.toLowerCase();
    if (said === 'true') return true;
    if (said === 'false') return false;
  }
  return false;
};

const isReadOnly = el => el[dom.readOnly] === true || el[dom.getAttribute]('aria-readonly')?.toLowerCase() === 'true';

// What an element is, and whether it can be seen and used.

const parentOf = el => el.assignedSlot ?? el.parentElement ?? el.getRootNode().host ?? null;
const closest = (el, selector) => {
  for (let at = el; at; at = parentOf(at)) if (at.matches(selector)) return at;
  return null;
};

const short = text => { text = squeeze(text ?? ''); return text.length > 40 ? text.slice(0, 39) + '…' : text; };
const describe = el => el.localName + (el.id ? '#' + el.id : [...el.classList].slice(0, 2).map(c => '.' + c).join(''));
const candidate = el => {
  const label = el.getAttribute('aria-label') || (isPushInput(el) ? el.value : el.textContent);
  const own = single(el)?.join(' >>> ');
  return describe(el) + (short(label) ? ` "${short(label)}"` : '') + (own ? ` (\`${own}\`)` : '');
};

const sortOf = el => {
  if (el.localName === 'select') return 'select';
  if (el.localName === 'textarea') return 'text';
  if (el.localName === 'input') {
    if (['checkbox', 'radio'].includes(el.type)) return el.type;
    if (['date', 'time', 'datetime-local', 'month', 'week', 'range', 'color'].includes(el.type)) return 'native';
    if (['text', 'search', 'email', 'url', 'tel', 'password', 'number'].includes(el.type)) return 'text';
    return el.type;
  }
  if (el.isContentEditable) return 'text';
  // A script's own: its role says what it is, and its state what the page makes of a click.
  const role = el.getAttribute('role');
  return { switch: 'checkbox', checkbox: 'checkbox', radio: 'radio' }[role] ?? 'other';
};

const isChecked = el => 'checked' in el ? el.checked : el.getAttribute('aria-checked') === 'true';

const noun = el => {
  const role = el.getAttribute('role');
  if (el.localName === 'button' || role === 'button' || isPushInput(el)) return 'button';
  if (el.localName === 'a' || role === 'link') return 'link';
  return { select: 'list', text: 'field', native: 'field', checkbox: 'checkbox', radio: 'radio button' }[sortOf(el)] ?? describe(el);
};

// A label stands for its control.
const controlOf = el => {
  if (el.matches('a, input, textarea, button, select, [role]') || el.isContentEditable) return el;
  return closest(el, 'button, [role=button], [role=checkbox], [role=radio]') ?? closest(el, 'label')?.control ?? el;
};

const isVisible = el => {
  const style = getComputedStyle(el);
  if (style.display === 'contents') {
    return [...el.childNodes].some(child => {
      if (child.nodeType === Node.ELEMENT_NODE) return isVisible(child);
      if (child.nodeType !== Node.TEXT_NODE) return false;
      const range = document.createRange();
      range.selectNode(child);
      const box = range.getBoundingClientRect();
      return style.visibility === 'visible' && box.width > 0 && box.height > 0;
    });
  }
  if (!el.checkVisibility() || style.visibility !== 'visible') return false;
  const box = el.getBoundingClientRect();
  return box.width > 0 && box.height > 0;
};

// An element of `display: contents` has no box of its own: it is where its contents are.
const rangeOf = el => {
  if (getComputedStyle(el).display !== 'contents') return el;
  const range = document.createRange();
  range.selectNodeContents(el);
  return range;
};
const boxOf = el => rangeOf(el).getBoundingClientRect();
// What has a box, to be scrolled to.
const boxed = el => rangeOf(el) === el ? el : el.firstElementChild ? boxed(el.firstElementChild) : parentOf(el) ?? el;

const isDisabled = el => {
  if (el.matches(':disabled')) return true;
  for (let at = el; at; at = parentOf(at)) {
    const said = at.getAttribute('aria-disabled')?.toLowerCase();
    if (said === 'true') return true;
    if (said === 'false') return false;
  }
  return false;
};

const isReadOnly = el => el.readOnly === true || el.getAttribute('aria-readonly')?.toLowerCase() === 'true';

// What distinguishes an element from others with its label: its row, the heading above it, its picture, and how
// many others there are.

const PRESSED = 'button, a[href], summary, input[type=submit], input[type=button], input[type=reset], [role=button], [role=link], [role=menuitem], [role=menuitemcheckbox], [role=menuitemradio], [role=tab], [role=option], [role=treeitem]';
const FILLED = 'input, textarea, select, [contenteditable], [role=textbox], [role=combobox]';
const TOGGLED = 'input[type=checkbox], input[type=radio], [role=checkbox], [role=radio], [role=switch]';
const HEADINGS = 'h1, h2, h3, h4, h5, h6, legend, [role=heading]';
const ITEMS = 'li, tr, article, dl > div, [role=listitem], [role=row], [role=article]';
const DIALOGS = 'dialog, [role=dialog], [role=alertdialog]';

// Values that one call needs of many elements are read once.
let memo = null;
const remembering = act => {
  if (memo) return act();
  memo = { texts: new Map(), lists: new Map(), pieces: new Map() };
  try { return act(); } finally { memo = null; }
};
const once = (map, key, make) => { if (!map.has(key)) map.set(key, make()); return map.get(key); };
const listOf = (root, selector) => once(once(memo.lists, root, () => new Map()), selector, () => [...root[dom.querySelectorAll](selector)].slice(0, 1500));
const textOf = el => once(memo.texts, el, () => el[dom.childElementCount] > 20 ? null : squeeze(el[dom.textContent]).slice(0, 200));

const digest = text => {
  let a = 0xdeadbeef, b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 2654435761);
    b = Math.imul(b ^ c, 1597334677);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
};

// Of an element without words: its shapes, the addresses of its images, or else what a font draws.
const SHAPE = ['d', 'points', 'href', 'xlink:href', 'x', 'y', 'x1', 'y1', 'x2', 'y2', 'cx', 'cy', 'r', 'width', 'height', 'transform'];
const pictureOf = el => {
  const all = [el, ...[...el[dom.querySelectorAll]('*')].slice(0, 40), ...[...el[dom.shadowRoot]?.[dom.querySelectorAll]('*') ?? []].slice(0, 40)], drawn = [];
  for (const part of all) {
    if (part instanceof SVGElement) {
      if (part[dom.localName] !== 'svg') drawn.push(part[dom.localName], ...SHAPE.map(name => part[dom.getAttribute](name) ?? ''));
      continue;
    }
    if (part[dom.localName] === 'img' || part[dom.localName] === 'input' && part[dom.type] === 'image') drawn.push(part[dom.getAttribute]('src') ?? '');
    for (const pseudo of [null, '::before', '::after']) {
      const style = getComputedStyle(part, pseudo);
      if (style.backgroundImage !== 'none') drawn.push(style.backgroundImage, style.backgroundPosition);
      if (style.maskImage && style.maskImage !== 'none') drawn.push(style.maskImage);
      if (pseudo && !['none', 'normal', '""', ''].includes(style.content)) drawn.push(style.content);
    }
  }
  if (!drawn.length) drawn.push(...all.slice(0, 6).map(part => part[dom.getAttribute]('class') ?? '').filter(Boolean));
  return drawn.length ? digest(drawn.join('\n')) : '';
};
const isWordless = el => !['text', 'native', 'select', 'checkbox', 'radio'].includes(sortOf(el)) && !isPushInput(el) && !wordsOf(el);

// Others of its kind that bear the same label or the same picture, in the same sort of part of the page.
const partOf = el => { const mark = over(el) && closest(over(el), LANDMARKS); return mark ? mark[dom.getAttribute]('role') ?? mark[dom.localName] : ''; };
const twinsOf = (el, role) => {
  const root = el[dom.getRootNode](), own = el[dom.matches](PRESSED) ? PRESSED : el[dom.matches](TOGGLED) ? TOGGLED : el[dom.matches](FILLED) ? FILLED
    : el[dom.localName] + [...el[dom.classList]].slice(0, 3).map(word => '.' + CSS.escape(word)).join('');
  const said = other => ['aria-label', 'title', 'placeholder', 'alt', 'type'].map(name => other[dom.getAttribute](name) ?? '').join('|');
  const words = squeeze(el[dom.textContent]).slice(0, 200), mark = said(el), part = partOf(el);
  const filled = own === FILLED, named = (filled || own === TOGGLED) && nameOf(el, role, true), drawn = !words && isWordless(el) ? pictureOf(el) : '';
  const twins = [];
  for (const other of listOf(root, own)) {
    if (other === el || other[dom.childElementCount] > el[dom.childElementCount] + 3) continue;
    // The content of a field is not its name.
    if (!filled && textOf(other) !== words || said(other) !== mark || other[dom.contains](el) || el[dom.contains](other)) continue;
    if (named !== false && nameOf(other, roleOf(other), true) !== named) continue;
    if (drawn && pictureOf(other) !== drawn) continue;
    if (!isVisible(other) || partOf(other) !== part) continue;
    if (twins.push(other) >= 30) break;
  }
  return twins;
};

// Whether others have its label but for the numbers in it.
const isOfSeries = el => {
  const own = el[dom.matches](PRESSED) ? PRESSED : el[dom.localName] === 'td' ? 'td' : '';
  const text = squeeze(el[dom.textContent] || el[dom.getAttribute]('aria-label') || '');
  if (!own || text.length > 60 || !/\p{N}/u.test(text)) return false;
  const plain = text => text.replace(/[\p{N}.,]+/gu, '#'), mine = plain(text);
  return listOf(el[dom.getRootNode](), own).some(other => {
    const said = other === el ? text : textOf(other) || squeeze(other[dom.getAttribute]('aria-label') ?? '');
    return said !== text && said.length < 90 && plain(said) === mine && isVisible(other);
  });
};

// The pieces of text in it, without what is pressed or filled in there. `own` is looked for: whether it comes
// before all of them.
const piecesOf = (item, own) => {
  const pieces = [];
  let first = false, nodes = 400;
  const read = node => {
    if (pieces.length >= 6 || nodes-- < 0) return;
    if (node === own && node !== item) { first ||= !pieces.length; return; }
    if (node[dom.nodeType] === Node.TEXT_NODE) { const text = squeeze(node[dom.data]); if (text) pieces.push(text.slice(0, 300)); return; }
    if (node[dom.nodeType] === Node.ELEMENT_NODE) {
      if (UNREAD.has(node[dom.nodeName]) || node !== item && node[dom.matches]('button, input, textarea, select, summary, [role=button], [role=menuitem], [contenteditable]')) return;
      if (node[dom.localName] === 'img') { const said = squeeze(node[dom.alt] ?? '') || (node[dom.getAttribute]('src') ?? '').split('?')[0].slice(-60); if (said) pieces.push(said); return; }
      if (node[dom.shadowRoot]) read(node[dom.shadowRoot]);
    }
    for (let child = node[dom.firstChild]; child; child = child[dom.nextSibling]) read(child);
  };
  read(item);
  return { pieces, first };
};

// The text between what comes before it of its kind and itself, where they share one box; a heading begins it.
const before = (el, twins) => {
  const pieces = [];
  for (let at = el[dom.previousSibling]; at && !twins.some(twin => twin === at || at[dom.contains](twin)); at = at[dom.previousSibling]) {
    const text = at[dom.nodeType] === Node.TEXT_NODE ? squeeze(at[dom.data]) : at[dom.nodeType] === Node.ELEMENT_NODE && !at[dom.matches](PRESSED) ? wordsOf(at) : '';
    if (text) pieces.unshift(text.slice(0, 300));
    if (text && at[dom.matches]?.(HEADINGS)) break;
  }
  return pieces.slice(-6);
};

// Without its twins the element is alone in it; `depth` is where it was.
const rowOf = (el, twins, depth) => {
  const itself = el[dom.matches](ITEMS) || !el[dom.matches](`${PRESSED}, ${FILLED}`) && twinsOfBox(el).length > 0;
  let item = itself ? el : closest(el, ITEMS);
  // A box that is pressed as a whole is what it begins with.
  if (!itself && !el[dom.matches](`${PRESSED}, ${FILLED}, body, main, form`) && wordsOf(el).length > 60) {
    const texts = piecesOf(el, null).pieces.slice(0, 2);
    return texts.length ? { texts, many: true, depth: 0 } : null;
  }
  // A menu's entry is what it says.
  if (item && closest(item, 'nav, menu, [role=menu], [role=menubar], [role=tablist], [role=toolbar], [role=navigation]') && !twins.length) item = null;
  const dialog = closest(el, DIALOGS);
  if (dialog && (!item || item[dom.contains](dialog))) {
    const { pieces } = piecesOf(dialog, el), said = squeeze(dialog[dom.getAttribute]('aria-label') ?? '');
    const texts = (pieces.length ? pieces : [said].filter(Boolean)).slice(0, 2);
    return texts.length && !twins.some(twin => dialog[dom.contains](twin)) ? { texts, many: true, depth: 0 } : inItem(el, twins, item, depth);
  }
  return inItem(el, twins, item, depth);
};
const twinsOfBox = el => el[dom.classList].length && el[dom.parentElement] ? [...el[dom.parentElement][dom.children]].filter(other => other !== el && other[dom.localName] === el[dom.localName] && other[dom.className] === el[dom.className]) : [];
const inItem = (el, twins, item, depth) => {
  let alone = null;
  if (twins.length) for (let at = el; at && !twins.some(twin => at[dom.contains](twin)); at = over(at)) alone = at;
  if (alone === el && !item) {
    const texts = before(el, twins);
    return texts.length ? { texts, many: true, depth: 0 } : null;
  }
  if (!item && alone && alone[dom.localName] !== 'body' && alone[dom.localName] !== 'html') item = alone;
  if (!item && depth > 0) { item = el; for (let n = 0; n < depth && item; n++) item = over(item); }
  if (!item || item[dom.localName] === 'body') return null;
  // More than one of them in the item: what is around this one comes first.
  const inside = alone && alone !== item && item[dom.contains](alone) ? [...columnOf(el, item), ...alone === el ? before(el, twins) : piecesOf(alone, el).pieces] : [];
  const { pieces, first } = piecesOf(item, el);
  // Its subject may stand before it: a term before its description, a row of headings.
  if (!pieces.length && item !== el) pieces.push(...before(item, twins));
  // A link that opens the item says which one it is.
  if (first && !twins.length && el[dom.localName] === 'a' && wordsOf(el)) return null;
  const texts = [...inside, ...pieces].slice(0, 6);
  const siblings = item[dom.parentElement] ? [...item[dom.parentElement][dom.children]].filter(other => other !== item && other[dom.localName] === item[dom.localName]).slice(0, 40) : [];
  const acts = `${PRESSED}, ${FILLED}`;
  const alike = item === el ? siblings : siblings.filter(other => other[dom.querySelector](acts));
  const others = (alike.length ? alike : twins.map(twin => { let at = twin; for (let up = at; up && !up[dom.contains](el); up = over(up)) at = up; return at; }))
    .map(other => once(memo.pieces, other, () => { const { pieces } = piecesOf(other, null); return pieces.length ? pieces : before(other, [el, item]); }));
  let steps = 0;
  for (let at = el; at && at !== item; at = over(at)) steps++;
  return keyed(texts, others, others.length > 0, steps);
};
// More than one in a row of a table: the column's heading distinguishes them.
const columnOf = (el, row) => {
  const cell = closest(el, 'td, th'), table = cell && closest(cell, 'table');
  const top = table?.[dom.rows]?.[0];
  return top && top !== row && row[dom.contains](cell) ? [squeeze(top[dom.cells][cell[dom.cellIndex]]?.[dom.textContent] ?? '')].filter(Boolean) : [];
};
const keyed = (texts, others, many, depth) => {
  const keys = others.length ? [...texts.keys()].filter(at => !others.some(other => other.includes(texts[at]))) : [];
  return { texts, keys, many, depth };
};

// The last one before it.
const headingOf = el => {
  const all = listOf(el[dom.getRootNode](), HEADINGS);
  let from = 0, to = all.length;
  while (from < to) {
    const middle = from + to >> 1;
    if (all[middle][dom.compareDocumentPosition](el) & Node.DOCUMENT_POSITION_FOLLOWING) from = middle + 1; else to = middle;
  }
  let at = from - 1;
  while (at >= 0 && all[at][dom.contains](el)) at--;
  return at >= 0 ? wordsOf(all[at]) : '';
};

// Where a link leads, whole, where that is no one's own address.
const whereTo = el => {
  const raw = el[dom.getAttribute]('href') ?? '';
  if (raw.startsWith('#')) return raw.length > 1 && !looksGenerated(raw) ? raw : '';
  const path = leadsTo(el);
  try {
    const url = new URL(raw, document[dom.baseURI]);
    return url.search || path === '/' || path.split('/').some(part => part === ':id' || looksGenerated(part)) ? '' : path + (url.hash.length > 1 ? url.hash : '');
  } catch { return ''; }
};

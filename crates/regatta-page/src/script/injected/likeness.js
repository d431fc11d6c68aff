// An element's fingerprint, and a selector that means it alone: see `regatta_core::fingerprint`.

const TEST_IDS = ['data-testid', 'data-test-id', 'data-test', 'data-qa', 'data-cy', 'data-pw'];
const KEPT = [...TEST_IDS, 'id', 'name', 'type', 'placeholder', 'title', 'alt', 'for', 'autocomplete'];
const KEYS = new Set([...TEST_IDS, 'id', 'name', 'for']);

// Names that no author has written: counted, hashed, or given by a toolkit.
const looksGenerated = word => /\d{3,}|[-_]\d{2,}$|[:«»{}]/.test(word)
  || /^(?:ember|radix|headlessui|react-select|mui|yui|gwt|ext-gen|jss|cdk|mat|rc)[-_]?(?:[a-z]+[-_])*\d/i.test(word)
  || /^(?:css|sc|svelte|emotion)-[a-z0-9]{5,}/i.test(word)
  || word.split(/[-_]+/).some(part => part.length >= 5 && /\d/.test(part) && /[a-z]/i.test(part) && !/^[a-z]+\d{1,2}$/i.test(part));

// The words inside, without the contents of fields, which are a profile's. More than is kept, so that a value
// is whole when it is masked.
const wordsOf = el => {
  let text = '', nodes = 500;
  const read = node => {
    if (text.length > 300 || nodes-- < 0) return;
    if (node[dom.nodeType] === Node.TEXT_NODE) { text += node[dom.data].slice(0, 1000); return; }
    if (node[dom.nodeType] === Node.ELEMENT_NODE) {
      if (UNREAD.has(node[dom.nodeName]) || ['textarea', 'select', 'input'].includes(node[dom.localName]) || node[dom.isContentEditable]) return;
      if (node[dom.shadowRoot]) read(node[dom.shadowRoot]);
    }
    for (let child = node[dom.firstChild]; child; child = child[dom.nextSibling]) read(child);
  };
  read(el);
  return squeeze(text).slice(0, 300);
};

const TAG_ROLES = { button: 'button', summary: 'button', textarea: 'textbox', option: 'option', img: 'img', li: 'listitem',
  h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading', h6: 'heading', nav: 'navigation', main: 'main', dialog: 'dialog' };
const INPUT_ROLES = { button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox', radio: 'radio',
  range: 'slider', number: 'spinbutton', search: 'searchbox', file: 'file', hidden: '' };
const roleOf = el => {
  const said = el[dom.getAttribute]('role')?.trim().split(/\s+/)[0].toLowerCase();
  if (said && said !== 'none' && said !== 'presentation') return said;
  if (el[dom.localName] === 'a' || el[dom.localName] === 'area') return el[dom.hasAttribute]('href') ? 'link' : '';
  if (el[dom.localName] === 'input') return INPUT_ROLES[el[dom.type]] ?? (el[dom.list] ? 'combobox' : 'textbox');
  if (el[dom.localName] === 'select') return el[dom.multiple] || el[dom.size] > 1 ? 'listbox' : 'combobox';
  if (el[dom.isContentEditable] && el[dom.hasAttribute]('contenteditable')) return 'textbox';
  return TAG_ROLES[el[dom.localName]] ?? '';
};

// Near to the accessible name: the tree itself would cost a round trip.
const NAMED_BY_CONTENT = new Set(['button', 'link', 'heading', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'checkbox', 'radio', 'switch', 'treeitem']);
const nameOf = (el, role, bare) => {
  const root = el[dom.getRootNode]();
  const by = (el[dom.getAttribute]('aria-labelledby') ?? '').split(/\s+/).map(id => id && root[dom.getElementById]?.(id)).filter(Boolean);
  const said = by.map(wordsOf).join(' ').trim() || squeeze(el[dom.getAttribute]('aria-label') ?? '');
  if (said) return said;
  if (isPushInput(el)) return squeeze(el[dom.value]) || { submit: 'Submit', reset: 'Reset' }[el[dom.type]] || '';
  const content = !bare && NAMED_BY_CONTENT.has(role) && !el[dom.isContentEditable] ? wordsOf(el) || squeeze(el[dom.querySelector]('img[alt]')?.[dom.alt] ?? '') : '';
  // `labels` would walk the whole document.
  const label = dom.labels in el && (closest(el, 'label') ?? (el[dom.id] && root[dom.querySelector]?.(`label[for=${quoted(el[dom.id])}]`)));
  return label && wordsOf(label) || content || ['alt', 'title', 'placeholder'].map(name => squeeze(el[dom.getAttribute](name) ?? '')).find(Boolean) || '';
};

const isId = part => /^\d+$|^[0-9a-f]{8,}$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(part);
// Where a link leads, without its query: `/users/:id/edit`.
const leadsTo = el => {
  try {
    const url = new URL(el[dom.getAttribute]('href'), document[dom.baseURI]);
    if (!url.protocol.startsWith('http')) return '';
    const path = decodeURIComponent(url.pathname).split('/').map(part => isId(part) ? ':id' : part).join('/');
    return url.origin === location.origin ? path : url.origin + path;
  } catch { return ''; }
};

const over = el => el[dom.parentElement] ?? el[dom.getRootNode]()[dom.host] ?? null;
const placeOf = el => {
  const steps = [];
  for (let at = el; at && at[dom.localName] !== 'body' && at[dom.localName] !== 'html' && steps.length < 8; at = over(at)) {
    // Far down a long list one place is as good as the next.
    let nth = 1;
    for (let other = at[dom.previousElementSibling]; other && nth < 30; other = other[dom.previousElementSibling]) if (other[dom.localName] === at[dom.localName]) nth++;
    steps.unshift(`${at[dom.localName]}:${nth}`);
  }
  return steps.join('>');
};

const LANDMARKS = 'form, nav, main, header, footer, aside, dialog, fieldset, section[aria-label], [role=dialog], [role=form], [role=navigation], [role=region], [role=search], [role=main]';
const landmarkOf = el => {
  const mark = over(el) && closest(over(el), LANDMARKS);
  if (!mark) return '';
  let heading = mark[dom.firstElementChild];
  for (let n = 0; heading && n < 5 && !heading[dom.matches]('legend, h1, h2, h3'); n++) heading = heading[dom.nextElementSibling];
  if (!heading?.[dom.matches]('legend, h1, h2, h3')) heading = null;
  const name = squeeze(mark[dom.getAttribute]('aria-label') ?? '') || (heading && mark[dom.localName] !== 'main' ? wordsOf(heading) : '');
  return (mark[dom.getAttribute]('role') ?? mark[dom.localName]) + (name ? ` "${name}"` : '');
};

// One of many that come and go. Menus are lists, too; theirs stay.
const isItem = el => closest(el, 'li, tr, article, nav, menu, header, footer, [role=listitem], [role=row], [role=article], [role=option], [role=menu], [role=menubar], [role=tablist], [role=toolbar], [role=navigation]')
  ?.matches('li, tr, article, [role=listitem], [role=row], [role=article], [role=option]')
  && !closest(el, 'nav, menu, header, footer, [role=menu], [role=menubar], [role=tablist], [role=toolbar], [role=navigation]');

// A word inside a button stands for the button.
const actsFor = el => { const control = controlOf(el); return control === el ? closest(el, PRESSED) ?? el : control; };

// A key means one element; what a group of them shares is none.
const isKey = (el, name, value) => {
  try { return el[dom.getRootNode]()[dom.querySelectorAll](`[${name}=${quoted(value)}]`).length === 1; } catch { return false; }
};

// `bare`: without the content. `brief`: without what depends on other elements. `depth`: how far out the item is
// that contained it.
const print = (el, bare = false, { brief = false, depth = 0 } = {}) => {
  const attributes = {}, role = roleOf(el), sort = sortOf(el);
  for (const name of KEPT) {
    const raw = el[dom.getAttribute](name) ?? '', value = squeeze(raw);
    if (value && !(KEYS.has(name) && (looksGenerated(value) || !isKey(el, name, raw)))) attributes[name] = value.slice(0, 300);
  }
  if (role === 'link') {
    attributes.href = leadsTo(el).slice(0, 300);
    if (!bare && isKey(el, 'href', el[dom.getAttribute]('href') ?? '')) attributes.to = whereTo(el).slice(0, 300);
  }
  if (sort === 'checkbox' || sort === 'radio') attributes.value = (el[dom.getAttribute]('value') ?? '').slice(0, 300);
  for (const name of ['href', 'to', 'value']) if (!attributes[name]) delete attributes[name];
  const name = nameOf(el, role, bare), holds = ['text', 'native', 'select'].includes(sort);
  const text = bare || holds ? '' : wordsOf(el);
  const known = { tag: el[dom.localName], role, name, text: text === name ? '' : text, attributes,
    classes: [...el[dom.classList]].filter(word => !looksGenerated(word)).slice(0, 6),
    path: placeOf(el), landmark: landmarkOf(el), item: !!isItem(el) };
  if (bare || brief) return known;
  return remembering(() => {
    const twins = twinsOf(el, role), row = rowOf(el, twins, depth);
    return { ...known, heading: headingOf(el), picture: isWordless(el) ? pictureOf(el) : '', twins: Math.min(twins.length, 9), ...isOfSeries(el) ? { series: true } : {}, ...row ? { row } : {} };
  });
};

// The fingerprint of an element that a value is read from: the value may be a profile's.
const printRead = (el, attribute) => {
  const read = print(el, true);
  delete read.attributes[attribute];
  return read;
};

const quoted = value => `"${value.replace(/["\\]/g, '\\$&')}"`;
const isOnly = (root, css, el) => {
  try { const found = root[dom.querySelectorAll](css); return found.length === 1 && found[0] === el; } catch { return false; }
};
// Selectors of the element's own keys, the most lasting first. `{` would begin a template.
const keysOf = el => {
  const pair = (name, tag = '') => { const value = el[dom.getAttribute](name); return value && value.length <= 80 && !/[\n{]/.test(value) ? `${tag}[${name}=${quoted(value)}]` : null; };
  const written = name => !looksGenerated(el[dom.getAttribute](name) ?? '');
  const out = TEST_IDS.filter(written).map(name => pair(name));
  if (el[dom.id] && !looksGenerated(el[dom.id])) out.push('#' + CSS.escape(el[dom.id]));
  const named = written('name') && pair('name', el[dom.localName]);
  if (named) out.push(named, ['radio', 'checkbox'].includes(el[dom.type]) && pair('value') ? named + pair('value') : null);
  for (const name of ['aria-label', 'placeholder', 'title', 'alt']) out.push(pair(name, el[dom.localName]));
  if (el[dom.localName] === 'a' && !leadsTo(el).includes(':id') && written('href')) out.push(pair('href', 'a'));
  return out.filter(Boolean);
};
const singleIn = (el, root) => {
  const key = keysOf(el).find(css => isOnly(root, css, el));
  if (key) return key;
  // Without a key on the way, three steps: fewer would match the next element.
  let path = '';
  for (let at = el, steps = 1; at; at = at[dom.parentElement], steps++) {
    const below = at !== el && keysOf(at).map(css => `${css} > ${path}`).find(css => isOnly(root, css, el));
    if (below) return below;
    const alike = [...at[dom.parentElement]?.[dom.children] ?? at[dom.getRootNode]()[dom.children] ?? []].filter(other => other[dom.localName] === at[dom.localName]);
    const step = CSS.escape(at[dom.localName]) + (alike.length > 1 ? `:nth-of-type(${alike.indexOf(at) + 1})` : '');
    path = path ? `${step} > ${path}` : step;
    if ((steps >= 3 || at[dom.localName] === 'body' || !at[dom.parentElement]) && isOnly(root, path, el)) return path;
  }
  return null;
};
// A chain as flows write it, or null: a selector in each shadow root on the way.
const single = el => {
  const root = el[dom.getRootNode](), own = singleIn(el, root);
  if (!own || !root[dom.host]) return own && [own];
  const host = single(root[dom.host]);
  return host && [...host, own];
};

// The elements that the last search by likeness has found.
let liked = [];
const likeness = {
  // Visible elements of these roles (or of none of them), those that have most in common with `known` first;
  // and of what is pressed also plain elements of the same label. Which of them was found last.
  likes: ({ known, roles, none, bare }) => {
    const label = known.name || known.text || null;
    const shares = seen => [...TEST_IDS, 'id', 'name', 'href', 'placeholder'].filter(name => known.attributes?.[name] && known.attributes[name] === seen.attributes[name]).length
      + (label === (seen.name || seen.text) ? 1 : 0) + (known.path === seen.path ? .5 : 0);
    const says = el => label && squeeze(el[dom.textContent] ?? '') === label;
    const isPlain = el => !none && !bare && roles.includes('button') && says(el) && ![...el[dom.children]].some(says) && actsFor(el) === el;
    const all = byPierce(document, '*').filter(el => (roles.includes(roleOf(el)) !== none || isPlain(el)) && isVisible(el)).slice(0, 3000)
      .map(el => ({ el, shares: shares(print(el, bare, { brief: true })) }))
      .filter(({ shares }) => !none || shares >= 1)
      .sort((a, b) => b.shares - a.shares).slice(0, 60);
    liked = all.map(({ el }) => el);
    const found = held ? liked.indexOf(actsFor(held.el)) : -1;
    return { elements: remembering(() => liked.map(el => print(el, bare, { depth: known.row?.depth }))), ...found >= 0 ? { own: found } : {} };
  },
  // Selectors that might mean it alone, the most lasting first.
  means: ({ of }) => {
    const el = liked[of];
    if (!el?.[dom.isConnected]) return { selectors: [] };
    const role = roleOf(el), name = nameOf(el, role, false), own = single(el);
    const aria = role && name && name.length <= 60 && !/["'[\]{]/.test(name) ? [`aria/${name}[role="${role}"]`] : null;
    const forTests = own && TEST_IDS.some(id => own.at(-1).startsWith(`[${id}=`));
    return { selectors: (forTests ? [own] : [aria, own]).filter(Boolean) };
  },
  // Whether an alternative means this one, and no other.
  agrees: ({ alternative, of }) => {
    const found = matches(alternative);
    return { ok: found.length === 1 && (found[0] === liked[of] || actsFor(found[0]) === liked[of]) };
  },
};

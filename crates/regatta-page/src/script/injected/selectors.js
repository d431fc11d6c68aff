// From a selector to the elements that match it, chains through shadow roots included.

const squeeze = text => text.replace(/\s+/g, ' ').trim();
const UNREAD = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'TITLE']);
const isPushInput = el => el[dom.localName] === 'input' && ['button', 'submit', 'reset'].includes(el[dom.type]);

const shadowOf = el => {
  const root = el[dom.shadowRoot];
  if (root) roots.add(root);
  return root;
};

const byText = (scope, wanted) => {
  const texts = new Map(), out = [];
  const read = node => {
    if (node[dom.nodeType] === Node.TEXT_NODE) return node[dom.data];
    if (node[dom.nodeType] === Node.ELEMENT_NODE) {
      if (UNREAD.has(node[dom.nodeName])) return '';
      if (isPushInput(node)) { texts.set(node, node[dom.value]); return node[dom.value]; }
    }
    let text = '';
    const root = node[dom.nodeType] === Node.ELEMENT_NODE && shadowOf(node);
    if (root) text += read(root);
    for (let child = node[dom.firstChild]; child; child = child[dom.nextSibling]) text += read(child);
    texts.set(node, text);
    return text;
  };
  read(scope);
  const collect = node => {
    const before = out.length;
    const root = node[dom.nodeType] === Node.ELEMENT_NODE && node[dom.shadowRoot];
    if (root) for (const child of root[dom.children]) visit(child);
    for (const child of node[dom.children]) visit(child);
    return out.length > before;
  };
  const visit = el => {
    if (texts.has(el) && squeeze(texts.get(el)).includes(wanted) && !collect(el)) out.push(el);
  };
  for (const child of scope[dom.children]) visit(child);
  return out;
};

const byPierce = (scope, selector) => {
  const out = [...scope[dom.querySelectorAll](selector)];
  for (const el of scope[dom.querySelectorAll]('*')) {
    const root = shadowOf(el);
    if (root) out.push(...byPierce(root, selector));
  }
  return out;
};

const byXPath = (scope, path) => {
  // A shadow root cannot be a context, its children can.
  const contexts = scope[dom.nodeType] === Node.DOCUMENT_FRAGMENT_NODE ? [...scope[dom.children]] : [scope];
  const out = new Set();
  for (const context of contexts) {
    const found = document[dom.evaluate](path, context, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
    for (let i = 0; i < found.snapshotLength; i++) {
      if (found.snapshotItem(i)[dom.nodeType] === Node.ELEMENT_NODE) out.add(found.snapshotItem(i));
    }
  }
  return [...out];
};

const lookup = { css: (scope, text) => [...scope[dom.querySelectorAll](text)], pierce: byPierce, xpath: byXPath,
  text: (scope, text) => { const wanted = squeeze(text); return wanted ? byText(scope, wanted) : []; } };

// Each selector inside the shadow root (or else the subtree) of each match of the one before.
const follow = (chain, start) => {
  let found = start;
  for (const [kind, text] of chain) {
    const next = new Set();
    for (const from of found) {
      const scope = from[dom.nodeType] === Node.DOCUMENT_NODE ? from : shadowOf(from) ?? from;
      for (const el of lookup[kind](scope, text)) next.add(el);
    }
    found = [...next];
  }
  return found;
};

// The elements that the accessibility tree gave for an alternative, until it is queried again.
const stashed = new Map();

const matches = alternative => {
  if (alternative.stashed) return (stashed.get(alternative.index) ?? []).filter(el => el[dom.isConnected]);
  return follow(alternative.chain, [document]);
};

// Runs in a world of its own beside the page: the page can neither see nor change it.
// One call resolves, scrolls, checks and measures. Every wait ends by a change of the page or by its deadline.
(() => {
  const VERSION = 3;
  if (globalThis.regatta?.version === VERSION) return;

  // ---- what the page is waited for with

  const CHANGES = ['load', 'DOMContentLoaded', 'transitionend', 'transitioncancel', 'animationend', 'scroll', 'scrollend',
    'resize', 'input', 'change', 'focusin', 'toggle', 'slotchange', 'readystatechange'];
  // Roots that a selector went through: mutations inside them do not show in the document.
  const roots = new Set();

  // Whether it was drawn: a page that is hidden draws no frames, one behind other tabs may pause for a while.
  const frame = () => new Promise(done => {
    const timer = setTimeout(() => done(false), 100);
    requestAnimationFrame(() => { clearTimeout(timer); done(true); });
  });

  // What the last input left to be done at once: a form submits itself in a task of its own. Right after
  // an input Chromium lets such tasks wait for the next frame.
  const tasksDone = async () => {
    await new Promise(done => setTimeout(done));
    await new Promise(done => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(null);
    });
  };

  // The next change, or a tenth of a second for what shows in no mutation (a value, a property, a colour).
  const changed = end => new Promise(done => {
    const finish = () => {
      observer.disconnect();
      clearTimeout(timer);
      for (const type of CHANGES) removeEventListener(type, finish, true);
      done();
    };
    const observer = new MutationObserver(finish);
    const all = { subtree: true, childList: true, attributes: true, characterData: true };
    observer.observe(document, all);
    for (const root of roots) root.host?.isConnected ? observer.observe(root, all) : roots.delete(root);
    const timer = setTimeout(finish, Math.max(1, Math.min(100, end - performance.now())));
    for (const type of CHANGES) addEventListener(type, finish, { capture: true, passive: true });
  }).then(frame);

  // Tries until it holds, until the deadline, or, where the accessibility tree has to be asked
  // again, until the page has changed.
  const until = async (query, attempt) => {
    const start = performance.now(), end = start + query.ms;
    for (;;) {
      const result = attempt();
      if (result.ok || result.why?.final) return result;
      if (performance.now() >= end) return result;
      await changed(end);
      if (query.again) {
        const rest = Math.min(start + 100, end) - performance.now();
        if (rest > 0) await new Promise(done => setTimeout(done, rest));
        if (performance.now() < end) return { ...result, again: true };
      }
    }
  };

  // ---- selectors

  const squeeze = text => text.replace(/\s+/g, ' ').trim();
  const UNREAD = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'TITLE']);
  const isPushInput = el => el.localName === 'input' && ['button', 'submit', 'reset'].includes(el.type);

  const shadowOf = el => {
    const root = el.shadowRoot;
    if (root) roots.add(root);
    return root;
  };

  const byText = (scope, wanted) => {
    const texts = new Map(), out = [];
    const read = node => {
      if (node.nodeType === Node.TEXT_NODE) return node.data;
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (UNREAD.has(node.nodeName)) return '';
        if (isPushInput(node)) { texts.set(node, node.value); return node.value; }
      }
      let text = '';
      const root = node.nodeType === Node.ELEMENT_NODE && shadowOf(node);
      if (root) text += read(root);
      for (let child = node.firstChild; child; child = child.nextSibling) text += read(child);
      texts.set(node, text);
      return text;
    };
    read(scope);
    const collect = node => {
      const before = out.length;
      const root = node.nodeType === Node.ELEMENT_NODE && node.shadowRoot;
      if (root) for (const child of root.children) visit(child);
      for (const child of node.children) visit(child);
      return out.length > before;
    };
    const visit = el => {
      if (texts.has(el) && squeeze(texts.get(el)).includes(wanted) && !collect(el)) out.push(el);
    };
    for (const child of scope.children) visit(child);
    return out;
  };

  const byPierce = (scope, selector) => {
    const out = [...scope.querySelectorAll(selector)];
    for (const el of scope.querySelectorAll('*')) {
      const root = shadowOf(el);
      if (root) out.push(...byPierce(root, selector));
    }
    return out;
  };

  const byXPath = (scope, path) => {
    // A shadow root cannot be a context, its children can.
    const contexts = scope.nodeType === Node.DOCUMENT_FRAGMENT_NODE ? [...scope.children] : [scope];
    const out = new Set();
    for (const context of contexts) {
      const found = document.evaluate(path, context, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
      for (let i = 0; i < found.snapshotLength; i++) {
        if (found.snapshotItem(i).nodeType === Node.ELEMENT_NODE) out.add(found.snapshotItem(i));
      }
    }
    return [...out];
  };

  const lookup = { css: (scope, text) => [...scope.querySelectorAll(text)], pierce: byPierce, xpath: byXPath,
    text: (scope, text) => { const wanted = squeeze(text); return wanted ? byText(scope, wanted) : []; } };

  // Each selector inside the shadow root (or else the subtree) of each match of the one before.
  const follow = (chain, start) => {
    let found = start;
    for (const [kind, text] of chain) {
      const next = new Set();
      for (const from of found) {
        const scope = from.nodeType === Node.DOCUMENT_NODE ? from : shadowOf(from) ?? from;
        for (const el of lookup[kind](scope, text)) next.add(el);
      }
      found = [...next];
    }
    return found;
  };

  // What the accessibility tree gave for an alternative, until it is asked again.
  const stashed = new Map();

  const matches = alternative => {
    if (alternative.stashed) return (stashed.get(alternative.index) ?? []).filter(el => el.isConnected);
    return follow(alternative.chain, [document]);
  };

  // ---- elements

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

  // ---- where a click goes

  // What lies at a point, looked for in every open shadow root and in the closed ones around `target`,
  // which the accessibility tree may have led into.
  const elementAt = (x, y, target) => {
    const around = new Map();
    for (let root = target.getRootNode(); root.host; root = root.host.getRootNode()) around.set(root.host, root);
    const rootOf = el => el && (el.shadowRoot ?? around.get(el));
    let el = document.elementFromPoint(x, y);
    for (let root = rootOf(el); root; root = rootOf(el)) {
      const inner = root.elementFromPoint(x, y);
      if (!inner || inner.getRootNode() !== root) break;
      el = inner;
    }
    return el;
  };

  const isHit = (el, hit) => {
    const owner = el.matches('input, textarea, select') ? el : closest(el, 'button, [role=button], a, [role=link]') ?? el;
    for (let at = hit; at; at = parentOf(at)) {
      if (at === el || at === owner || (at.localName === 'label' && at.control === el)) return true;
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

  const coveredWhy = (el, x, y) => {
    const hit = elementAt(x, y, el);
    if (hit && isHit(el, hit)) return null;
    const why = message => ({ code: 'covered', message });
    if (closest(el, '[inert]')) return why(`the ${noun(el)} is inert`);
    if (!hit) return why(`the ${noun(el)} cannot be scrolled into view`);
    const through = getComputedStyle(el).pointerEvents === 'none';
    return why(through ? `the ${noun(el)} lets clicks through to ${describe(hit)}` : `covered by ${describe(cover(el, hit))}`);
  };

  const clickPoint = (el, at) => {
    const box = boxOf(el);
    if (at) return [box.x + at.x, box.y + at.y];
    // Of a text that wraps, the middle of the box may lie outside all of its lines.
    const line = [...rangeOf(el).getClientRects()].find(rect => rect.width > 0 && rect.height > 0) ?? box;
    return [line.x + line.width / 2, line.y + line.height / 2];
  };

  // From the frame's own origin, inside border and padding, to the corner of its box. A frame that is
  // scaled scales what is in it.
  const insideOf = (el, x, y) => {
    const box = el.getBoundingClientRect(), style = getComputedStyle(el);
    const scaleX = el.offsetWidth ? box.width / el.offsetWidth : 1, scaleY = el.offsetHeight ? box.height / el.offsetHeight : 1;
    return { x: (el.clientLeft + parseFloat(style.paddingLeft) + x) * scaleX, y: (el.clientTop + parseFloat(style.paddingTop) + y) * scaleY };
  };

  let scrolls = 0;
  const bringIntoView = (el, at) => {
    const block = ['center', 'end', 'start', 'nearest'][scrolls++ % 4];
    boxed(el).scrollIntoView({ block, inline: 'center', behavior: 'instant' });
    // The point of a large element may still be outside.
    for (let scroller = parentOf(el); scroller; scroller = parentOf(scroller)) {
      const isRoot = scroller === document.scrollingElement;
      if (!isRoot && getComputedStyle(scroller).overflow === 'visible') continue;
      const [x, y] = clickPoint(el, at);
      const view = isRoot ? { left: 0, top: 0, right: innerWidth, bottom: innerHeight } : scroller.getBoundingClientRect();
      if (x < view.left || x >= view.right || y < view.top || y >= view.bottom) {
        scroller.scrollBy({ left: x - (view.left + view.right) / 2, top: y - (view.top + view.bottom) / 2, behavior: 'instant' });
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
    const animations = () => document.getAnimations().filter(animation => animation.timeline === document.timeline);
    const shown = document.visibilityState === 'visible';
    const draw = shown ? () => new Promise(requestAnimationFrame) : frame;
    const animated = animations().some(animation => animation.pending || animation.playState === 'running');
    let since = document.timeline.currentTime;
    for (let frames = 1; ; frames++) {
      await draw();
      if (!isSame(box, boxOf(el))) return false;
      // The clock of a hidden page stands.
      if (!animated || !shown && frames > 1) return true;
      const now = document.timeline.currentTime;
      // One that has not begun begins with the frame that it is drawn in.
      if (frames < 10 && animations().some(animation => animation.pending)) since = now;
      else if (now - since >= HALF_A_FRAME) return true;
    }
  };

  // ---- what an element is like, and a selector that means it alone

  const TEST_IDS = ['data-testid', 'data-test-id', 'data-test', 'data-qa', 'data-cy', 'data-pw'];
  const KEPT = [...TEST_IDS, 'id', 'name', 'type', 'placeholder', 'title', 'alt', 'for', 'autocomplete'];
  const KEYS = new Set([...TEST_IDS, 'id', 'name', 'for']);

  // What no author has written: counted, hashed, or given by a toolkit.
  const looksGenerated = word => /\d{3,}|[-_]\d{2,}$|[:«»{}]/.test(word)
    || /^(?:ember|radix|headlessui|react-select|mui|yui|gwt|ext-gen|jss|cdk|mat|rc)[-_]?(?:[a-z]+[-_])*\d/i.test(word)
    || /^(?:css|sc|svelte|emotion)-[a-z0-9]{5,}/i.test(word)
    || word.split(/[-_]+/).some(part => part.length >= 5 && /\d/.test(part) && /[a-z]/i.test(part) && !/^[a-z]+\d{1,2}$/i.test(part));

  // The words inside, without what fields hold: that is somebody's. More than is kept, so that a value is
  // whole when it is masked.
  const wordsOf = el => {
    let text = '', nodes = 500;
    const read = node => {
      if (text.length > 300 || nodes-- < 0) return;
      if (node.nodeType === Node.TEXT_NODE) { text += node.data.slice(0, 1000); return; }
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (UNREAD.has(node.nodeName) || ['textarea', 'select', 'input'].includes(node.localName) || node.isContentEditable) return;
        if (node.shadowRoot) read(node.shadowRoot);
      }
      for (let child = node.firstChild; child; child = child.nextSibling) read(child);
    };
    read(el);
    return squeeze(text).slice(0, 300);
  };

  const TAG_ROLES = { button: 'button', summary: 'button', textarea: 'textbox', option: 'option', img: 'img', li: 'listitem',
    h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading', h6: 'heading', nav: 'navigation', main: 'main', dialog: 'dialog' };
  const INPUT_ROLES = { button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox', radio: 'radio',
    range: 'slider', number: 'spinbutton', search: 'searchbox', file: 'file', hidden: '' };
  const roleOf = el => {
    const said = el.getAttribute('role')?.trim().split(/\s+/)[0].toLowerCase();
    if (said && said !== 'none' && said !== 'presentation') return said;
    if (el.localName === 'a' || el.localName === 'area') return el.hasAttribute('href') ? 'link' : '';
    if (el.localName === 'input') return INPUT_ROLES[el.type] ?? (el.list ? 'combobox' : 'textbox');
    if (el.localName === 'select') return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
    if (el.isContentEditable && el.hasAttribute('contenteditable')) return 'textbox';
    return TAG_ROLES[el.localName] ?? '';
  };

  // Near to the accessible name: the tree itself would cost a round trip.
  const NAMED_BY_CONTENT = new Set(['button', 'link', 'heading', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'checkbox', 'radio', 'switch', 'treeitem']);
  const nameOf = (el, role, bare) => {
    const root = el.getRootNode();
    const by = (el.getAttribute('aria-labelledby') ?? '').split(/\s+/).map(id => id && root.getElementById?.(id)).filter(Boolean);
    const said = by.map(wordsOf).join(' ').trim() || squeeze(el.getAttribute('aria-label') ?? '');
    if (said) return said;
    if (isPushInput(el)) return squeeze(el.value) || { submit: 'Submit', reset: 'Reset' }[el.type] || '';
    const content = !bare && NAMED_BY_CONTENT.has(role) && !el.isContentEditable ? wordsOf(el) || squeeze(el.querySelector('img[alt]')?.alt ?? '') : '';
    // `labels` would walk the whole document.
    const label = 'labels' in el && (closest(el, 'label') ?? (el.id && root.querySelector?.(`label[for=${quoted(el.id)}]`)));
    return label && wordsOf(label) || content || ['alt', 'title', 'placeholder'].map(name => squeeze(el.getAttribute(name) ?? '')).find(Boolean) || '';
  };

  const isId = part => /^\d+$|^[0-9a-f]{8,}$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(part);
  // Where a link leads, without its query: `/users/:id/edit`.
  const leadsTo = el => {
    try {
      const url = new URL(el.getAttribute('href'), document.baseURI);
      if (!url.protocol.startsWith('http')) return '';
      const path = decodeURIComponent(url.pathname).split('/').map(part => isId(part) ? ':id' : part).join('/');
      return url.origin === location.origin ? path : url.origin + path;
    } catch { return ''; }
  };

  const over = el => el.parentElement ?? el.getRootNode().host ?? null;
  const placeOf = el => {
    const steps = [];
    for (let at = el; at && at.localName !== 'body' && at.localName !== 'html' && steps.length < 8; at = over(at)) {
      // Far down a long list one place is as good as the next.
      let nth = 1;
      for (let other = at.previousElementSibling; other && nth < 30; other = other.previousElementSibling) if (other.localName === at.localName) nth++;
      steps.unshift(`${at.localName}:${nth}`);
    }
    return steps.join('>');
  };

  const LANDMARKS = 'form, nav, main, header, footer, aside, dialog, fieldset, section[aria-label], [role=dialog], [role=form], [role=navigation], [role=region], [role=search], [role=main]';
  const landmarkOf = el => {
    const mark = over(el) && closest(over(el), LANDMARKS);
    if (!mark) return '';
    let heading = mark.firstElementChild;
    for (let n = 0; heading && n < 5 && !heading.matches('legend, h1, h2, h3'); n++) heading = heading.nextElementSibling;
    if (!heading?.matches('legend, h1, h2, h3')) heading = null;
    const name = squeeze(mark.getAttribute('aria-label') ?? '') || (heading && mark.localName !== 'main' ? wordsOf(heading) : '');
    return (mark.getAttribute('role') ?? mark.localName) + (name ? ` "${name}"` : '');
  };

  // One of many that come and go. Menus are lists, too; theirs stay.
  const isItem = el => closest(el, 'li, tr, article, nav, menu, header, footer, [role=listitem], [role=row], [role=article], [role=option], [role=menu], [role=menubar], [role=tablist], [role=toolbar], [role=navigation]')
    ?.matches('li, tr, article, [role=listitem], [role=row], [role=article], [role=option]')
    && !closest(el, 'nav, menu, header, footer, [role=menu], [role=menubar], [role=tablist], [role=toolbar], [role=navigation]');

  // A word inside a button stands for the button.
  const actsFor = el => { const control = controlOf(el); return control === el ? closest(el, 'button, [role=button], a[href], [role=link]') ?? el : control; };

  // `bare`: without the content.
  const print = (el, bare = false) => {
    const attributes = {}, role = roleOf(el), sort = sortOf(el);
    for (const name of KEPT) {
      const value = squeeze(el.getAttribute(name) ?? '');
      if (value && !(KEYS.has(name) && looksGenerated(value))) attributes[name] = value.slice(0, 300);
    }
    if (role === 'link') attributes.href = leadsTo(el).slice(0, 300);
    if (sort === 'checkbox' || sort === 'radio') attributes.value = (el.getAttribute('value') ?? '').slice(0, 300);
    for (const name of ['href', 'value']) if (!attributes[name]) delete attributes[name];
    const name = nameOf(el, role, bare), holds = ['text', 'native', 'select'].includes(sort);
    const text = bare || holds ? '' : wordsOf(el);
    return { tag: el.localName, role, name, text: text === name ? '' : text, attributes,
      classes: [...el.classList].filter(word => !looksGenerated(word)).slice(0, 6),
      path: placeOf(el), landmark: landmarkOf(el), item: !!isItem(el) };
  };

  // Of an element that a value is read from: it may be somebody's.
  const printRead = (el, attribute) => {
    const read = print(el, true);
    delete read.attributes[attribute];
    return read;
  };

  const quoted = value => `"${value.replace(/["\\]/g, '\\$&')}"`;
  const isOnly = (root, css, el) => {
    try { const found = root.querySelectorAll(css); return found.length === 1 && found[0] === el; } catch { return false; }
  };
  // Selectors of the element's own keys, the most lasting first. `{` would begin a template.
  const keysOf = el => {
    const pair = (name, tag = '') => { const value = el.getAttribute(name); return value && value.length <= 80 && !/[\n{]/.test(value) ? `${tag}[${name}=${quoted(value)}]` : null; };
    const written = name => !looksGenerated(el.getAttribute(name) ?? '');
    const out = TEST_IDS.filter(written).map(name => pair(name));
    if (el.id && !looksGenerated(el.id)) out.push('#' + CSS.escape(el.id));
    const named = written('name') && pair('name', el.localName);
    if (named) out.push(named, ['radio', 'checkbox'].includes(el.type) && pair('value') ? named + pair('value') : null);
    for (const name of ['aria-label', 'placeholder', 'title', 'alt']) out.push(pair(name, el.localName));
    if (el.localName === 'a' && !leadsTo(el).includes(':id') && written('href')) out.push(pair('href', 'a'));
    return out.filter(Boolean);
  };
  const singleIn = (el, root) => {
    const key = keysOf(el).find(css => isOnly(root, css, el));
    if (key) return key;
    // Without a key on the way, three steps: fewer would match whatever comes next.
    let path = '';
    for (let at = el, steps = 1; at; at = at.parentElement, steps++) {
      const below = at !== el && keysOf(at).map(css => `${css} > ${path}`).find(css => isOnly(root, css, el));
      if (below) return below;
      const alike = [...at.parentElement?.children ?? at.getRootNode().children ?? []].filter(other => other.localName === at.localName);
      const step = CSS.escape(at.localName) + (alike.length > 1 ? `:nth-of-type(${alike.indexOf(at) + 1})` : '');
      path = path ? `${step} > ${path}` : step;
      if ((steps >= 3 || at.localName === 'body' || !at.parentElement) && isOnly(root, path, el)) return path;
    }
    return null;
  };
  // A chain as flows write it, or null: a selector in each shadow root on the way.
  const single = el => {
    const root = el.getRootNode(), own = singleIn(el, root);
    if (!own || !root.host) return own && [own];
    const host = single(root.host);
    return host && [...host, own];
  };

  // What was found to be like something, until it is asked again.
  let liked = [];
  const likeness = {
    // Visible elements of these roles (or of none of them), those that have most in common with `known` first.
    likes: ({ known, roles, none, bare }) => {
      const shares = seen => [...TEST_IDS, 'id', 'name', 'href', 'placeholder'].filter(name => known.attributes?.[name] && known.attributes[name] === seen.attributes[name]).length
        + ((known.name || known.text || null) === (seen.name || seen.text) ? 1 : 0) + (known.path === seen.path ? .5 : 0);
      const all = byPierce(document, '*').filter(el => roles.includes(roleOf(el)) !== none && isVisible(el)).slice(0, 3000)
        .map(el => { const seen = print(el, bare); return { el, seen, shares: shares(seen) }; })
        .filter(({ shares }) => !none || shares >= 1)
        .sort((a, b) => b.shares - a.shares).slice(0, 60);
      liked = all.map(({ el }) => el);
      return { ok: true, elements: all.map(({ seen }) => seen) };
    },
    // Selectors that might mean it alone, the most lasting first.
    means: ({ of }) => {
      const el = liked[of];
      if (!el?.isConnected) return { ok: true, selectors: [] };
      const role = roleOf(el), name = nameOf(el, role, false), own = single(el);
      const aria = role && name && name.length <= 60 && !/["'[\]{]/.test(name) ? [`aria/${name}[role="${role}"]`] : null;
      const forTests = own && TEST_IDS.some(id => own.at(-1).startsWith(`[${id}=`));
      return { ok: true, selectors: (forTests ? [own] : [aria, own]).filter(Boolean) };
    },
    // Whether an alternative means this one, and no other.
    agrees: ({ alternative, of }) => {
      const found = matches(alternative);
      return { ok: found.length === 1 && (found[0] === liked[of] || actsFor(found[0]) === liked[of]) };
    },
  };

  // ---- checks

  let held = null, passage = null;

  const optionFor = (el, value) => {
    const options = [...el.options];
    return options.find(option => option.value === value) ?? options.find(option => squeeze(option.label) === squeeze(value) || squeeze(option.text) === squeeze(value));
  };

  // Whether a number, a date, a colour is one: what is none would be dropped in silence.
  const accepts = (el, value) => {
    const probe = el.cloneNode();
    setNatively(probe, 'value', value);
    const got = probe.value;
    if (got.toLowerCase() === value.toLowerCase()) return true;
    return got !== '' && (['number', 'range'].includes(el.type) ? Number(got) === Number(value) : el.type !== 'color');
  };

  // Why the element is not ready for what the query needs, or null.
  const unready = (el, query) => {
    const needs = query.needs;
    if (needs.visible && !isVisible(el)) return { code: 'invisible', message: `the ${noun(el)} is not visible` };
    if (needs.enabled && isDisabled(controlOf(el))) return { code: 'disabled', message: `the ${noun(controlOf(el))} is disabled` };
    if (needs.editable) {
      const sort = sortOf(el);
      if (sort === 'file') return { code: 'unfit', message: 'the field takes files: use regatta.upload', final: true };
      if (!['text', 'native', 'select', 'checkbox', 'radio'].includes(sort)) {
        return { code: 'unfit', message: `a value cannot be set on ${describe(el)}` };
      }
      if ((sort === 'native' || el.type === 'number' && needs.value !== '') && !accepts(el, needs.value)) {
        return { code: 'option', message: `the field of type ${el.type} does not take this value` };
      }
      // Boxes of one character pass the focus on.
      if (sort === 'text' && el.maxLength > 1 && needs.value.length > el.maxLength) {
        return { code: 'option', message: `the field takes at most ${el.maxLength} characters` };
      }
      if ((sort === 'text' || sort === 'native') && isReadOnly(el)) return { code: 'readonly', message: 'the field is read-only' };
      if (sort === 'select') {
        const option = optionFor(el, needs.value);
        if (!option) {
          const names = [...el.options].slice(0, 10).map(option => `\`${short(option.label)}\``).join(', ');
          return { code: 'option', message: `the list has no such option; it has ${names || 'none'}` };
        }
        if (option.matches(':disabled')) return { code: 'option', message: 'that option of the list is disabled' };
      }
    }
    if (needs.files) {
      const input = controlOf(el);
      if (sortOf(input) !== 'file') {
        return { code: 'unfit', message: `${describe(input)} takes no files: name the input of type file behind it`, final: true };
      }
      if (input.webkitdirectory) return { code: 'unfit', message: 'the field takes a folder, not files', final: true };
      if (needs.files > 1 && !input.multiple) {
        return { code: 'unfit', message: `the field takes one file, not ${needs.files}`, final: true };
      }
    }
    if (needs.at) {
      const box = boxOf(el);
      if (needs.at.x < 0 || needs.at.y < 0 || needs.at.x >= box.width || needs.at.y >= box.height) {
        const size = n => Math.round(n * 10) / 10;
        return { code: 'offset', message: `the offset ${needs.at.x}, ${needs.at.y} is outside the ${noun(el)}, which is ${size(box.width)} × ${size(box.height)}` };
      }
    }
    if (needs.hit) {
      let [x, y] = clickPoint(el, needs.at);
      let why = coveredWhy(el, x, y);
      if (why) {
        bringIntoView(el, needs.at);
        [x, y] = clickPoint(el, needs.at);
        why = coveredWhy(el, x, y);
      }
      if (why) return why;
    } else if (needs.view) {
      el.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
    }
    return null;
  };

  const shows = () => short(document.querySelector('h1')?.innerText || document.title);

  const settleOn = (el, index, query) => {
    if (query.needs.editable) el = controlOf(el);
    const why = unready(el, query);
    if (why) return { ok: false, why: { ...why, shows: shows() }, alternative: index };
    const box = boxOf(el);
    const [x, y] = clickPoint(el, query.needs.at);
    const rests = rest(el, box);
    held = { el, needs: query.needs, box, x, y, rests };
    return { ok: true, alternative: index, ...toInput(x, y), sort: sortOf(el), checked: isChecked(el),
      url: location.href, origin: globalThis.origin, element: query.from ? printRead(el, query.attribute) : print(actsFor(el)) };
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
      const settled = found.length === 1 && settleOn(found[0], query.remembered.index, query);
      if (settled?.ok) return settled;
      if (query.only) return { ok: false, why: { code: 'missing', message: '', final: found.length > 0 } };
    }
    let ambiguous = null, invalid = null, valid = 0;
    for (const alternative of query.alternatives) {
      let found;
      if (passed(alternative.index)) { valid++; continue; }
      try { found = matches(alternative); valid++; } catch { invalid ??= alternative; continue; }
      if (found.length === 1) {
        const settled = settleOn(found[0], alternative.index, query);
        // The accessibility tree is slow to ask: what means the same without it is remembered.
        if (settled.ok && alternative.stashed) settled.cheaper = query.alternatives.find(other => !other.stashed && !passed(other.index) && means(other, found[0]))?.index;
        return settled;
      }
      if (found.length > 1) {
        ambiguous ??= { code: 'ambiguous', message: `${found.length} elements match`, alternative: alternative.index,
          candidates: found.slice(0, 10).map(candidate) };
      }
    }
    if (!valid && invalid) {
      return { ok: false, why: { code: 'invalid', message: 'not a valid selector', alternative: invalid.index, final: true } };
    }
    return { ok: false, why: { ...(ambiguous ?? { code: 'missing', message: '' }), shows: shows() } };
  };

  const holds = (operator, found, count) => operator === '>=' ? found >= count : operator === '<=' ? found <= count : found === count;

  const subset = (wanted, got) => {
    if (wanted === null || typeof wanted !== 'object') return Object.is(wanted, got);
    if (got === null || got === undefined) return false;
    return Object.keys(wanted).every(key => subset(wanted[key], got[key]));
  };

  const setNatively = (el, name, value) => {
    const prototype = { input: HTMLInputElement, select: HTMLSelectElement, option: HTMLOptionElement }[el.localName].prototype;
    Object.getOwnPropertyDescriptor(prototype, name).set.call(el, value);
  };

  const tell = el => {
    el.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
    el.dispatchEvent(new Event('change', { bubbles: true }));
  };

  // ---- a press, from when its element was confirmed to when it is known where it went

  // What the page does in between may bring something else under the pointer. Such a press is kept from
  // the page, with all that follows it, and the action is tried again.
  let press = null;
  const BEGINS = ['pointerdown', 'mousedown'];
  const INPUTS = [...BEGINS, 'touchstart', 'touchend', 'pointerup', 'mouseup', 'click', 'auxclick', 'dblclick', 'contextmenu'];

  // Places of mouse events are whole numbers, those of frames that are scaled are further apart.
  const isAt = (event, x, y) => Math.abs(event.clientX - x) < 2 && Math.abs(event.clientY - y) < 2;

  const onInput = event => {
    if (!event.isTrusted) return;
    if (performance.now() > press.until) return stopWatching();
    if (BEGINS.includes(event.type)) press.reached ??= isAt(event, press.x, press.y) && press.el.isConnected && !coveredWhy(press.el, press.x, press.y);
    if (press.reached !== false) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };

  // Nobody's later press is taken for this one.
  const PRESS_MS = 5000;

  const watchPress = (el, x, y) => {
    press = { el, x, y, until: performance.now() + PRESS_MS };
    for (const type of INPUTS) addEventListener(type, onInput, { capture: true, passive: false });
  };

  const stopWatching = () => {
    press = null;
    for (const type of INPUTS) removeEventListener(type, onInput, { capture: true });
  };

  const methods = {
    find: query => { stopWatching(); scrolls = 0; return until(query, () => resolve(query)); },

    // Is everything still where it was, a frame later? The mouse's move has taken that frame, as a rule:
    // on a busy machine its answer may come before.
    confirm: async ({ stirred, watch }) => {
      const { el, needs, box, x, y, rests } = held;
      // The move itself may have set it off.
      const rested = await rests;
      if (stirred) await tasksDone();
      const stable = rested && isSame(box, boxOf(el));
      if (!el.isConnected) return { ok: false, why: { code: 'missing', message: 'the element was removed', shows: shows() } };
      if (!stable) return { ok: false, why: { code: 'moving', message: `the ${noun(el)} keeps moving`, shows: shows() } };
      const why = (needs.enabled && isDisabled(controlOf(el)) && { code: 'disabled', message: `the ${noun(controlOf(el))} is disabled` }) || coveredWhy(el, x, y);
      if (why) return { ok: false, why: { ...why, shows: shows() } };
      if (watch) watchPress(el, x, y);
      return { ok: true };
    },

    // Also where no press was seen: it went to another document, and cannot be taken back.
    reached: () => {
      const ok = press?.reached !== false;
      stopWatching();
      return { ok };
    },

    // Focus, and everything that is there selected: what is typed next replaces it. `found` is how many
    // characters the field has room for, where its owner has set a bound.
    edit: () => {
      const { el } = held;
      // Of editors in one another, the outermost has the focus.
      let target = el;
      while (target.isContentEditable && target.parentElement?.isContentEditable) target = target.parentElement;
      target.focus();
      // Its own root knows, though that may be a closed one.
      if (target.getRootNode().activeElement !== target) return { ok: false, why: { code: 'unfit', message: 'the field does not take the focus' } };
      if (el.isContentEditable) {
        const range = document.createRange();
        range.selectNodeContents(el);
        const selection = el.getRootNode().getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        return { ok: true, empty: el.textContent === '' };
      }
      el.select();
      return { ok: true, empty: el.value === '' && !el.validity.badInput, found: Math.max(0, el.maxLength ?? 0) };
    },

    set: ({ value }) => {
      const { el } = held;
      el.focus();
      if (el.localName === 'select') {
        const option = optionFor(el, value);
        if (!option || option.matches(':disabled')) return { ok: false, why: { code: 'option', message: 'the list has no such option any more' } };
        for (const other of el.options) if (other !== option && other.selected) setNatively(other, 'selected', false);
        setNatively(option, 'selected', true);
      } else {
        setNatively(el, 'value', value);
      }
      tell(el);
      return { ok: true };
    },

    checked: async ({ wanted, ms }) => until({ ms }, () => {
      const { el } = held;
      if (!el.isConnected || isChecked(el) === wanted) return { ok: true };
      return { ok: false, why: { code: 'unfit', message: `the ${noun(el)} did not change its state` } };
    }),

    // Not ok where it ends before the place that is meant: more may be on its way. It is gone to again
    // each time there is more, for `ms` from when the page was told: scroll events and observers run in
    // frames, and a page that draws none for `undrawn` is not waited for.
    scroll: async ({ x, y, page, ms, undrawn }) => {
      const root = document.scrollingElement ?? document.documentElement;
      const el = page || held.el === document.body ? root : held.el;
      const to = { behavior: 'instant' };
      if (x !== null) to.left = x;
      if (y !== null) to.top = y;
      const size = () => el.scrollHeight + el.scrollWidth, before = size();
      const isShort = () => (y ?? 0) > el.scrollHeight - el.clientHeight + 1 || (x ?? 0) > el.scrollWidth - el.clientWidth + 1;
      const hopeless = performance.now() + undrawn;
      for (let end = null;;) {
        el.scrollTo(to);
        for (let drawn = 0; drawn < 2;) {
          if (await frame() || !isShort() || performance.now() >= hopeless) drawn++;
        }
        end ??= performance.now() + ms;
        if (!isShort() || performance.now() >= end) return { ok: !isShort(), again: size() !== before };
        await changed(end);
      }
    },

    wait: query => until(query, () => {
      const { operator, count, visible, properties, attributes } = query;
      let valid = 0;
      const found = query.alternatives.map(alternative => {
        try {
          const all = matches(alternative);
          valid++;
          return all.filter(el => isVisible(el) === visible
            && Object.entries(attributes).every(([name, value]) => el.getAttribute(name) === value)
            && Object.entries(properties).every(([name, value]) => subset(value, el[name]))).length;
        } catch { return null; }
      });
      if (!valid) return { ok: false, why: { code: 'invalid', message: 'not a valid selector', alternative: query.alternatives[0].index, final: true } };
      const known = found.filter(n => n !== null);
      // That something is gone has to hold by every selector: one that is out of date finds nothing either.
      const absence = operator === '<=' || count === 0 && operator === '==';
      const ok = absence ? known.every(n => holds(operator, n, count)) : known.some(n => holds(operator, n, count));
      const most = Math.max(...known);
      return ok ? { ok } : { ok, found: most, why: { code: 'missing', message: '', shows: shows() } };
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
      const value = query.from === 'attribute' ? el.getAttribute(query.attribute)
        : query.from === 'value' ? el.value : el.innerText ?? el.textContent;
      const trimmed = typeof value === 'string' ? value.trim() : '';
      if (trimmed === '') return { ok: false, why: { code: 'empty', message: `the ${query.from} of ${describe(el)} is empty`, shows: shows() } };
      if (trimmed === query.not) return { ok: false, why: { code: 'empty', message: `the ${query.from} of ${describe(el)} does not match the pattern`, shows: shows() } };
      return { ...settled, value: trimmed };
    }),

    title: query => until(query, () => document.title === query.title ? { ok: true } : { ok: false, value: document.title }),

    // The document is there to its end.
    parsed: query => until(query, () => ({ ok: document.readyState !== 'loading' })),

    // The next change of the page; for conditions that are not asked in this world.
    changed: async ({ ms }) => { await changed(performance.now() + ms); return { ok: true }; },
    tasks: async () => { await tasksDone(); return { ok: true }; },
    frames: async () => { await frame(); await frame(); return { ok: true }; },
    shows: () => ({ ok: true, value: shows() }),

    // Where keys go: here, or on into a frame.
    focus: () => {
      let el = document.activeElement;
      while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
      return { ok: true, inside: el?.localName === 'iframe' || el?.localName === 'frame', origin: globalThis.origin };
    },
    focused: () => ({ ok: document.hasFocus() }),

    // ---- a frame that a step is played in, seen from the document around it

    // A point inside the frame becomes one outside. The frame has to be as an element that is clicked.
    through: ({ x, y }, el) => {
      if (!isVisible(el)) return { ok: false, why: { code: 'invisible', message: `the frame ${describe(el)} is not visible`, shows: shows() } };
      const at = insideOf(el, x, y);
      let [px, py] = clickPoint(el, at);
      let why = coveredWhy(el, px, py);
      if (why) {
        bringIntoView(el, at);
        [px, py] = clickPoint(el, at);
        why = coveredWhy(el, px, py);
      }
      if (why) return { ok: false, why: { ...why, shows: shows() } };
      const box = el.getBoundingClientRect();
      passage = { el, box, x: px, y: py, rests: rest(el, box) };
      return { ok: true, ...toInput(px, py) };
    },

    passed: async () => {
      const { el, box, x, y, rests } = passage;
      const still = await rests && el.isConnected && isSame(box, el.getBoundingClientRect());
      const why = still ? coveredWhy(el, x, y) : { code: 'moving', message: `the frame ${describe(el)} keeps moving` };
      return why ? { ok: false, why: { ...why, shows: shows() } } : { ok: true };
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

    // ---- evidence

    html: () => {
      byPierce(document, 'x');
      const open = [...roots].filter(root => root.host.isConnected);
      return { ok: true, value: `<!doctype html>\n<!-- ${location.href.replaceAll('--', '- -')} -->\n` +
        (document.documentElement.getHTML ? `<html>${document.documentElement.getHTML({ shadowRoots: open })}</html>` : document.documentElement.outerHTML) };
    },
  };

  // What is about an element that was found: its document may have been replaced since by this one.
  const OF_FOUND = new Set(['confirm', 'edit', 'set', 'checked']);
  const isLost = (method, query) => OF_FOUND.has(method) || method === 'scroll' && !query.page ? !held : method === 'passed' && !passage;

  globalThis.regatta = { version: VERSION,
    call: (method, query, ...nodes) => isLost(method, query) ? { lost: true } : methods[method](query, ...nodes) };
})();

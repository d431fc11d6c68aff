// The document as nested arrays, `[NAME, { attributes }, child…]`, as a trace's viewer wants it, with what
// markup lacks: values, scroll positions, shadow roots, rules that scripts have set. Nothing in it runs, and
// it requests nothing but pictures.
//
// Each frame describes itself: `owners` are the elements that hold the frames inside, `inside` their names.
function ({ limit, chains, inside }, ...owners) {
  let left = limit;
  const spend = text => { left -= text.length + 8; return text; };

  const rules = sheet => {
    try { return spend([...sheet.cssRules].map(rule => rule.cssText).join('\n')); } catch { return null; }
  };
  const adopted = root => [...root[dom.adoptedStyleSheets] ?? []].map(rules).filter(Boolean).map(text => ['STYLE', {}, text]);

  const attributes = el => {
    const out = {};
    for (const { name, value } of el[dom.attributes]) {
      if (name.startsWith('on') || ['nonce', 'integrity', 'srcdoc', 'ping', 'autofocus'].includes(name)) continue;
      out[name] = spend(value.startsWith('data:') && value.length > 20000 ? 'data:,' : value);
    }
    return out;
  };

  const state = (el, out) => {
    const name = el[dom.localName];
    if (name === 'input' || name === 'textarea') {
      if (el[dom.type] === 'checkbox' || el[dom.type] === 'radio') out.__playwright_checked_ = String(el[dom.checked]);
      else {
        // No password is shown.
        const hide = el[dom.type] === 'password';
        if (hide && out.value) out.value = '•'.repeat(8);
        out.__playwright_value_ = hide && el[dom.value] ? '•'.repeat(8) : el[dom.type] === 'file' ? '' : spend(el[dom.value]);
      }
    }
    if (name === 'option' && el[dom.selected]) out.__playwright_selected_ = 'true';
    if (el[dom.scrollTop]) out.__playwright_scroll_top_ = String(el[dom.scrollTop]);
    if (el[dom.scrollLeft]) out.__playwright_scroll_left_ = String(el[dom.scrollLeft]);
  };

  const children = node => {
    const out = [];
    let text = '';
    for (let child = node[dom.firstChild]; child && left > 0; child = child[dom.nextSibling]) {
      // Neighbours are one text: what is masked may span them.
      if (child[dom.nodeType] === Node.TEXT_NODE) { text += child[dom.data]; continue; }
      if (child[dom.nodeType] !== Node.ELEMENT_NODE) continue;
      const seen = element(child);
      if (!seen) continue;
      if (text) out.push(spend(text));
      text = '';
      out.push(seen);
    }
    if (text) out.push(spend(text));
    return out;
  };

  const element = el => {
    const name = el[dom.localName];
    if (['script', 'noscript', 'template', 'object', 'embed'].includes(name)) return null;
    if (name === 'meta' && el[dom.httpEquiv]) return null;
    if (name === 'link') {
      const text = el[dom.sheet] && rules(el[dom.sheet]);
      return text ? ['STYLE', el[dom.media] ? { media: el[dom.media] } : {}, text] : null;
    }
    const out = attributes(el);
    if (name === 'style') return ['STYLE', out, (el[dom.sheet] && rules(el[dom.sheet])) ?? spend(el[dom.textContent])];
    if (name === 'textarea') { state(el, out); return [el[dom.nodeName], out]; }
    state(el, out);
    if (name === 'iframe' || name === 'frame') {
      delete out.src;
      const at = owners.indexOf(el);
      if (at >= 0) out.__playwright_src__ = `/snapshot/${inside[at]}`;
      return [el[dom.nodeName], out];
    }
    const shadow = [];
    if (el[dom.shadowRoot]) {
      shadow.push(['template', { __playwright_shadow_root_: 'open' }, ...adopted(el[dom.shadowRoot]), ...children(el[dom.shadowRoot])]);
    }
    return [el[dom.nodeName], out, ...shadow, ...children(el)];
  };

  const html = element(document[dom.documentElement]);
  html.push(...adopted(document));

  // The corner of each frame inside, in this one's own pixels.
  const corners = owners.map(el => {
    const box = el[dom.getBoundingClientRect](), style = getComputedStyle(el);
    return { x: box.x + el[dom.clientLeft] + parseFloat(style.paddingLeft), y: box.y + el[dom.clientTop] + parseFloat(style.paddingTop) };
  });

  // The boxes of the elements that the step searched for, as far as they are there.
  const boxes = [];
  for (const chain of chains) {
    let found = [];
    try { found = globalThis.regatta.call('roots', { chain }); } catch {}
    for (const el of found.slice(0, 10)) {
      const { x, y, width, height } = el[dom.getBoundingClientRect]?.() ?? { width: 0 };
      if (width > 0 && height > 0) boxes.push({ x, y, width, height });
    }
    if (boxes.length) break;
  }
  return { url: document[dom.URL], doctype: document[dom.doctype]?.name ?? null, html, corners, boxes, width: innerWidth, height: innerHeight, left };
}

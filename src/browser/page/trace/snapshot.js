// The document as nested arrays, `[NAME, { attributes }, child…]`, as a trace's viewer wants it, with what
// markup does not say: values, scroll positions, shadow roots, rules that scripts have set. Nothing in it
// runs, and nothing that would be asked for again stands in it but pictures.
//
// Each frame tells of itself: `owners` are the elements that hold the frames inside, `inside` their names.
function ({ limit, chains, inside }, ...owners) {
  let left = limit;
  const spend = text => { left -= text.length + 8; return text; };

  const rules = sheet => {
    try { return spend([...sheet.cssRules].map(rule => rule.cssText).join('\n')); } catch { return null; }
  };
  const adopted = root => [...root.adoptedStyleSheets ?? []].map(rules).filter(Boolean).map(text => ['STYLE', {}, text]);

  const attributes = el => {
    const out = {};
    for (const { name, value } of el.attributes) {
      if (name.startsWith('on') || ['nonce', 'integrity', 'srcdoc', 'ping', 'autofocus'].includes(name)) continue;
      out[name] = spend(value.startsWith('data:') && value.length > 20000 ? 'data:,' : value);
    }
    return out;
  };

  const state = (el, out) => {
    const name = el.localName;
    if (name === 'input' || name === 'textarea') {
      if (el.type === 'checkbox' || el.type === 'radio') out.__playwright_checked_ = String(el.checked);
      else {
        // A password is nobody's to see, whoever's it is.
        const hide = el.type === 'password';
        if (hide && out.value) out.value = '•'.repeat(8);
        out.__playwright_value_ = hide && el.value ? '•'.repeat(8) : el.type === 'file' ? '' : spend(el.value);
      }
    }
    if (name === 'option' && el.selected) out.__playwright_selected_ = 'true';
    if (el.scrollTop) out.__playwright_scroll_top_ = String(el.scrollTop);
    if (el.scrollLeft) out.__playwright_scroll_left_ = String(el.scrollLeft);
  };

  const children = node => {
    const out = [];
    let text = '';
    for (let child = node.firstChild; child && left > 0; child = child.nextSibling) {
      // Neighbours are one text: what is masked may span them.
      if (child.nodeType === Node.TEXT_NODE) { text += child.data; continue; }
      if (child.nodeType !== Node.ELEMENT_NODE) continue;
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
    const name = el.localName;
    if (['script', 'noscript', 'template', 'object', 'embed'].includes(name)) return null;
    if (name === 'meta' && el.httpEquiv) return null;
    if (name === 'link') {
      const text = el.sheet && rules(el.sheet);
      return text ? ['STYLE', el.media ? { media: el.media } : {}, text] : null;
    }
    const out = attributes(el);
    if (name === 'style') return ['STYLE', out, (el.sheet && rules(el.sheet)) ?? spend(el.textContent)];
    if (name === 'textarea') { state(el, out); return [el.nodeName, out]; }
    state(el, out);
    if (name === 'iframe' || name === 'frame') {
      delete out.src;
      const at = owners.indexOf(el);
      if (at >= 0) out.__playwright_src__ = `/snapshot/${inside[at]}`;
      return [el.nodeName, out];
    }
    const shadow = [];
    if (el.shadowRoot) {
      shadow.push(['template', { __playwright_shadow_root_: 'open' }, ...adopted(el.shadowRoot), ...children(el.shadowRoot)]);
    }
    return [el.nodeName, out, ...shadow, ...children(el)];
  };

  const html = element(document.documentElement);
  html.push(...adopted(document));

  // The corner of each frame inside, in this one's own pixels.
  const corners = owners.map(el => {
    const box = el.getBoundingClientRect(), style = getComputedStyle(el);
    return { x: box.x + el.clientLeft + parseFloat(style.paddingLeft), y: box.y + el.clientTop + parseFloat(style.paddingTop) };
  });

  // Where what was looked for stands, as far as it is there.
  const boxes = [];
  for (const chain of chains) {
    let found = [];
    try { found = globalThis.regatta.call('roots', { chain }); } catch {}
    for (const el of found.slice(0, 10)) {
      const { x, y, width, height } = el.getBoundingClientRect?.() ?? { width: 0 };
      if (width > 0 && height > 0) boxes.push({ x, y, width, height });
    }
    if (boxes.length) break;
  }
  return { url: document.URL, doctype: document.doctype?.name ?? null, html, corners, boxes, width: innerWidth, height: innerHeight, left };
}

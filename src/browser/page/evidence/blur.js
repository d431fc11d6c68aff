// Hides what stands in text fields, in frames and open shadow roots too. A frame that cannot be looked into
// is hidden whole. Styles only: the page's own observers see no change of its elements.
async function (on) {
  const FIELDS = 'input:not([type=checkbox],[type=radio],[type=button],[type=submit],[type=reset],[type=file],' +
    '[type=image],[type=range],[type=color]), textarea, [contenteditable]:not([contenteditable=false])';
  if (!on) {
    for (const undo of globalThis.regattaBlurred ?? []) undo();
    globalThis.regattaBlurred = [];
    return { ok: true };
  }
  const undos = globalThis.regattaBlurred ??= [];
  const fields = [];
  const cover = root => {
    const sheet = new (root.ownerDocument ?? root).defaultView.CSSStyleSheet();
    sheet.replaceSync(`${FIELDS} { filter: blur(8px) !important; }`);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    undos.push(() => { root.adoptedStyleSheets = root.adoptedStyleSheets.filter(other => other !== sheet); });
    fields.push(...root.querySelectorAll(FIELDS));
    for (const el of root.querySelectorAll('*')) {
      if (el.shadowRoot) cover(el.shadowRoot);
      if (el.localName !== 'iframe' && el.localName !== 'frame') continue;
      if (el.contentDocument) { cover(el.contentDocument); continue; }
      const before = el.getAttribute('style');
      el.style.setProperty('filter', 'blur(8px)', 'important');
      undos.push(() => before === null ? el.removeAttribute('style') : el.setAttribute('style', before));
    }
  };
  cover(document);
  for (let frames = 0; frames < 2; frames++) {
    // A hidden page draws no frames.
    await new Promise(done => { setTimeout(done, 100); requestAnimationFrame(done); });
  }
  return { ok: fields.every(el => el.ownerDocument.defaultView?.getComputedStyle(el).filter.includes('blur')) };
}

// Hides what stands in text fields, in frames and open shadow roots too. A frame that cannot be looked into
// is hidden whole. Styles only: the page's own observers see no change of its elements.
async function (on) {
  const FIELDS = 'input:not([type=checkbox],[type=radio],[type=button],[type=submit],[type=reset],[type=file],' +
    '[type=image],[type=range],[type=color]), textarea, [contenteditable]:not([contenteditable=false])';
  const blurred = () => Object.hasOwn(globalThis, 'regattaBlurred') ? regattaBlurred : [];
  if (!on) {
    for (const undo of blurred()) undo();
    globalThis.regattaBlurred = [];
    return { ok: true };
  }
  const undos = globalThis.regattaBlurred = blurred();
  const fields = [];
  const cover = root => {
    const sheet = new (root[dom.ownerDocument] ?? root)[dom.defaultView].CSSStyleSheet();
    sheet.replaceSync(`${FIELDS} { filter: blur(8px) !important; }`);
    root[dom.adoptedStyleSheets] = [...root[dom.adoptedStyleSheets], sheet];
    undos.push(() => { root[dom.adoptedStyleSheets] = root[dom.adoptedStyleSheets].filter(other => other !== sheet); });
    fields.push(...root[dom.querySelectorAll](FIELDS));
    for (const el of root[dom.querySelectorAll]('*')) {
      if (el[dom.shadowRoot]) cover(el[dom.shadowRoot]);
      if (el[dom.localName] !== 'iframe' && el[dom.localName] !== 'frame') continue;
      const inner = el[dom.contentDocument];
      // An element that is not drawn is in no picture, and has no style.
      if (inner && !el[dom.getClientRects]().length) continue;
      if (inner) {
        aliasIn(propertyOf(inner, 'defaultView'));
        cover(inner);
        continue;
      }
      const before = el[dom.getAttribute]('style');
      el[dom.style].setProperty('filter', 'blur(8px)', 'important');
      undos.push(() => before === null ? el[dom.removeAttribute]('style') : el[dom.setAttribute]('style', before));
    }
  };
  cover(document);
  for (let frames = 0; frames < 2; frames++) {
    // A hidden page draws no frames.
    await new Promise(done => { scheduler.postTask(done, { delay: 100 }); requestAnimationFrame(done); });
  }
  return { ok: fields.every(el => el[dom.ownerDocument][dom.defaultView]?.getComputedStyle(el).filter.includes('blur')) };
}

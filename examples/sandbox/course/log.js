// What the page saw, a line an event; `untrusted` where a script made it. Kept for the tab at every address that it
// navigates to, and shown in an attribute of the outermost document: no selector finds it there.
{
  const KEY = 'course log';
  const outermost = (() => {
    try { return top.document && top; } catch { return null; }
  })();
  // Read once: a page may have forms of these names later.
  const root = outermost?.document.documentElement;
  const show = () => root.setAttribute('data-course-log', 'log\n' + (sessionStorage.getItem(KEY) ?? ''));

  globalThis.log = text => {
    // A frame of another origin, and a window that was opened, report where the log is kept.
    if (!outermost) return top.postMessage({ courseLog: text }, '*');
    if (opener) return opener.log(text);
    sessionStorage.setItem(KEY, (sessionStorage.getItem(KEY) ?? '') + text + '\n');
    show();
  };

  if (outermost && !opener) {
    show();
    addEventListener('message', event => {
      if (event.data?.courseLog) log(event.data.courseLog);
    });
  }

  // `data-log="click input"` on an element: these events of it and of its contents are logged.
  // Keys are not among them: whether a page listens to keys is a hazard of its own.
  for (const type of ['click', 'dblclick', 'mouseover', 'mousedown', 'touchstart', 'input', 'change', 'focusin']) {
    addEventListener(type, event => {
      const at = event.composedPath().find(el => el.dataset?.log?.split(' ').includes(type));
      if (!at) return;
      const detail = ['input', 'change'].includes(type) ? ` ${said(event.composedPath()[0])}` : '';
      log(`${type} ${at.id || at.localName}${detail}${event.isTrusted ? '' : ' untrusted'}`);
    }, true);
  }

  const said = el => {
    if (['checkbox', 'radio'].includes(el.type)) return el.checked;
    if (el.localName === 'select') return [...el.selectedOptions].map(option => option.value).join(', ');
    return JSON.stringify(el.value ?? el.textContent);
  };
}

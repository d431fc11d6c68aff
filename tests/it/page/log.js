// What the page saw, one line an event; `untrusted` where a script made it.
function log(text) {
  let out = document.getElementById('log');
  if (!out) {
    out = document.createElement('pre');
    out.id = 'log';
    out.style.display = 'none';
    document.documentElement.append(out);
  }
  out.append(text + '\n');
}
for (const type of ['click', 'dblclick', 'auxclick', 'contextmenu', 'mouseover', 'mousedown', 'input', 'change', 'keydown', 'keyup', 'submit', 'scroll']) {
  document.addEventListener(type, event => {
    const at = event.composedPath().find(el => el.dataset?.log?.split(' ').includes(type));
    if (!at) return;
    const detail = type.startsWith('key') ? ` ${event.key} ${event.code}` : type === 'click' && event.button ? ` button ${event.button}` : '';
    log(`${type} ${at.id}${detail}${event.isTrusted ? '' : ' untrusted'}`);
  }, true);
}

// What the page saw, one line an event; `untrusted` where a script made it.
const out = document.createElement('pre');
out.id = 'log';
out.style.display = 'none';
out.append('log\n');
document.documentElement.append(out);
function log(text) {
  out.append(text + '\n');
}
const record = type => {
  document.addEventListener(type, event => {
    const at = event.composedPath().find(el => el.dataset?.log?.split(' ').includes(type));
    if (!at) return;
    const detail = type.startsWith('key') ? ` ${event.key} ${event.code}` : type === 'click' && event.button ? ` button ${event.button}` : '';
    log(`${type} ${at.id}${detail}${event.isTrusted ? '' : ' untrusted'}`);
  }, true);
};
['click', 'dblclick', 'auxclick', 'contextmenu', 'mouseover', 'mousedown', 'input', 'change', 'submit', 'scroll'].forEach(record);
// A page that listens to keys is another one to type into.
addEventListener('DOMContentLoaded', () => document.querySelector('[data-log*=key]') && ['keydown', 'keyup'].forEach(record));

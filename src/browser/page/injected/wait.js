// What the page is waited for with: its frames, its changes, its deadline.

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
  for (const root of roots) root[dom.host]?.[dom.isConnected] ? observer.observe(root, all) : roots.delete(root);
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

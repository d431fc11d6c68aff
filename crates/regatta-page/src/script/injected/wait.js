// Waits for the page: its frames, its changes, its deadline.

const CHANGES = ['load', 'DOMContentLoaded', 'transitionend', 'transitioncancel', 'animationend', 'scroll', 'scrollend',
  'resize', 'input', 'change', 'focusin', 'toggle', 'slotchange', 'readystatechange'];
// Roots that a selector went through: mutations inside them do not show in the document.
const roots = new Set();

// In a frame whose sandbox forbids scripts no timer runs, of this world neither; what the scheduler is given
// runs. Where timers run, theirs is the order that the page's own have, so they go first.
const BEHIND_TIMERS = 20;
const after = (ms, act) => {
  const timer = setTimeout(act, ms), late = new AbortController();
  scheduler.postTask(act, { delay: ms + BEHIND_TIMERS, signal: late.signal }).catch(() => {});
  return () => { clearTimeout(timer); late.abort(); };
};
const pause = ms => new Promise(done => after(ms, done));

// Whether it was drawn: a page that is hidden draws no frames, one behind other tabs may pause for a while.
const frame = () => new Promise(done => {
  const cancel = after(100, () => done(false));
  requestAnimationFrame(() => { cancel(); done(true); });
});

// Waits for the tasks that the last input has left: a form submits itself in a task of its own. Right after
// an input Chromium lets such tasks wait for the next frame.
const tasksDone = async () => {
  await pause(0);
  await new Promise(done => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(null);
  });
};

// Waits for the next change, or a tenth of a second: a value, a property or a colour changes without a mutation.
const changed = end => new Promise(done => {
  const finish = () => {
    observer.disconnect();
    cancel();
    for (const type of CHANGES) removeEventListener(type, finish, true);
    done();
  };
  const observer = new MutationObserver(finish);
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  observer.observe(document, all);
  for (const root of roots) root[dom.host]?.[dom.isConnected] ? observer.observe(root, all) : roots.delete(root);
  const cancel = after(Math.max(1, Math.min(100, end - performance.now())), finish);
  for (const type of CHANGES) addEventListener(type, finish, { capture: true, passive: true });
}).then(frame);

// Tries until the result is ok, until the deadline, or, where the accessibility tree has to be queried again,
// until the page has changed.
const until = async (query, attempt) => {
  const start = performance.now(), end = start + query.ms;
  for (;;) {
    const result = attempt();
    if (result.ok || result.reason?.final) return result;
    if (performance.now() >= end) return result;
    await changed(end);
    if (query.again) {
      const rest = Math.min(start + 100, end) - performance.now();
      if (rest > 0) await pause(rest);
      if (performance.now() < end) return { ...result, again: true };
    }
  }
};

// The page side of the engine, version 1. Lives in an isolated world: the page sees none of it, and
// nothing the page redefines changes it. One call resolves, scrolls, checks and measures; waiting
// happens here, woken by mutations and frames.
(() => {
  if (globalThis.regatta) return;

  // ---- looking ----

  const fold = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const unique = (elements) => [...new Set(elements)];
  const rootsOf = (node) => (node.shadowRoot ? [node.shadowRoot] : [node]);

  /** `root` and every open shadow root below it. */
  function* scopes(root) {
    yield root;
    if (root.shadowRoot) yield* scopes(root.shadowRoot);
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) yield* scopes(element.shadowRoot);
    }
  }

  const UNREAD = new Set(["script", "style", "noscript", "template", "head", "title"]);

  /** What a person reads of a node: not its scripts and styles. `known` spares the second reading. */
  function textOf(node, known) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || UNREAD.has(node.localName)) return "";
    let text = known.get(node);
    if (text !== undefined) return text;
    if (node.localName === "input") {
      text = ["button", "submit", "reset"].includes(node.type) ? node.value : "";
    } else {
      text = "";
      for (const child of node.childNodes) text += textOf(child, known);
    }
    known.set(node, text);
    return text;
  }

  /** The deepest elements that contain the text, open shadow roots included. */
  function byText(root, text) {
    const wanted = fold(text);
    const known = new Map();
    const contains = (element) => fold(textOf(element, known)).includes(wanted);
    const found = [];
    for (const scope of scopes(root)) {
      for (const element of scope.querySelectorAll("*")) {
        if (contains(element) && ![...element.children].some(contains)) found.push(element);
      }
    }
    return found;
  }

  function byXPath(root, path) {
    const kind = XPathResult.ORDERED_NODE_SNAPSHOT_TYPE;
    const result = document.evaluate(path, root, null, kind, null);
    const found = [];
    for (let i = 0; i < result.snapshotLength; i++) {
      const node = result.snapshotItem(i);
      if (node.nodeType === Node.ELEMENT_NODE) found.push(node);
    }
    return found;
  }

  const byKind = {
    css: (root, text) => [...root.querySelectorAll(text)],
    pierce: (root, text) => [...scopes(root)].flatMap((scope) => [...scope.querySelectorAll(text)]),
    text: byText,
    xpath: byXPath,
  };

  class BadSelector extends Error {}
  class NeedsTree extends Error {}

  /** Every match of one alternative, a chain that enters the shadow root of each match. */
  function matches(chain, index, answers) {
    let roots = [document];
    for (const [depth, { kind, text }] of chain.entries()) {
      if (kind === "aria") {
        const answer = answers?.get(`${index}.${depth}`);
        if (!answer) throw new NeedsTree(`${index}.${depth}`);
        const inside = (element) => depth === 0 || roots.some((root) => holds(root, element));
        roots = answer.filter((element) => element.isConnected && inside(element));
      } else {
        try {
          roots = unique(roots.flatMap((root) => byKind[kind](root, text)));
        } catch (error) {
          throw new BadSelector(`\`${text}\` is not a selector: ${error.message}`);
        }
      }
      if (depth < chain.length - 1) roots = roots.flatMap(rootsOf);
    }
    return roots;
  }

  function holds(root, element) {
    for (let node = element; node; node = node.parentNode ?? node.host) if (node === root) return true;
    return false;
  }

  // ---- judging ----

  const boxOf = (element) => {
    if (getComputedStyle(element).display === "contents") {
      const range = document.createRange();
      range.selectNodeContents(element);
      return range.getBoundingClientRect();
    }
    return element.getBoundingClientRect();
  };

  function visible(element) {
    if (!element.isConnected) return false;
    const option = element.localName === "option" && element.closest("select");
    if (option) return visible(option);
    if (getComputedStyle(element).visibility !== "visible") return false;
    const box = boxOf(element);
    return box.width > 0 && box.height > 0;
  }

  function enabled(element) {
    if (element.matches(":disabled")) return false;
    for (let node = element; node; node = node.parentNode ?? node.host) {
      if (node.getAttribute?.("aria-disabled") === "true") return false;
    }
    return true;
  }

  const editable = (element) => !element.readOnly && element.getAttribute("aria-readonly") !== "true";

  function describe(element) {
    let name = element.localName;
    if (element.id) return `${name}#${element.id}`;
    for (const className of [...element.classList].slice(0, 2)) name += `.${className}`;
    const label = fold(element.getAttribute("aria-label") || element.innerText || "").slice(0, 30);
    return label ? `${name} "${label}"` : name;
  }

  /** The innermost element at a point of the viewport, through open shadow roots. */
  function hit(x, y) {
    let element = document.elementFromPoint(x, y);
    while (element?.shadowRoot) {
      const inner = element.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === element) break;
      element = inner;
    }
    return element;
  }

  /** What would get the click instead of `element`; null where `element` gets it. */
  function cover(element, x, y) {
    const target = hit(x, y);
    if (!target) return "the edge of the window";
    if (holds(element, target)) return null;
    const label = target.closest?.("label");
    if (label && label.control === element) return null;
    return describe(target);
  }

  // ---- waiting ----

  const nextFrame = () => new Promise((resume) => requestAnimationFrame(() => resume()));

  /** Until something in the document changed, or `ms` passed. */
  function changed(ms) {
    return new Promise((resume) => {
      const done = () => {
        observer.disconnect();
        clearTimeout(timer);
        document.removeEventListener("load", done, true);
        resume();
      };
      const observer = new MutationObserver(done);
      const options = { childList: true, subtree: true, attributes: true, characterData: true };
      for (const scope of scopes(document)) observer.observe(scope, options);
      // Style sheets and images change what is visible without a mutation.
      document.addEventListener("load", done, true);
      const timer = setTimeout(done, Math.max(0, Math.min(ms, 250)));
    });
  }

  // ---- what Rust calls ----

  /** Elements found by the accessibility tree, handed in for the next look: `index.depth` → list. */
  let answers = new Map();
  /** The element of the step under way, and its box when it was measured. */
  let held = null;

  /** One look at all alternatives, in `order`. The first with exactly one match is it. */
  function look(alternatives, order) {
    let ambiguous = null;
    for (const index of order) {
      const found = matches(alternatives[index], index, answers);
      if (found.length === 1) return { element: found[0], index };
      if (found.length > 1) ambiguous ??= { index, found };
    }
    return { ambiguous };
  }

  /** Why the element cannot be acted on yet, as [code, words]; null where it can. */
  function hindrance(element, needs) {
    if (!element.isConnected) return ["detached", "the element was removed"];
    if (needs.visible && !visible(element)) return ["hidden", "the element is not visible"];
    if (needs.enabled && !enabled(element)) return ["disabled", "the element is disabled"];
    if (needs.editable && !editable(element)) return ["readonly", "the element is read-only"];
    return null;
  }

  function controlOf(element) {
    const tag = element.localName;
    if (tag === "select") return "select";
    if (tag === "textarea") return "text";
    if (tag === "input") {
      const type = element.type;
      if (["checkbox", "radio"].includes(type)) return "check";
      if (["color", "date", "datetime-local", "month", "range", "time", "week"].includes(type)) return "value";
      if (["button", "submit", "reset", "image", "file", "hidden"].includes(type)) return "none";
      return "text";
    }
    return element.isContentEditable ? "content" : "none";
  }

  /** Where to click: the offset inside the box, scrolled into the viewport first. */
  function aim(element, offset) {
    let box = boxOf(element);
    const inside = (b) => {
      const x = b.left + (offset ? offset[0] : b.width / 2);
      const y = b.top + (offset ? offset[1] : b.height / 2);
      return { x, y, seen: x >= 0 && y >= 0 && x < innerWidth && y < innerHeight };
    };
    let point = inside(box);
    if (!point.seen || cover(element, point.x, point.y)) {
      const scrolled = element.isConnected && cover(element, point.x, point.y);
      if (!point.seen || scrolled) {
        element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        box = boxOf(element);
        point = inside(box);
      }
    }
    return { box: [box.left, box.top, box.width, box.height], x: point.x, y: point.y };
  }

  /** A winner that needs no accessibility tree and names the same element, for the memory. */
  function cheapest(alternatives, index, element) {
    if (!alternatives[index].some((part) => part.kind === "aria")) return index;
    for (const [other, chain] of alternatives.entries()) {
      if (chain.some((part) => part.kind === "aria")) continue;
      try {
        const found = matches(chain, other);
        if (found.length === 1 && found[0] === element) return other;
      } catch {
        // An alternative that cannot be read is no winner.
      }
    }
    return index;
  }

  /**
   * Finds the element and waits until it can be acted on. Answers `found`, `tree` (ask the
   * accessibility tree, hand the answer in, call again), or `late` with the reason.
   */
  async function locate({ alternatives, order, needs, offset, edit, ms }) {
    const deadline = performance.now() + ms;
    let reason = ["absent", ""];
    for (;;) {
      let seen;
      try {
        seen = look(alternatives, order);
      } catch (error) {
        if (error instanceof NeedsTree) {
          if (performance.now() >= deadline) return { state: "late", code: reason[0], words: reason[1], ...page() };
          return { state: "tree", key: error.message };
        }
        if (error instanceof BadSelector) return { state: "late", code: "selector", words: error.message, ...page() };
        throw error;
      }
      const { element, index, ambiguous } = seen;
      if (element) {
        const hindered = hindrance(element, needs);
        if (!hindered) {
          const at = needs.point ? aim(element, offset) : null;
          const outside = at && offset && (offset[0] < 0 || offset[1] < 0 || offset[0] > at.box[2] || offset[1] > at.box[3]);
          const covering = at && !outside && cover(element, at.x, at.y);
          if (outside) {
            const size = `${Math.round(at.box[2])}×${Math.round(at.box[3])}`;
            reason = ["offset", `the offset ${offset[0]},${offset[1]} is outside the element, which is ${size}`];
          } else if (covering) {
            reason = ["covered", `covered by ${covering}`];
          } else {
            held = { element, box: at?.box };
            const control = controlOf(element);
            if (edit && (control === "text" || control === "content")) select(element);
            return { state: "found", index, winner: cheapest(alternatives, index, element), control, at, ...page() };
          }
        } else reason = hindered;
      } else if (ambiguous) {
        const { index, found } = ambiguous;
        const candidates = found.slice(0, 10).map((candidate) => `${describe(candidate)} (${path(candidate)})`);
        reason = ["ambiguous", `${found.length} elements match`];
        reason.push(index, candidates);
      } else reason = ["absent", ""];
      const left = deadline - performance.now();
      if (left <= 0) return { state: "late", code: reason[0], words: reason[1], index: reason[2], candidates: reason[3], ...page() };
      // An element that is there but moves or is covered changes without mutations.
      if (element) await Promise.race([nextFrame(), changed(Math.min(left, 50))]);
      else await changed(left);
      answers = new Map();
    }
  }

  const page = () => ({ origin: location.origin, path: location.pathname, title: document.title });

  /** A CSS path that singles the element out. */
  function path(element) {
    const parts = [];
    for (let node = element; node && node.nodeType === Node.ELEMENT_NODE; node = node.parentElement) {
      if (node.id && document.querySelectorAll(`#${CSS.escape(node.id)}`).length === 1) {
        parts.unshift(`#${CSS.escape(node.id)}`);
        break;
      }
      const same = node.parentElement ? [...node.parentElement.children].filter((s) => s.localName === node.localName) : [node];
      parts.unshift(same.length > 1 ? `${node.localName}:nth-of-type(${same.indexOf(node) + 1})` : node.localName);
    }
    return parts.join(" > ");
  }

  /** After the pointer's frame: is the held element still where it was, and would it get the click? */
  function confirm(x, y) {
    if (!held?.element.isConnected) return { ok: false };
    const box = boxOf(held.element);
    const [left, top, width, height] = held.box;
    const still = Math.abs(box.left - left) < 0.5 && Math.abs(box.top - top) < 0.5 && Math.abs(box.width - width) < 0.5 && Math.abs(box.height - height) < 0.5;
    return { ok: still && enabled(held.element) && !cover(held.element, x, y) };
  }

  function select(element) {
    element.focus({ preventScroll: false });
    if (element.isContentEditable) {
      getSelection().selectAllChildren(element);
    } else {
      element.select();
    }
  }

  const announce = (element) => {
    element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };

  /** Date, colour and range inputs, which cannot be typed into alike everywhere. */
  function setValue(value) {
    const { element } = held;
    element.focus();
    element.value = value;
    if (element.value !== value && element.type !== "range") return { ok: false };
    announce(element);
    return { ok: true };
  }

  function options() {
    return [...held.element.options].map((option) => ({ value: option.value, label: fold(option.label), disabled: option.matches(":disabled") }));
  }

  function choose(index) {
    const { element } = held;
    element.focus();
    if (element.multiple) for (const option of element.options) option.selected = false;
    element.options[index].selected = true;
    announce(element);
  }

  const read = (from, attribute) => {
    const { element } = held;
    if (from === "attribute") return element.getAttribute(attribute);
    if (from === "value") return "value" in element ? element.value : null;
    return fold(element.innerText ?? element.textContent);
  };

  /** What the accessibility tree answered holds for one question only. */
  const once = (ask) => async (question) => {
    const answer = await ask(question);
    if (answer.state !== "tree") answers = new Map();
    return answer;
  };

  /** How many elements one alternative finds that are as they were asked for. */
  function count(chain, index, { visible: shown, properties, attributes }) {
    const same = (a, b) => {
      if (b === null || typeof b !== "object") return a === b;
      return a !== null && typeof a === "object" && Object.keys(b).every((key) => same(a[key], b[key]));
    };
    const asked = (element) =>
      visible(element) === shown &&
      Object.entries(properties).every(([name, value]) => same(element[name], value)) &&
      attributes.every(([name, value]) => element.getAttribute(name) === value);
    return matches(chain, index, answers).filter(asked).length;
  }

  const compare = { ">=": (a, b) => a >= b, "==": (a, b) => a === b, "<=": (a, b) => a <= b };

  /**
   * Waits for a number of elements. Where none may be there every alternative must agree: one that
   * is broken finds nothing and would prove nothing.
   */
  async function waitFor({ alternatives, order, operator, wanted, filter, ms }) {
    const deadline = performance.now() + ms;
    const absence = compare[operator](0, wanted);
    for (;;) {
      let counts;
      try {
        const test = (index) => compare[operator](count(alternatives[index], index, filter), wanted);
        if (absence ? order.every(test) : order.some((index) => (counts = index, test(index)))) {
          return { state: "found", index: absence ? null : counts, ...page() };
        }
      } catch (error) {
        if (error instanceof NeedsTree && performance.now() < deadline) return { state: "tree", key: error.message };
        if (error instanceof BadSelector) return { state: "late", code: "selector", words: error.message, ...page() };
        if (!(error instanceof NeedsTree)) throw error;
      }
      const left = deadline - performance.now();
      if (left <= 0) return { state: "late", code: absence ? "present" : "absent", words: "", ...page() };
      await changed(left);
      answers = new Map();
    }
  }

  /** One look: is exactly or at least one there? For conditions. */
  function exists(alternatives) {
    return alternatives.some((chain, index) => matches(chain, index, answers).length > 0);
  }

  function scroll(x, y, ofPage) {
    const target = ofPage ? document.scrollingElement ?? document.documentElement : held.element;
    target.scrollTo({ left: x ?? target.scrollLeft, top: y ?? target.scrollTop, behavior: "instant" });
  }

  let veil = null;
  /** Hides what is typed, for a screenshot. */
  function cloak(on) {
    veil?.remove();
    veil = null;
    if (!on) return;
    veil = document.createElement("style");
    veil.textContent = "input, textarea, [contenteditable] { -webkit-text-security: disc !important; }";
    (document.head ?? document.documentElement)?.append(veil);
  }

  globalThis.regatta = {
    version: 1,
    answer: (key, ...elements) => void answers.set(key, elements.filter(Boolean)),
    locate: once(locate),
    waitFor: once(waitFor),
    confirm, setValue, options, choose, read, exists, scroll, cloak, changed,
    checked: () => held.element.checked === true,
    state: () => ({ ready: document.readyState, ...page() }),
  };
})();

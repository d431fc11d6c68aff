// The members of nodes under names that no page can take.
//
// A form gives its field, and in the page's own world a document its form, for a property of that name, also
// where a member of its own has that name: `form.matches` may be a field. These named elements do not
// answer to symbols. So every member of a node is read as `el[dom.matches]`: a symbol that stands on the
// prototype for what stands there as `matches`. Prototypes are those of this world, which no page changes.
const MEMBERS = [
  ['EventTarget', 'dispatchEvent'],
  ['Node', 'baseURI childNodes cloneNode compareDocumentPosition contains firstChild getRootNode isConnected nextSibling nodeName nodeType ownerDocument parentElement previousSibling textContent'],
  ['CharacterData', 'data nextElementSibling previousElementSibling'],
  ['Text', 'assignedSlot'],
  ['Element', 'assignedSlot attributes checkVisibility childElementCount children classList className clientHeight clientLeft clientTop clientWidth firstElementChild getAttribute getBoundingClientRect getClientRects getHTML hasAttribute id localName matches nextElementSibling outerHTML previousElementSibling querySelector querySelectorAll removeAttribute scrollBy scrollHeight scrollIntoView scrollLeft scrollTo scrollTop scrollWidth setAttribute shadowRoot'],
  ['HTMLElement', 'editContext focus innerText isContentEditable offsetHeight offsetWidth style'],
  ['SVGElement', 'className focus style'],
  ['MathMLElement', 'focus style'],
  ['Document', 'URL activeElement adoptedStyleSheets body children createRange defaultView doctype documentElement elementFromPoint evaluate execCommand getAnimations getElementById getSelection hasFocus querySelector querySelectorAll readyState scrollingElement timeline title visibilityState'],
  ['DocumentFragment', 'children getElementById querySelector querySelectorAll'],
  ['ShadowRoot', 'activeElement adoptedStyleSheets elementFromPoint getHTML getSelection host'],
  ['Range', 'getBoundingClientRect getClientRects'],
  ['HTMLInputElement', 'alt checked labels list maxLength multiple readOnly select selectionStart type validity value webkitdirectory'],
  ['HTMLTextAreaElement', 'labels maxLength readOnly select selectionStart type validity value'],
  ['HTMLSelectElement', 'labels multiple options size type value'],
  ['HTMLOptionElement', 'label selected text value'],
  ['HTMLButtonElement', 'labels type value'],
  ['HTMLOutputElement', 'labels'],
  ['HTMLMeterElement', 'labels'],
  ['HTMLProgressElement', 'labels'],
  ['HTMLLabelElement', 'control'],
  ['HTMLImageElement', 'alt'],
  ['HTMLTableElement', 'rows'],
  ['HTMLTableRowElement', 'cells'],
  ['HTMLTableCellElement', 'cellIndex'],
  ['HTMLIFrameElement', 'contentDocument src'],
  ['HTMLFrameElement', 'contentDocument src'],
  ['HTMLStyleElement', 'sheet'],
  ['HTMLLinkElement', 'media sheet'],
  ['HTMLMetaElement', 'httpEquiv'],
  ['SVGStyleElement', 'sheet'],
];
const dom = {};
const aliasIn = view => {
  for (const [kind, names] of MEMBERS) for (const name of names.split(' ')) {
    dom[name] ??= Symbol.for(`regatta ${name}`);
    const prototype = view[kind]?.prototype, member = prototype && Object.getOwnPropertyDescriptor(prototype, name);
    // An older browser may not have it.
    if (member) Object.defineProperty(prototype, dom[name], member);
  }
};
aliasIn(globalThis);

// A property that a flow names.
const propertyOf = (of, name) => {
  const prototype = of instanceof Node ? Object.getPrototypeOf(of) : null;
  return prototype && name in prototype ? Reflect.get(prototype, name, of) : of[name];
};

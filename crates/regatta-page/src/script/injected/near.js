// Hints where nothing matches: elements that nearly match, the errors that the page shows, and the values that
// are there instead.

const folded = text => squeeze(text.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' '));

// Letters to change or to swap until one is the other; more than `most` where there are too many.
const edits = (a, b, most) => {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before = [], row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
};

// How far a text is from the wanted one: 0 is the same, null another text.
const apart = (wanted, got) => {
  if (!got || got.length > 200) return null;
  if (wanted === got) return 0;
  const a = folded(wanted), b = folded(got);
  if (!a || !b) return null;
  if (a === b) return 1;
  const most = Math.floor(Math.min(a.length, b.length) / 4), changes = edits(a, b, most);
  if (changes <= most) return 1 + changes;
  // One of them says more.
  const [less, more] = a.length < b.length ? [a, b] : [b, a];
  return less.length >= 3 && more.length <= 4 * less.length && ` ${more} `.includes(` ${less} `) ? 10 : null;
};

const isPlainText = text => text.length <= 60 && !/["'[\]{\n]/.test(text);

// Each gives elements with a selector of the asked kind, and how far they are from what was asked for.
const nearly = {
  aria: (all, { name, role }) => name ? all.map(el => {
    const its = roleOf(el), says = nameOf(el, its, false), far = apart(name, says);
    const other = role && its !== role;
    if (far === null || far === 0 && !other || !isPlainText(says)) return null;
    return { el, far: far + (other ? 3 : 0), selector: `aria/${says}${role && its ? `[role="${its}"]` : ''}` };
  }) : [],
  text: (all, { text }) => all.map(el => {
    const says = wordsOf(el), far = apart(squeeze(text), says);
    return far && isPlainText(says) ? { el, far, selector: `text/${says}` } : null;
  }),
  keys: (all, pairs) => pairs.flatMap(([name, value]) => all.map(el => {
    const got = el[dom.getAttribute](name) ?? '', far = apart(value, got);
    if (far === null || !isPlainText(got) || far > 0 && looksGenerated(got)) return null;
    return { el, far: far + 1, selector: name === 'id' ? '#' + CSS.escape(got) : `[${name}=${quoted(got)}]` };
  })),
};

// What a selector says of attributes: `#a`, `[b="c"]`, `@b="c"`.
const keysIn = (kind, text) => {
  const pairs = [];
  if (kind === 'xpath') {
    for (const [, name, value] of text.matchAll(/@([\w-]+)\s*[=,]\s*["']([^"']+)["']/g)) pairs.push([name, value]);
  } else {
    for (const [, id] of text.matchAll(/#((?:\\.|[\w-]|[^\0-\x7f])+)/g)) pairs.push(['id', id.replace(/\\(.)/g, '$1')]);
    for (const [, name, value] of text.matchAll(/\[\s*([\w-]+)\s*[~|^$*]?=\s*["']?([^"'\]]+)/g)) pairs.push([name, value]);
  }
  return pairs;
};

const nearTo = (all, { kind, text, name, role, alone }) => {
  if (kind === 'aria') return nearly.aria(all, { name, role });
  if (kind === 'text') return nearly.text(all, { text });
  let inside = [];
  // CSS does not enter shadow roots.
  try { if (kind === 'css' && alone) inside = byPierce(document, text).filter(isVisible); } catch { return []; }
  return [...inside.map(el => ({ el, far: 0, selector: `pierce/${text}` })), ...nearly.keys(all, keysIn(kind, text))];
};

const IN_ERROR = '[role=alert], [role=alertdialog], [aria-live=assertive], [aria-invalid]:not([aria-invalid=false]), :user-invalid, [class*=error i], [class*=invalid i], [class*=alert i], [class*=danger i]';
const namesError = word => /(?:^|[-_])(?:errors?|errorlist|alert|danger|invalid[-_]?feedback)(?:$|[-_])/i.test(word)
  || /[a-z]Errors?(?![a-z])/.test(word);

// As they are seen, without the contents of fields.
const wordsShown = el => el[dom.querySelector](FILLED) ? wordsOf(el) : squeeze(el[dom.innerText] ?? el[dom.textContent]).slice(0, 300);
const errorIn = el => {
  if (['text', 'native', 'select', 'checkbox', 'radio'].includes(sortOf(el))) {
    if (!el[dom.matches]('[aria-invalid]:not([aria-invalid=false]), :user-invalid')) return '';
    const root = el[dom.getRootNode](), ids = `${el[dom.getAttribute]('aria-errormessage') ?? ''} ${el[dom.getAttribute]('aria-describedby') ?? ''}`;
    const by = ids.split(/\s+/).map(id => id && root[dom.getElementById]?.(id)).filter(by => by && isVisible(by)).map(wordsOf).join(' ').trim();
    const said = by || (el[dom.matches](':user-invalid') ? el.validationMessage : ''), name = nameOf(el, roleOf(el), true);
    return said && name ? `${name}: ${said}` : said;
  }
  if (el[dom.matches](`${PRESSED}, ${FILLED}`)) return '';
  return el[dom.matches]('[role=alert], [role=alertdialog], [aria-live=assertive]') || [...el[dom.classList]].some(namesError) && ![...el[dom.classList]].some(word => /success|info/i.test(word)) ? wordsShown(el) : '';
};

// Those near the element that was found last, where there are any.
const errorsShown = () => {
  const around = held?.el[dom.isConnected] ? closest(held.el, `form, ${DIALOGS}`) : null;
  const found = byPierce(document, IN_ERROR).slice(0, 500).filter(isVisible)
    .map(el => ({ text: errorIn(el), near: around !== null && closest(el, `form, ${DIALOGS}`) === around }))
    .filter(({ text }) => text && text.length <= 200);
  const near = found.filter(one => one.near), out = [];
  for (const { text } of near.length ? near : found) if (!out.some(other => other.includes(text) || text.includes(other))) out.push(text);
  return out.slice(0, 2);
};

const inWords = value => {
  if (value === undefined) return 'undefined';
  let text;
  try { text = JSON.stringify(value); } catch {}
  return text && text.length <= 80 ? text : `${(text ?? String(value)).slice(0, 79)}…`;
};

// The content of a field is a profile's.
const holdsText = el => ['text', 'native', 'select'].includes(sortOf(el));

const near = {
  // `wanted`: the last selector of each alternative. The nearest elements come first.
  near: ({ wanted }) => {
    const all = wanted.length ? byPierce(document, '*').slice(0, 5000).filter(isVisible) : [];
    const found = remembering(() => wanted.flatMap(one => nearTo(all, one))).filter(Boolean).sort((a, b) => a.far - b.far);
    const best = [];
    for (const one of found) {
      // Of elements inside each other the inner one is meant.
      const same = best.findIndex(other => other.el[dom.contains](one.el) || one.el[dom.contains](other.el));
      if (same < 0) best.push(one);
      else if (best[same].far === one.far && best[same].el[dom.contains](one.el)) best[same] = one;
      if (best.length > 4) break;
    }
    const chosen = best.filter(one => one.far <= best[0].far + 1).slice(0, 2);
    liked = chosen.map(one => one.el);
    return { selectors: chosen.map(one => [one.selector]), errors: errorsShown() };
  },

  // For a wait for properties and attributes: the values of the elements that match the selector.
  instead: ({ alternatives, visible, properties, attributes, within }) => {
    for (const alternative of alternatives) {
      let all;
      try { all = matches(alternative); } catch { continue; }
      if (!visible || !all.length) continue;
      const seen = all.filter(isVisible);
      if (!seen.length) return { value: `${describe(all[0])} did not become visible ${within}` };
      const reply = (name, wanted, got) => ({ value: `\`${name}\` of ${seen.length > 1 ? `${seen.length} elements` : describe(seen[0])} did not become ${inWords(wanted)} ${within}: it is ${got.slice(0, 3).join(', ')}` });
      for (const [name, wanted] of Object.entries(attributes)) {
        const got = seen.map(el => el[dom.getAttribute](name));
        if (!got.includes(wanted)) return reply(name, wanted, got.map(value => value === null ? 'absent' : inWords(value)));
      }
      for (const [name, wanted] of Object.entries(properties)) {
        if (seen.some(el => subset(wanted, el[name]))) continue;
        return reply(name, wanted, seen.map(el => holdsText(el) && name.startsWith('value') ? el[name] ? 'another value' : 'empty' : inWords(el[name])));
      }
    }
    return {};
  },
};

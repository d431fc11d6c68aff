// Plays flows in a browser that runs already, as a driver in node does: the other side of the measurement.
// Its last line is what it measured itself: milliseconds of all steps together, and of each click.
//
//     node player.mjs replay|playwright WS VALUES.json FLOW.json…
//
// `replay` is the Recorder's reference runner, with its own way of finding and clicking. `playwright` does
// each step as one writes it in a script: its CSS selector, `click`, `fill`, `selectOption`.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [driver, ws, valuesFile, ...flowFiles] = process.argv.slice(2);
const values = JSON.parse(readFileSync(valuesFile, 'utf8'));
const flows = flowFiles.map(file => JSON.parse(readFileSync(file, 'utf8')));

function totp(secret) {
  const bits = [...secret.replace(/=+$/, '')].map(c => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const render = step => JSON.parse(JSON.stringify(step), (_, value) => typeof value !== 'string' ? value
  : value.replace(/\{\{ *([\w.]+) *\}\}/g, (_, name) => name === 'totp' ? totp(values['identity.two_fa_secret']) : values[name] ?? name));

const cssOf = step => step.selectors?.map(chain => [chain].flat())
  .find(chain => chain.every(part => !/^(aria|text|xpath|pierce)\//.test(part)));

const clicks = [];
async function timed(step, play) {
  const start = performance.now();
  await play();
  if (step.type === 'click') clicks.push(performance.now() - start);
}

function keep(step, said) {
  const { pattern, into } = step.parameters;
  values[into] = pattern ? said.match(new RegExp(pattern))[1] : said;
}

async function replay() {
  const { createRunner, parse, PuppeteerRunnerExtension } = await import('@puppeteer/replay');
  const { default: puppeteer } = await import('puppeteer-core');
  class Extension extends PuppeteerRunnerExtension {
    async runStep(step, flow) {
      const rendered = render(step);
      if (step.type !== 'customStep') return timed(step, () => super.runStep(rendered, flow));
      const handle = await this.page.waitForSelector(cssOf(rendered.parameters)[0]);
      keep(step, await handle.evaluate((el, from) => from === 'value' ? el.value : el.innerText, step.parameters.from));
    }
  }
  const browser = await puppeteer.connect({ browserWSEndpoint: ws, defaultViewport: null });
  const page = await browser.newPage();
  const start = performance.now();
  for (const flow of flows) {
    const runner = await createRunner(parse(flow), new Extension(browser, page, { timeout: 10_000 }));
    await runner.run();
  }
  return performance.now() - start;
}

async function playwright() {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.connectOverCDP(ws);
  const page = await browser.contexts()[0].newPage();
  page.setDefaultTimeout(10_000);
  const find = step => cssOf(step).reduce((scope, css) => scope.locator(css), page);
  const acts = {
    setViewport: step => page.setViewportSize({ width: step.width, height: step.height }),
    navigate: step => page.goto(step.url),
    click: step => find(step).click({ position: { x: step.offsetX, y: step.offsetY } }),
    hover: step => find(step).hover(),
    change: async step => {
      const field = find(step);
      if (await field.evaluate(el => el.localName === 'select')) await field.selectOption(step.value);
      else await field.fill(step.value);
    },
    keyDown: step => page.keyboard.down(step.key),
    keyUp: step => page.keyboard.up(step.key),
    scroll: step => find(step).evaluate((el, { x, y }) => el.scrollTo(x, y), { x: step.x, y: step.y }),
    waitForElement: step => find(step).waitFor(),
    waitForExpression: step => page.waitForFunction(step.expression),
    customStep: async step => {
      const field = find(step.parameters);
      keep(step, step.parameters.from === 'value' ? await field.inputValue() : await field.innerText());
    },
  };
  const start = performance.now();
  for (const flow of flows) {
    for (const step of flow.steps.map(step => () => render(step))) {
      const rendered = step();
      await timed(rendered, async () => {
        const arrivals = (rendered.assertedEvents ?? []).filter(event => event.url && rendered.type !== 'navigate');
        await Promise.all([...arrivals.map(event => page.waitForURL(event.url)), acts[rendered.type](rendered)]);
      });
    }
  }
  return performance.now() - start;
}

const ms = await { replay, playwright }[driver]();
console.log(JSON.stringify({ ms, clicks }));
// The browser is ended from outside; closing it is not measured.
process.exit(0);

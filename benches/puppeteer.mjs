// What examples/practice/flows/mailbox.json does, as one would write it with puppeteer-core: the
// other side of the measurement. Fails if the mailbox was not created.
//
//     node puppeteer.mjs CHROMIUM SITE PROFILE ARGUMENT…

import puppeteer from 'puppeteer-core';

const [executablePath, site, profile, ...args] = process.argv.slice(2);

const browser = await puppeteer.launch({
  executablePath,
  args,
  // `args` are all that the other side gives its browser.
  ignoreDefaultArgs: true,
  defaultViewport: { width: 1280, height: 800 },
});
try {
  const [page] = await browser.pages();
  await page.goto(`${site}/mail/signup`);
  await page.locator('::-p-aria([name="Accept cookies"][role="button"])').click();
  await page.locator('::-p-aria(Mail address)').fill(`${profile}@practice.test`);
  await page.locator('::-p-aria(Password)').fill('correct-horse-battery');
  await Promise.all([
    page.waitForNavigation(),
    page.locator('::-p-aria([name="Create mailbox"][role="button"])').click(),
  ]);
  if (page.url() !== `${site}/mail/inbox`) throw new Error(`ended at ${page.url()}`);
} finally {
  await browser.close();
}

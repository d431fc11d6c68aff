// The oracle's page and flow, kept for others to play: shown to `replay-extension-test` as an extension,
// it writes the flow to FLOW and holds the server until it is ended.
import { writeFile } from 'node:fs/promises';
import { RunnerExtension } from '@puppeteer/replay';

export default class Hold extends RunnerExtension {
  async beforeAllSteps(flow) {
    await writeFile(process.env.FLOW, JSON.stringify(flow));
    setInterval(() => {}, 60_000);
    await new Promise(() => {});
  }
}

// The candidate that the Recorder's own oracle is shown: it plays nothing itself, it has `regatta play`
// do so. The oracle's server lives in this process, so the program is waited for without blocking it.
//
//   REGATTA=path   the program
//   BROKEN=drop    leaves a step out     BROKEN=extra   adds one that fails; the oracle must refuse both
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunnerExtension } from '@puppeteer/replay';

export default class Candidate extends RunnerExtension {
  async beforeAllSteps(flow) {
    const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
    try {
      const file = join(folder, 'flow.json');
      await writeFile(file, JSON.stringify(broken(flow)));
      const code = await exitCode(process.env.REGATTA, ['-C', folder, 'play', file]);
      // The oracle prints what is thrown here, and judges by the page's log alone.
      if (code !== 0) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  async runStep() {}
}

function broken(flow) {
  const steps = [...flow.steps];
  if (process.env.BROKEN === 'drop') steps.splice(steps.findIndex(step => step.type === 'hover'), 1);
  if (process.env.BROKEN === 'extra') steps.push({ type: 'waitForElement', selectors: ['#nothing'], timeout: 1 });
  return { ...flow, steps };
}

function exitCode(program, args) {
  return new Promise((resolve, reject) => {
    spawn(program, args, { stdio: 'inherit' }).on('error', reject).on('close', resolve);
  });
}

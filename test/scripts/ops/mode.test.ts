import { describe, expect, it } from 'vitest';
import { deployed, fn, terminal } from './terminal.ts';

const drain = 'drain-fargate';

describe('mode get', () => {
  it('shows the stack parameter where nothing else is set', async () => {
    const { out, code } = await terminal().run('mode');
    expect(code).toBe(0);
    expect(out).toMatch(/^all functions +- +not set$/m);
    expect(out).toMatch(/^stack parameter +dry-run /m);
    expect(out).toMatch(/^reshard-kinesis +- +dry-run +the stack parameter Mode$/m);
  });

  it('shows which setting is in force for each function, and who set it', async () => {
    const { run, ledger } = terminal({ functions: [deployed(), deployed(drain)] });
    await ledger.setMode('*', 'dry-run', 'ada');
    await ledger.setMode(fn, 'on', 'grace');
    const { out } = await run('mode', 'get');
    expect(out).toMatch(/^all functions +dry-run +set by ada, 2026-03-05 03:27:00 UTC$/m);
    expect(out).toMatch(/^reshard-kinesis +on +on +its own mode, set by grace, 2026-03-05 03:27:00 UTC$/m);
    expect(out).toMatch(/^drain-fargate +- +dry-run +the mode for all$/m);
  });

  it('shows off for all above a function of its own mode', async () => {
    const { run, ledger } = terminal();
    await ledger.setMode('*', 'off', 'ada');
    await ledger.setMode(fn, 'on', 'ada');
    const { out } = await run('mode', '--json');
    expect(JSON.parse(out)).toMatchObject({
      all: { mode: 'off', by: 'ada' },
      functions: [{ name: fn, own: { mode: 'on' }, mode: 'off', because: 'the mode for all, off' }],
    });
  });

  it('does not guess the stack parameter where only a ledger is known', async () => {
    const { run, ledger } = terminal({ functions: [] });
    await ledger.setMode(fn, 'on', 'ada');
    const { out } = await run('mode');
    expect(out).toContain('not known: only the ledger was read');
    expect(out).toMatch(/^reshard-kinesis +on +on /m);
  });
});

describe('mode set', () => {
  it('stops everything in one command', async () => {
    const { run, ledger } = terminal();
    const { code, out } = await run('mode', 'set', 'off', '--yes');
    expect(code).toBe(0);
    expect(out).toContain('The mode of all functions is off.');
    expect(await ledger.getModes()).toMatchObject([{ scope: '*', mode: 'off', by: 'ada' }]);
  });

  it('sets one function and leaves the others', async () => {
    const { run, ledger } = terminal({ functions: [deployed(), deployed(drain)], answer: true });
    await run('mode', 'set', 'on', '--function', fn);
    expect(await ledger.getModes()).toMatchObject([{ scope: fn, mode: 'on' }]);
  });

  it('refuses a function that is not deployed', async () => {
    const { run, ledger } = terminal();
    const { code, err } = await run('mode', 'set', 'on', '--function', drain, '--yes');
    expect(code).toBe(2);
    expect(err).toContain(`expected one of ${fn}, found "${drain}"`);
    expect(await ledger.getModes()).toEqual([]);
  });

  it('says which functions keep their own mode', async () => {
    const { run, ledger } = terminal({ answer: true });
    await ledger.setMode(fn, 'on', 'ada');
    const { out } = await run('mode', 'set', 'dry-run');
    expect(out).toContain(`${fn} keeps its own mode, on.`);
  });

  it('says that off for all wins over a function switched on', async () => {
    const { run, ledger } = terminal({ answer: true });
    await ledger.setMode('*', 'off', 'ada');
    const { out } = await run('mode', 'set', 'on', '--function', fn);
    expect(out).toContain('The mode for all is off, and wins.');
  });
});

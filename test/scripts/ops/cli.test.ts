import { describe, expect, it } from 'vitest';
import { Stop } from '../../../scripts/ops/command.ts';
import { streamArn } from '../../support/event-builders.ts';
import { terminal } from './terminal.ts';

const commands = ['mode', 'history', 'incidents', 'hold', 'release', 'replay'];

const named = (name: string, message = ''): Error => Object.assign(new Error(message), { name });

describe('help', () => {
  it.each(['--help', '-h', 'help'])('%s lists every command', async (flag) => {
    const { code, out } = await terminal().run(flag);
    expect(code).toBe(0);
    for (const name of commands) expect(out).toContain(`  ${name} `);
  });

  it.each(commands)('of %s is short, names its usage, and needs no stack', async (name) => {
    const { run, connections } = terminal();
    const { code, out } = await run(name, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`npm run ops -- ${name}`);
    expect(out.split('\n').length).toBeLessThan(20);
    expect(await run('help', name)).toEqual({ code, out, err: '' });
    expect(connections()).toBe(0);
  });

  it('answers a missing command with the list and exit code 2', async () => {
    const { code, out, err } = await terminal().run();
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('npm run ops -- COMMAND');
  });
});

describe('a wrong command line', () => {
  it.each([
    [['hist'], 'Did you mean: npm run ops -- history'],
    [['incident'], 'Did you mean: npm run ops -- incidents'],
    [['relaese'], 'Did you mean: npm run ops -- release'],
    [['status-page'], 'Commands: mode, history'],
    [['--json', 'mode'], 'the command comes first'],
    [['history', '--lsat'], 'Did you mean: --last'],
    [['history', '--quite-another'], 'npm run ops -- history --help'],
    [['history', '--limit'], "'--limit <value>' argument missing"],
    [['history', '--limit', '0'], 'a whole number from 1 to 1000, found "0"'],
    [['history', '--limit', '1e1'], 'a whole number'],
    [['history', '--at', '25:00'], 'expected a time in UTC'],
    [['history', '--at', '03:12', '--last'], 'choose one of'],
    [['history', 'a', 'b'], '"b" is one argument too many'],
    [['history', '--incident', ''], 'a text that is not empty'],
    [['mode', 'on'], 'Did you mean: npm run ops -- mode set on'],
    [['mode', 'show'], 'expected get or set'],
    [['mode', 'get', 'off'], 'takes no argument'],
    [['mode', 'set'], 'expected one of off, dry-run, on.'],
    [['mode', 'set', 'dryrun'], 'Did you mean: npm run ops -- mode set dry-run'],
    [['hold'], 'which resource?'],
    [['hold', 'orders'], 'why?'],
    [['release'], 'which resource?'],
    [['incidents', 'orders'], 'one argument too many'],
    [['replay', '--dry', '--drop', 'x'], 'choose one of'],
  ])('%j is refused with a hint before AWS is asked', async (argv, expected) => {
    const { run, connections } = terminal({ answer: true });
    const { code, out, err } = await run(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(expected);
    expect(connections()).toBe(0);
  });
});

describe('what AWS refuses', () => {
  it.each([
    [named('CredentialsProviderError', 'Could not load credentials from any providers'), 'No AWS credentials'],
    [new Error('Region is missing'), 'export AWS_REGION='],
    [named('ExpiredTokenException', 'The security token included in the request is expired'), 'aws sso login'],
    [named('CredentialsProviderError', 'The SSO session has expired or is invalid'), 'session has expired'],
    [named('UnrecognizedClientException', 'The security token is invalid'), 'does not accept these credentials'],
    [named('AccessDeniedException', 'not authorized to perform: dynamodb:Scan'), 'dynamodb:Scan'],
    [named('ResourceNotFoundException', 'Requested resource not found'), 'The ledger table does not exist here'],
    [named('ThrottlingException', 'Rate exceeded'), 'Try again in a minute'],
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'No answer from http://127.0.0.1:1'],
    [new AggregateError([]), 'connection refused'],
    [new Stop('No Lambda function reflex-reshard-kinesis', 'give it with --prefix'), '--prefix'],
    [new Error('something else'), 'something else'],
  ])('%s is told with the way out and exit code 1', async (unreachable, expected) => {
    const { run } = terminal({ unreachable, env: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } });
    const { code, out, err } = await run('mode');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(expected);
  });
});

describe('a change', () => {
  const changes = [
    ['mode', 'set', 'on'],
    ['hold', streamArn(), '--reason', 'load test'],
  ];

  it.each(changes)('%s %s is refused where nobody can confirm it', async (...argv) => {
    const { run, ledger } = terminal({ answer: null });
    const { code, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toContain('Add --yes');
    expect(await ledger.getModes()).toEqual([]);
    expect(await ledger.findStates('#')).toEqual([]);
  });

  it.each(changes)('%s %s is not made when the answer is no', async (...argv) => {
    const { run, ledger, asked } = terminal({ answer: false });
    const { code, out } = await run(...argv);
    expect(code).toBe(0);
    expect(out).toContain('Nothing was changed.');
    expect(asked).toHaveLength(1);
    expect(await ledger.getModes()).toEqual([]);
    expect(await ledger.findStates('#')).toEqual([]);
  });

  it.each(changes)('%s %s is made without a question with --yes', async (...argv) => {
    const { run, ledger, asked } = terminal({ answer: null });
    const { code } = await run(...argv, '--yes');
    expect(code).toBe(0);
    expect(asked).toEqual([]);
    expect([...(await ledger.getModes()), ...(await ledger.findStates('#'))]).toHaveLength(1);
  });
});

describe('--json', () => {
  it.each([
    ['mode'],
    ['history'],
    ['incidents'],
    ['mode', 'set', 'off', '--yes'],
    ['hold', 'orders', '--reason', 'x', '--yes'],
  ])('%s %s writes one JSON document to stdout and nothing else', async (...argv) => {
    const { code, out } = await terminal().run(...argv, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toBeTypeOf('object');
  });
});

describe('colour', () => {
  it('is left to the terminal, and widths do not count it', async () => {
    const marked = terminal({ paint: (style, text) => `<${style}>${text}</>` });
    const plain = terminal();
    const { out } = await marked.run('mode');
    expect(out).toContain('<yellow>dry-run');
    expect(out.replaceAll(/<[^>]*>/g, '').replaceAll(/ +$/gm, '')).toBe((await plain.run('mode')).out);
  });
});

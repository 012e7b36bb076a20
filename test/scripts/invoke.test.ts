import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  contextOf,
  type Deployment,
  environmentOf,
  invoke,
  locate,
  parseRequest,
  readEvent,
  summarize,
} from '../../scripts/invoke.ts';
import { functionNamed, functionsOf, readTemplate } from '../../scripts/template.ts';

const deployment: Deployment = {
  prefix: 'reflex',
  region: 'eu-west-1',
  account: '111122223333',
  partition: 'aws',
  ledgerTable: 'reflex-Ledger-1A2B',
  queueUrl: async (name) => `https://sqs.eu-west-1.amazonaws.com/111122223333/${name}`,
  variables: {},
  modes: async () => ({}),
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reflex-invoke-'));
  writeFileSync(join(folder, 'alarm.kinesis.json'), '{"source":"aws.cloudwatch"}');
  writeFileSync(join(folder, 'tick.json'), '{"source": ');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the command line', () => {
  it('takes a function, a file and options in any order', () => {
    expect(parseRequest(['--mode', 'on', 'reshard-kinesis', 'e.json', '--endpoint', 'http://127.0.0.1:4566'])).toEqual({
      folder: 'reshard-kinesis',
      file: 'e.json',
      mode: 'on',
      endpoint: 'http://127.0.0.1:4566',
      prefix: 'reflex',
    });
  });

  it.each([
    [[], /^Which function\?\n[\s\S]*Usage[\s\S]*Functions: reshard-kinesis, /],
    [['reshard-kinesis'], /^reshard-kinesis: with which event\?\n[\s\S]*Usage/],
    [['reshard-kinesis', 'a.json', 'b.json'], /^"b\.json" is one argument too many\.\n[\s\S]*Usage/],
    [['f', 'e.json', '--made', 'on'], /^Unknown option '--made'\.\n[\s\S]*Usage/],
    [['f', 'e.json', '--mode'], /^Option '--mode <value>' argument missing\.\n[\s\S]*Usage/],
    [['f', 'e.json', '--mode', 'ON'], /^--mode: expected one of off, dry-run, on, found "ON"\.\n[\s\S]*Usage/],
    [['f', 'e.json', '--endpoint', 'localhost'], /^--endpoint: expected a URL .*, found "localhost"$/],
    [['f', 'e.json', '--endpoint', 'localhost:4566'], /^--endpoint: expected a URL .*, found "localhost:4566"$/],
    [['f', 'e.json', '--endpoint', ''], /^--endpoint: expected a URL .*, found ""$/],
  ])('refuses %j and says what is expected', (argv, message) => {
    expect(() => parseRequest(argv)).toThrow(message);
  });

  it.each([
    [['--help'], 0],
    [['reshard', 'events/reflex.tick.json'], 2],
    [['check-site', 'events/reflex.tick.json', '--endpoint', 'http://127.0.0.1:9'], 1],
  ])('%j ends with exit code %d, and what a person reads is where it belongs', (argv, exitCode) => {
    const script = join(import.meta.dirname, '../../scripts/invoke.ts');

    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8' });

    expect(status).toBe(exitCode);
    expect([stdout, stderr].map((text) => text !== '')).toEqual([exitCode === 0, exitCode !== 0]);
    expect(stdout + stderr).not.toMatch(/^ +at /m);
  });
});

describe('the event file', () => {
  it('is read as JSON', () => {
    expect(readEvent(join(folder, 'alarm.kinesis.json'))).toEqual({ source: 'aws.cloudwatch' });
  });

  it('that does not exist is answered with the nearest name first', () => {
    expect(() => readEvent(join(folder, 'kinesis.json'))).toThrow(
      /^There is no file .*kinesis\.json\.\n.*Did you mean:\n.*alarm\.kinesis\.json/,
    );
  });

  it('whose name lacks the folder is found in events/', () => {
    expect(() => readEvent('reflex.tick.json')).toThrow(/Did you mean:\n\s+events\/reflex\.tick\.json/);
  });

  it('that is like no other is answered without a guess', () => {
    expect(() => readEvent('zebra.json')).toThrow(/^There is no file zebra\.json\.$/);
  });

  it('must not be a folder', () => {
    expect(() => readEvent(folder)).toThrow(`There is no file ${folder}.`);
  });

  it('that is not JSON is named, with the reason', () => {
    expect(() => readEvent(join(folder, 'tick.json'))).toThrow(/tick\.json: not JSON: .*JSON/);
  });
});

describe('the environment', () => {
  const template = readTemplate();

  /** What only CloudFormation knows. */
  const made = {
    LOG_BUCKET: 'reflex-logbucket-1a2b',
    SHIP_LOGS_DOCUMENT: 'reflex-ship-logs',
    RESCUE_CLUSTER: 'arn:aws:ecs:eu-west-1:111122223333:cluster/reflex-rescue',
    RESCUE_TASK_DEFINITION: 'arn:aws:ecs:eu-west-1:111122223333:task-definition/reflex-rescue:1',
    RESCUE_INFRASTRUCTURE_ROLE: 'arn:aws:iam::111122223333:role/reflex-rescue',
    RESCUE_SUBNET_IDS: 'none',
    RESCUE_SECURITY_GROUP_IDS: 'none',
  };

  it.each(functionsOf(template))(
    'of $folder has every variable of the template, as CloudFormation would fill it',
    async (fn) => {
      const environment = await environmentOf(fn, template, { ...deployment, variables: made }, {});

      expect(Object.keys(environment).toSorted()).toEqual(Object.keys(fn.environment).toSorted());
      expect(environment).toMatchObject({
        MODE: 'dry-run',
        LEDGER_TABLE: 'reflex-Ledger-1A2B',
        STACK_NAME: 'reflex',
        NOTIFICATIONS_TOPIC_ARN: 'arn:aws:sns:eu-west-1:111122223333:reflex-notifications',
        INBOX_URL: `https://sqs.eu-west-1.amazonaws.com/111122223333/reflex-${fn.folder}-inbox`,
      });
    },
  );

  it('leaves what is already set', async () => {
    const environment = await environmentOf(functionNamed('reshard-kinesis'), template, deployment, {
      MAX_SHARDS: '7',
    });
    expect(environment).toMatchObject({ MAX_SHARDS: '7', MIN_SHARDS: '1' });
  });

  it('is that of the deployed function rather than the default of the template', async () => {
    const variables = { MAX_SHARDS: '12', LOG_BUCKET: 'logs' };
    const environment = await environmentOf(
      functionNamed('reshard-kinesis'),
      template,
      { ...deployment, variables },
      { MIN_SHARDS: '2' },
    );
    expect(environment).toMatchObject({ MAX_SHARDS: '12', MIN_SHARDS: '2' });
    expect(environment).not.toHaveProperty('LOG_BUCKET');
  });

  it('names the inbox of the stack with that prefix', async () => {
    const other = { ...deployment, prefix: 'reflex-dev' };
    const { INBOX_URL } = await environmentOf(functionNamed('reshard-kinesis'), template, other, {});
    expect(INBOX_URL).toMatch(/\/reflex-dev-reshard-kinesis-inbox$/);
  });

  it.each([
    [{ Ref: 'TopicKey' }, '!Ref TopicKey has no value here'],
    [{ 'Fn::GetAtt': ['RescueCluster', 'Arn'] }, '"RescueCluster","Arn"]} has no value here'],
  ])('says of %j that it cannot be known on this machine', async (value, message) => {
    const fn = { ...functionNamed('reshard-kinesis'), environment: { KEY: value } };
    await expect(environmentOf(fn, template, deployment, {})).rejects.toThrow(message);
  });
});

describe('the context', () => {
  it('counts down to the timeout and not below', () => {
    let now = 1_000;
    const context = contextOf('reflex-reshard-kinesis', deployment, 60_000, () => now);

    expect(context.getRemainingTimeInMillis()).toBe(60_000);
    now += 59_000;
    expect(context.getRemainingTimeInMillis()).toBe(1_000);
    now += 59_000;
    expect(context.getRemainingTimeInMillis()).toBe(0);
  });

  it('names the function in the account at hand', () => {
    expect(contextOf('f', deployment, 1).invokedFunctionArn).toBe('arn:aws:lambda:eu-west-1:111122223333:function:f');
  });
});

describe('the summary', () => {
  const outcome = {
    resource: 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders',
    decision: 'act',
    reason: 'cool-down',
    why: 'one shard carries 97 %',
    actions: [{ call: 'UpdateShardCount', params: { TargetShardCount: 2 } }],
    dryRun: true,
    incidentId: null,
  } as const;

  const result = { outcomes: [outcome], notForUs: {}, failures: [] };

  it('tells what was decided, why, and that nothing was written', () => {
    const { ok, text } = summarize(result);

    expect(ok).toBe(true);
    expect(text).toMatch(/stream\/orders: act \(cool-down\), dry run: nothing was written\n {2}one shard carries 97 %/);
    expect(text).toContain('UpdateShardCount {"TargetShardCount":2}');
  });

  it('is no success where a message failed', () => {
    const { ok, text } = summarize({ ...result, failures: [{ message: 'm-1', error: 'detail: expected an object' }] });
    expect(ok).toBe(false);
    expect(text).toContain('m-1 FAILED: detail: expected an object');
  });

  it('is no success where a call failed', () => {
    const failed = { ...outcome, dryRun: false, actions: [{ call: 'SplitShard', params: {}, error: 'AccessDenied' }] };
    const { ok, text } = summarize({ ...result, outcomes: [failed] });
    expect(ok).toBe(false);
    expect(text).toContain('SplitShard {} FAILED: AccessDenied');
  });

  it('is a success where the event concerned nothing here, and says why', () => {
    const { ok, text } = summarize({ outcomes: [], notForUs: { 'alarm-without-stream': 1 }, failures: [] });
    expect(ok).toBe(true);
    expect(text).toContain('not for this function: alarm-without-stream (1)');
  });

  it('is a success where there was nothing to do', () => {
    expect(summarize({ outcomes: [], notForUs: {}, failures: [] })).toEqual({ ok: true, text: 'Nothing to do.' });
  });
});

describe('an invocation', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('without a Region says how to come by one, and how to do without an account', async () => {
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_DEFAULT_REGION', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'no-such-file'));

    await expect(locate('reflex', 'reshard-kinesis', {})).rejects.toThrow(
      /^No AWS Region\.\n[\s\S]*npm run drill -- --keep[\s\S]*AWS_REGION/,
    );
  });

  it.each([
    ['dry-run', { global: 'on' }, 'on'],
    ['dry-run', { global: 'dry-run', fn: 'on' }, 'on'],
    ['on', { global: 'off', fn: 'on' }, 'off'],
  ] as const)(
    'that asks for %s where the ledger holds %j does nothing, and says what wins',
    async (mode, modes, wins) => {
      const request = parseRequest(['check-site', 'events/reflex.tick.json', '--mode', mode]);
      const find = async () => ({ ...deployment, modes: async () => modes });

      await expect(invoke(request, {}, find)).rejects.toThrow(
        `Mode ${mode} was asked for, but the ledger holds ${wins} for check-site`,
      );
    },
  );

  it.each([{}, { global: 'dry-run' }, { global: 'on', fn: 'dry-run' }] as const)(
    'that asks for dry-run goes on where the ledger holds %j',
    async (modes) => {
      const request = parseRequest(['check-site', 'events/reflex.tick.json', '--mode', 'dry-run']);
      const queueUrl = () => Promise.reject(new Error('it went on'));
      const find = async () => ({ ...deployment, queueUrl, modes: async () => modes });

      await expect(invoke(request, {}, find)).rejects.toThrow('it went on');
    },
  );

  it('takes MODE in the environment for the same question', async () => {
    const request = parseRequest(['check-site', 'events/reflex.tick.json']);
    const find = async () => ({ ...deployment, modes: async () => ({ global: 'on' as const }) });

    await expect(invoke(request, { MODE: 'dry-run' }, find)).rejects.toThrow('Mode dry-run was asked for');
  });

  it('takes an endpoint without a scheme for the mistake it is, before anything is called', async () => {
    const find = vi.fn(async () => deployment);
    const request = parseRequest(['check-site', 'events/reflex.tick.json']);

    await expect(invoke(request, { AWS_ENDPOINT_URL_SQS: 'localhost:4566' }, find)).rejects.toThrow(
      /^AWS_ENDPOINT_URL_SQS: expected a URL such as http:\/\/127\.0\.0\.1:4566, found "localhost:4566"$/,
    );
    expect(find).not.toHaveBeenCalled();
  });

  it('of an unknown function lists the known', async () => {
    const request = parseRequest(['reshard', 'events/reflex.tick.json']);
    await expect(invoke(request, {})).rejects.toThrow('Known functions: reshard-kinesis');
  });

  it('without anything listening says how to reach the embedded AWS', async () => {
    const endpoint = 'http://127.0.0.1:9';
    process.env.AWS_ENDPOINT_URL = endpoint;
    try {
      await expect(locate('reflex', 'reshard-kinesis', { AWS_ENDPOINT_URL: endpoint })).rejects.toThrow(
        /Nothing answers at http:\/\/127\.0\.0\.1:9\.[\s\S]*npm run drill -- --keep/,
      );
    } finally {
      delete process.env.AWS_ENDPOINT_URL;
    }
  });
});

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DecisionLine, logFromEnv, redact } from '../../../shared/telemetry/logging.ts';

const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      lines.push(String(text));
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const decision: DecisionLine = {
  resource: 'arn:aws:kinesis:eu-west-1:111122223333:stream/orders',
  decision: 'act',
  reason: 'frozen',
  why: 'Throttled 1,200 records in 5 minutes.',
  incidentId: 'incident-1',
  mode: 'on',
  dryRun: false,
  actions: [{ call: 'UpdateShardCount', params: { StreamName: 'orders', TargetShardCount: 2 } }],
  latencyMs: 1_300,
  facts: { openShards: 1, environment: [{ name: 'DB', value: 'hush' }] },
};

describe('the log', () => {
  it('writes a decision as one JSON line with the function, the version and all of the story', () => {
    const log = logFromEnv('reshard-kinesis', { REFLEX_VERSION: '1.2.3' });

    log.decision(decision);

    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toContain('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'INFO',
      message: 'decision',
      service: 'reflex',
      function: 'reshard-kinesis',
      version: '1.2.3',
      ...decision,
      facts: { openShards: 1, environment: [{ name: 'DB', value: '***' }] },
    });
  });

  it('redacts the fields of every line and keeps an error whole', () => {
    const log = logFromEnv('reshard-kinesis', {});

    log.warn('careful', { password: 'hush' });
    log.error('failed', new TypeError('boom'), { token: 'hush' });
    log.error('failed', 'just text');

    const [warned, failed, text] = lines.map((line) => JSON.parse(line));
    expect(lines.join('')).not.toContain('hush');
    expect(warned).toMatchObject({ level: 'WARN', message: 'careful', password: '***', version: 'development' });
    expect(failed).toMatchObject({ level: 'ERROR', message: 'failed', error: { name: 'TypeError', message: 'boom' } });
    expect(text).toMatchObject({ error: { name: 'Error', message: 'just text' } });
  });

  it('carries the request id of the invocation', () => {
    const log = logFromEnv('reshard-kinesis', {});

    log.invocation({
      awsRequestId: 'request-1',
      functionName: 'ReshardKinesis',
      functionVersion: '$LATEST',
      invokedFunctionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:ReshardKinesis',
      memoryLimitInMB: '512',
      callbackWaitsForEmptyEventLoop: false,
      logGroupName: '',
      logStreamName: '',
      getRemainingTimeInMillis: () => 0,
      done: () => {},
      fail: () => {},
      succeed: () => {},
    });
    log.info('here');

    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ function_request_id: 'request-1' });
  });

  it('carries the trace of the invocation, and whether it is the first of its process', () => {
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-69a8f1c0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0');
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', 'on-demand');
    const log = logFromEnv('reshard-kinesis', {});
    const context = { awsRequestId: 'request-1' } as Parameters<typeof log.invocation>[0];

    log.invocation(context);
    log.info('cold');
    log.invocation(context);
    log.info('warm');

    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { message: 'cold', cold_start: true, xray_trace_id: '1-69a8f1c0-0123456789abcdef01234567' },
      { message: 'warm', cold_start: false },
    ]);
  });

  it('calls no later invocation a cold start because the first had nothing to say', () => {
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', 'on-demand');
    const log = logFromEnv('reshard-kinesis', {});
    const context = (awsRequestId: string) => ({ awsRequestId }) as Parameters<typeof log.invocation>[0];

    for (const id of ['request-1', 'request-2', 'request-3']) log.invocation(context(id));
    log.info('warm');

    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { message: 'warm', cold_start: false, function_request_id: 'request-3' },
    ]);
  });

  it('says of an error where it comes from, what caused it, and its request', () => {
    const log = logFromEnv('reshard-kinesis', {});
    const cause = new RangeError('too far');
    const error = Object.assign(new Error('boom', { cause }), {
      code: 'ECONNRESET',
      $metadata: { requestId: 'request-2' },
      request: { body: 'hush' },
    });

    log.error('failed', error);

    expect(lines.join('')).not.toContain('hush');
    expect(JSON.parse(lines[0] ?? '').error).toEqual({
      name: 'Error',
      message: 'boom',
      stack: error.stack,
      cause: { name: 'RangeError', message: 'too far' },
      code: 'ECONNRESET',
      $metadata: { requestId: 'request-2' },
    });
  });

  it.each([
    [{}, ['info', 'warn']],
    [{ LOG_LEVEL: 'debug' }, ['debug', 'info', 'warn']],
    [{ POWERTOOLS_LOG_LEVEL: 'WARN', LOG_LEVEL: 'DEBUG' }, ['warn']],
    [{ POWERTOOLS_LOG_LEVEL: 'SILENT' }, []],
  ])('writes at the level of %j', (env, expected) => {
    const log = logFromEnv('reshard-kinesis', env);

    log.debug('debug');
    log.info('info');
    log.warn('warn');

    expect(lines.map((line) => JSON.parse(line).message)).toEqual(expected);
  });

  it.each([
    [
      { LOG_LEVEL: 'LOUD' },
      'LOG_LEVEL: expected one of TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL, SILENT, found "LOUD"',
    ],
    [{ POWERTOOLS_LOG_LEVEL: '7', LOG_LEVEL: 'INFO' }, /^POWERTOOLS_LOG_LEVEL: expected one of .*, found "7"$/],
  ])('refuses the level of %j and says what is allowed', (env, message) => {
    expect(() => logFromEnv('reshard-kinesis', env)).toThrow(message);
  });
});

describe('redact', () => {
  it.each([
    'password',
    'DbPassword',
    'masterUserPassword',
    'passwd',
    'passphrase',
    'token',
    'AuthToken',
    'authorization',
    'Authorization',
    'secret',
    'SecretString',
    'clientSecret',
    'credentials',
    'private_key',
    'apiKey',
    'api-key',
    'SecretAccessKey',
    'UserData',
    'command',
    'entryPoint',
  ])('masks what stands under %s', (key) => {
    expect(redact({ [key]: 'hush' })).toEqual({ [key]: '***' });
    expect(redact({ deep: [{ [key]: ['hush', { more: 'hush' }] }] })).toEqual({ deep: [{ [key]: '***' }] });
  });

  it.each([
    'StreamName',
    'TargetShardCount',
    'NewStartingHashKey',
    'PartitionKey',
    'taskArn',
    'environmentId',
    'commands',
  ])('leaves %s alone', (key) => {
    expect(redact({ [key]: 'open' })).toEqual({ [key]: 'open' });
  });

  it('keeps the names of an environment and of secrets, and masks the values', () => {
    const overrides = {
      containerOverrides: [
        {
          name: 'app',
          command: ['sh', '-c', 'curl -u me:hush'],
          environment: [{ name: 'DATABASE_URL', value: 'postgres://hush' }],
          secrets: [{ name: 'KEY', valueFrom: 'arn:aws:ssm:hush' }],
          cpu: 256,
        },
      ],
    };

    expect(redact(overrides)).toEqual({
      containerOverrides: [
        {
          name: 'app',
          command: '***',
          environment: [{ name: 'DATABASE_URL', value: '***' }],
          secrets: [{ name: 'KEY', valueFrom: '***' }],
          cpu: 256,
        },
      ],
    });
    expect(redact({ Environment: { Variables: { A: 'hush', B: 1 } } })).toEqual({
      Environment: { Variables: { A: '***', B: '***' } },
    });
  });

  it('masks the value of a pair whose name tells a secret, and no other', () => {
    const pairs = [
      { Key: 'db-password', Value: 'hush' },
      { Key: 'team', Value: 'payments' },
    ];

    expect(redact({ Tags: pairs })).toEqual({
      Tags: [
        { Key: 'db-password', Value: '***' },
        { Key: 'team', Value: 'payments' },
      ],
    });
  });

  it('leaves the facts of what is merely named like a secret alone', () => {
    const facts = { name: 'auth-tokens', arn: 'arn:aws:kinesis:eu-west-1:1:stream/auth-tokens', shards: [{ id: 1 }] };
    const reference = { name: 'DB_PASSWORD', valueFrom: 'arn:aws:ssm:hush' };

    expect(redact({ facts, reference })).toEqual({ facts, reference: { name: 'DB_PASSWORD', valueFrom: '***' } });
  });

  it('makes plain JSON of dates, bigints, errors and undefined', () => {
    const value = {
      at: new Date(0),
      hash: 2n ** 127n,
      error: new TypeError('boom'),
      gone: undefined,
      none: null,
      token: null,
    };

    expect(redact(value)).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      hash: '170141183460469231731687303715884105728',
      error: { name: 'TypeError', message: 'boom' },
      none: null,
      token: null,
    });
    expect(redact(undefined)).toBeNull();
  });

  it('never lets a secret through, wherever it lies, and leaves its input alone', () => {
    const holder = fc.constantFrom('password', 'environment', 'token', 'secrets', 'command', 'Authorization');
    const hidden = fc.constantFrom<unknown>('hush', ['hush'], { value: 'hush' }, [{ name: 'N', value: 'hush' }]);
    const carrier = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.tuple(holder, hidden).map(([key, value]) => ({ [key]: value })),
        fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'containerOverrides'), tie('node'), { minKeys: 1 }),
      ),
    })).node;

    fc.assert(
      fc.property(carrier, (value) => {
        const before = JSON.stringify(value);
        expect(JSON.stringify(redact(value))).not.toContain('hush');
        expect(JSON.stringify(value)).toBe(before);
        expect(redact(redact(value))).toEqual(redact(value));
      }),
    );
  });

  it('changes nothing in JSON without secrets', () => {
    const key = fc.constantFrom('StreamName', 'shards', 'utilisation', 'from', 'list');
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.string(),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(key, tie('json')),
      ),
    }));

    fc.assert(
      fc.property(json, (value) => {
        expect(redact(value)).toEqual(value);
      }),
    );
  });
});

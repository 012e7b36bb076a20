import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { DescribeStreamSummaryCommand, KinesisClient, UpdateShardCountCommand } from '@aws-sdk/client-kinesis';
import { SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type * as clientModule from '../../../shared/aws/client.ts';
import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../../shared/aws/client.ts';
import { type AwsEndpoint, startAwsEndpoint } from '../../support/aws-endpoint.ts';
import { startXrayDaemon } from '../../support/xray-daemon.ts';

let endpoint: AwsEndpoint;
let elsewhere: AwsEndpoint;
let client: typeof clientModule.client;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  elsewhere = await startAwsEndpoint();
});
afterAll(async () => {
  await endpoint.close();
  await elsewhere.close();
});
beforeEach(async () => {
  vi.unstubAllEnvs();
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
  vi.stubEnv('AWS_ENDPOINT_URL', endpoint.url);
  vi.stubEnv('AWS_MAX_ATTEMPTS', undefined);
  for (const { requests, reply } of [endpoint, elsewhere]) {
    requests.length = 0;
    reply(() => ({}));
  }
  vi.resetModules();
  ({ client } = await import('../../../shared/aws/client.ts'));
});

const summary = new DescribeStreamSummaryCommand({ StreamName: 'orders' });
const update = new UpdateShardCountCommand({
  StreamName: 'orders',
  TargetShardCount: 2,
  ScalingType: 'UNIFORM_SCALING',
});

describe('client', () => {
  it('makes one client of a class for the whole process', () => {
    expect(client(KinesisClient)).toBe(client(KinesisClient));
    expect(client(KinesisClient)).not.toBe(client(CloudWatchClient));
  });

  it('keeps a client with its own number of attempts apart, and makes it once', () => {
    const single = client(KinesisClient, { maxAttempts: 1 });

    expect(single).toBe(client(KinesisClient, { maxAttempts: 1 }));
    expect(single).not.toBe(client(KinesisClient));
  });

  it('speaks HTTP/1.1 to Kinesis and keeps the connection, also between its two clients', async () => {
    await client(KinesisClient).send(summary);
    await client(KinesisClient).send(summary);
    await client(KinesisClient, { maxAttempts: 1 }).send(update);

    expect(endpoint.requests.map(({ operation }) => operation)).toEqual([
      'DescribeStreamSummary',
      'DescribeStreamSummary',
      'UpdateShardCount',
    ]);
    expect(endpoint.requests.every(({ httpVersion }) => httpVersion === '1.1')).toBe(true);
    expect(new Set(endpoint.requests.map(({ connection }) => connection)).size).toBe(1);
  });

  it('attempts a failing call three times', async () => {
    endpoint.reply(() => ({ status: 500 }));

    await expect(client(KinesisClient).send(summary)).rejects.toMatchObject({ $metadata: { attempts: 3 } });
    expect(endpoint.requests).toHaveLength(3);
  });

  it('honours AWS_MAX_ATTEMPTS', async () => {
    vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
    endpoint.reply(() => ({ status: 500 }));

    await expect(client(KinesisClient).send(summary)).rejects.toMatchObject({ $metadata: { attempts: 2 } });
    expect(endpoint.requests).toHaveLength(2);
  });

  it.each(['LimitExceededException', 'ThrottlingException', 'InternalFailure'])(
    'sends a priced call once, whatever AWS_MAX_ATTEMPTS says, when it fails with %s',
    async (name) => {
      vi.stubEnv('AWS_MAX_ATTEMPTS', '5');
      endpoint.reply(() => ({ status: name === 'InternalFailure' ? 500 : 400, body: { __type: name } }));

      await expect(client(KinesisClient, { maxAttempts: 1 }).send(update)).rejects.toThrow();
      expect(endpoint.requests).toHaveLength(1);
    },
  );

  it('routes one service elsewhere by AWS_ENDPOINT_URL_<SERVICE>', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', elsewhere.url);

    await client(CloudWatchClient).send(new DescribeAlarmsCommand({}));
    await client(KinesisClient).send(summary);

    expect(elsewhere.requests.map(({ operation }) => operation)).toEqual(['DescribeAlarms']);
    expect(endpoint.requests.map(({ operation }) => operation)).toEqual(['DescribeStreamSummary']);
  });

  it('gives up on a server that does not answer, as a transient error', async () => {
    endpoint.reply(() => ({ silent: true }));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const failure = client(KinesisClient, { maxAttempts: 1 })
        .send(summary)
        .catch((error: unknown) => error);
      await vi.waitFor(() => expect(endpoint.requests).toHaveLength(1));
      await vi.advanceTimersByTimeAsync(5_000);

      const error = await failure;
      expect(error).toMatchObject({ name: 'TimeoutError' });
      expect(isTransient(error)).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('traces its calls, with the throttle flag of a throttled one', async () => {
    const daemon = await startXrayDaemon();
    vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', daemon.address);
    const { withTrace } = await import('../../../shared/telemetry/tracing.ts');
    const header = 'Root=1-68f3c1aa-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1';
    endpoint.reply(() => ({ status: 400, body: { __type: 'ThrottlingException' } }));

    await withTrace(header, () => client(KinesisClient, { maxAttempts: 1 }).send(summary)).catch(() => undefined);

    expect(await daemon.segments()).toMatchObject([
      { name: 'Kinesis', namespace: 'aws', throttle: true, error: true, aws: { operation: 'DescribeStreamSummary' } },
    ]);
    await daemon.close();
  });

  it('takes clients of every protocol', () => {
    expect(client(SSMClient)).toBeInstanceOf(SSMClient);
  });
});

describe('errors', () => {
  it('are recognised by name, and by Code where a query service gives only that', () => {
    expect(isErrorNamed({ name: 'ResourceInUseException' }, 'A', 'ResourceInUseException')).toBe(true);
    expect(isErrorNamed({ name: 'Error', Code: 'Throttling' }, 'Throttling')).toBe(true);
  });

  it.each([undefined, null, 'ResourceInUseException', 1, {}, { name: 'Other' }])(
    'are not recognised in %j',
    (error) => {
      expect(isErrorNamed(error, 'ResourceInUseException')).toBe(false);
      expect(isThrottle(error)).toBe(false);
      expect(isAccessDenied(error)).toBe(false);
      expect(isTransient(error)).toBe(false);
    },
  );

  it.each([
    { name: 'ThrottlingException' },
    { name: 'Error', Code: 'Throttling' },
    { name: 'ProvisionedThroughputExceededException' },
    { name: 'Unknown', $metadata: { httpStatusCode: 429 } },
  ])('that ask to slow down are throttles, and transient: %j', (error) => {
    expect(isThrottle(error)).toBe(true);
    expect(isTransient(error)).toBe(true);
  });

  it('named LimitExceededException are no throttle: a daily cap has the same name', () => {
    expect(isThrottle({ name: 'LimitExceededException', $metadata: { httpStatusCode: 400 } })).toBe(false);
    expect(isTransient({ name: 'LimitExceededException', $metadata: { httpStatusCode: 400 } })).toBe(false);
  });

  it.each(['AccessDeniedException', 'AccessDenied', 'UnauthorizedOperation', 'AuthorizationErrorException'])(
    'named %s say that a permission is missing, and no repetition helps',
    (name) => {
      expect(isAccessDenied({ name, $metadata: { httpStatusCode: 403 } })).toBe(true);
      expect(isTransient({ name, $metadata: { httpStatusCode: 403 } })).toBe(false);
    },
  );

  it.each([
    { name: 'TimeoutError' },
    { name: 'Error', code: 'ECONNRESET' },
    { name: 'Error', code: 'ENOTFOUND' },
    { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } },
    { name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } },
  ])('of the network or of AWS itself are transient: %j', (error) => {
    expect(isTransient(error)).toBe(true);
    expect(isThrottle(error)).toBe(false);
  });

  it.each([
    { name: 'ValidationException', $metadata: { httpStatusCode: 400 } },
    { name: 'Error', code: 'ERR_INVALID_ARG_TYPE' },
  ])('of the caller are not transient: %j', (error) => {
    expect(isTransient(error)).toBe(false);
  });
});

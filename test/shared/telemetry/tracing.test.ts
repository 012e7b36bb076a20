import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { annotate, span, traced, traceId, withTrace } from '../../../shared/telemetry/tracing.ts';
import { type AwsEndpoint, startAwsEndpoint } from '../../support/aws-endpoint.ts';
import { type SegmentDocument, startXrayDaemon, type XrayDaemon } from '../../support/xray-daemon.ts';

const root = '1-68f3c1aa-0123456789abcdef01234567';
const header = `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`;
const noThrottle = () => false;

let daemon: XrayDaemon;
let endpoint: AwsEndpoint;
let printed: ReturnType<typeof vi.spyOn>[];

beforeAll(async () => {
  daemon = await startXrayDaemon();
  endpoint = await startAwsEndpoint();
});
afterAll(async () => {
  await daemon.close();
  await endpoint.close();
});
beforeEach(() => {
  daemon.clear();
  endpoint.reply(() => ({}));
  endpoint.requests.length = 0;
  vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', daemon.address);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
  printed = (['log', 'info', 'warn', 'error', 'debug'] as const).map((method) => vi.spyOn(console, method));
});
afterEach(() => {
  for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const byName = async (): Promise<Record<string, SegmentDocument>> =>
  Object.fromEntries((await daemon.segments()).map((segment) => [segment.name, segment]));

describe('withTrace and span', () => {
  it('sends each finished span as a subsegment of the invocation, nested by parent id', async () => {
    const result = await withTrace(header, () => span('message', () => span('observe', async () => 42)));

    const { message, observe } = await byName();
    expect(result).toBe(42);
    expect(message).toMatchObject({ type: 'subsegment', trace_id: root, parent_id: '53995c3f42cd8ad8' });
    expect(observe).toMatchObject({ type: 'subsegment', trace_id: root, parent_id: message?.id });
    expect(message?.end_time).toBeGreaterThanOrEqual(message?.start_time ?? Number.NaN);
    expect(message?.in_progress).toBeUndefined();
    expect(message?.fault).toBeUndefined();
  });

  it('takes the header of each invocation from the environment', async () => {
    const later = '1-68f3c1ab-0123456789abcdef01234567';

    vi.stubEnv('_X_AMZN_TRACE_ID', header);
    await withTrace(undefined, () => span('first', () => undefined));
    vi.stubEnv('_X_AMZN_TRACE_ID', header.replace(root, later));
    await withTrace(undefined, () => span('second', () => undefined));

    const { first, second } = await byName();
    expect(first?.trace_id).toBe(root);
    expect(second?.trace_id).toBe(later);
  });

  it('keeps parallel spans apart', async () => {
    const gate = Promise.withResolvers<void>();
    const branch = (name: string) =>
      span(name, async () => {
        await gate.promise;
        annotate('own', name);
        await span(`${name}.child`, () => gate.promise);
      });

    await withTrace(header, async () => {
      const both = [branch('a'), branch('b')];
      gate.resolve();
      await Promise.all(both);
    });

    const documents = await byName();
    expect(documents['a.child']?.parent_id).toBe(documents.a?.id);
    expect(documents['b.child']?.parent_id).toBe(documents.b?.id);
    expect(documents.a?.annotations).toEqual({ own: 'a' });
    expect(documents.b?.annotations).toEqual({ own: 'b' });
  });

  it('keeps parallel traces apart', async () => {
    const other = '1-68f3c1ac-0123456789abcdef01234567';

    const seen = await Promise.all([
      withTrace(header, () => span('a', async () => traceId())),
      withTrace(header.replace(root, other), () => span('b', async () => traceId())),
    ]);

    const { a, b } = await byName();
    expect(seen).toEqual([root, other]);
    expect([a?.trace_id, b?.trace_id]).toEqual([root, other]);
  });

  it('sends a child that outlives its parent', async () => {
    const gate = Promise.withResolvers<void>();

    await withTrace(header, async () => {
      const child = await span('parent', async () => ({ done: span('late', () => gate.promise) }));
      gate.resolve();
      await child.done;
    });

    const { parent, late } = await byName();
    expect(late?.parent_id).toBe(parent?.id);
  });

  it('sends each of many open spans exactly once', async () => {
    const gate = Promise.withResolvers<void>();

    await withTrace(header, async () => {
      const spans = Array.from({ length: 120 }, (_, index) => span(`task ${index}`, () => gate.promise));
      gate.resolve();
      await Promise.all(spans);
    });

    const names = (await daemon.segments()).map(({ name }) => name);
    expect(new Set(names).size).toBe(120);
    expect(names).toHaveLength(120);
  });

  it('adds annotations given at the start, by the span and by anything inside it', async () => {
    await withTrace(header, () =>
      span(
        'message',
        (self) => {
          self.annotate('decision', 'act');
          annotate('steps', 2);
        },
        { 'dry-run': true, resource: 'x'.repeat(2_000) },
      ),
    );

    const { message } = await byName();
    expect(message?.annotations).toEqual({ dry_run: true, resource: 'x'.repeat(1_000), decision: 'act', steps: 2 });
  });

  it.each([
    ['rejects', () => Promise.reject(new TypeError('boom'))],
    [
      'throws',
      () => {
        throw new TypeError('boom');
      },
    ],
  ])('marks a span that %s as a fault and passes the very same error on', async (_, fail) => {
    let thrown: unknown;
    const caught = await withTrace(header, () =>
      span('act', async () => {
        try {
          return await fail();
        } catch (error) {
          thrown = error;
          throw error;
        }
      }),
    ).catch((error: unknown) => error);

    const { act } = await byName();
    expect(caught).toBe(thrown);
    expect(act?.fault).toBe(true);
    expect(act?.cause?.exceptions).toMatchObject([{ type: 'TypeError', message: 'boom' }]);
  });

  it('marks a fault when what is thrown is no error at all', async () => {
    const caught = await withTrace(header, () => span('act', () => Promise.reject(undefined))).catch(() => 'rejected');

    const { act } = await byName();
    expect(caught).toBe('rejected');
    expect(act?.fault).toBe(true);
  });
});

describe('a process of its own', () => {
  const tracing = import.meta.resolve('../../../shared/telemetry/tracing.ts');
  const run = async (script: string) => {
    const source = `import { annotate, span, withTrace } from '${tracing}';\n${script}`;
    const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], { timeout: 15_000 });
    return child.then(({ stdout, stderr }) => stdout + stderr);
  };
  const trace = (body: string) => `await withTrace('${header}', () => span('last', () => { ${body} }));`;

  it('has sent everything when the trace ends, so that freezing it loses nothing', async () => {
    await run(`${trace('')} process.exit(0);`);

    expect(await daemon.segments()).toMatchObject([{ name: 'last' }]);
  });

  it('is not kept alive by the socket', async () => {
    await run(trace(''));

    expect(await daemon.segments()).toHaveLength(1);
  });

  it('prints nothing although the SDK has something to say', async () => {
    const printed = await run(trace("annotate('not', Number.NaN); annotate('a number', {});"));

    expect(printed).toBe('');
    expect(await daemon.segments()).toHaveLength(1);
  });
});

describe('silence', () => {
  const run = () => withTrace(undefined, () => span('message', () => span('inner', () => [traceId(), 'result'])));

  it.each([
    ['not sampled', `Root=${root};Parent=53995c3f42cd8ad8;Sampled=0`],
    ['without a sampling decision', `Root=${root}`],
    ['with a malformed root', 'Root=1-zzz-0;Parent=53995c3f42cd8ad8;Sampled=1'],
    ['with a malformed parent', `Root=${root};Parent=nobody;Sampled=1`],
    ['of garbage', ';;=;=;\n\u0000'],
    ['that is empty', ''],
  ])('sends nothing and changes nothing for a header %s', async (_, value) => {
    vi.stubEnv('_X_AMZN_TRACE_ID', value);

    expect(await run()).toEqual([undefined, 'result']);
    expect(await daemon.segments()).toEqual([]);
  });

  it('sends nothing outside Lambda, where there is no trace id', async () => {
    vi.stubEnv('_X_AMZN_TRACE_ID', undefined);

    expect(await run()).toEqual([undefined, 'result']);
    expect(await daemon.segments()).toEqual([]);
  });

  it.each([undefined, '', 'nonsense', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:99999', 'udp:127.0.0.1'])(
    'sends nothing to the daemon address %j',
    async (address) => {
      vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', address);
      vi.stubEnv('_X_AMZN_TRACE_ID', header);

      expect(await run()).toEqual([undefined, 'result']);
      expect(await daemon.segments()).toEqual([]);
    },
  );

  it('takes the long form of the daemon address', async () => {
    vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', `tcp:127.0.0.1:1 udp:${daemon.address}`);
    vi.stubEnv('_X_AMZN_TRACE_ID', header);

    await run();

    expect(await daemon.segments()).toHaveLength(2);
  });

  it('gives the result although nobody listens, or the name does not resolve', async () => {
    const gone = await startXrayDaemon();
    await gone.close();
    vi.stubEnv('_X_AMZN_TRACE_ID', header);

    for (const address of [gone.address, 'daemon.invalid:2000']) {
      vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', address);
      expect(await run()).toEqual([root, 'result']);
    }
  });

  it('gives the result although a document is larger than a datagram', async () => {
    const result = await withTrace(header, () =>
      span('huge', (self) => {
        for (let index = 0; index < 100; index++) self.annotate(`key${index}`, 'x'.repeat(1_000));
        return 'result';
      }),
    );

    expect(result).toBe('result');
    expect(await daemon.segments()).toEqual([]);
  });

  it('runs spans and annotations without any trace around them', async () => {
    annotate('nobody', 'listens');

    const result = await span('alone', (self) => {
      self.annotate('a', 1);
      return 'result';
    });

    expect(result).toBe('result');
    await expect(span('alone', () => Promise.reject(new Error('own')))).rejects.toThrow('own');
    expect(traceId()).toBeUndefined();
  });

  it('stays silent inside an unsampled trace that is nested in a sampled one', async () => {
    await withTrace(header, () => withTrace(header.replace('Sampled=1', 'Sampled=0'), () => span('x', () => 1)));

    expect(await daemon.segments()).toEqual([]);
  });
});

describe('traced', () => {
  const cloudwatch = (isThrottle = noThrottle) =>
    traced(new CloudWatchClient({ region: 'eu-west-1', endpoint: endpoint.url, maxAttempts: 2 }), isThrottle);
  const describeAlarms = (client: CloudWatchClient) =>
    client.send(new DescribeAlarmsCommand({ AlarmNamePrefix: 'hush-hush' }));

  it('makes a call a subsegment of namespace aws under the current span, without its parameters', async () => {
    const client = cloudwatch();

    await withTrace(header, () => span('observe', () => describeAlarms(client)));

    const documents = await byName();
    expect(documents.CloudWatch).toMatchObject({
      parent_id: documents.observe?.id,
      namespace: 'aws',
      aws: { operation: 'DescribeAlarms', region: 'eu-west-1', request_id: 'request-1', retries: 0 },
      http: { response: { status: 200 } },
    });
    expect(JSON.stringify(documents)).not.toContain('hush-hush');
    expect(documents.CloudWatch?.fault).toBeUndefined();
  });

  it('carries the trace onward, with the fields of the header it does not know', async () => {
    const client = cloudwatch();

    await withTrace(`${header}; Lineage=1:abcd:0;`, () => describeAlarms(client));

    const { CloudWatch } = await byName();
    expect(endpoint.requests[0]?.headers['x-amzn-trace-id']).toBe(
      `Root=${root};Parent=${CloudWatch?.id};Sampled=1;Lineage=1:abcd:0`,
    );
  });

  it('counts retries and makes one subsegment of all attempts', async () => {
    endpoint.reply(() => (endpoint.requests.length === 1 ? { status: 503 } : {}));
    const client = cloudwatch();

    await withTrace(header, () => describeAlarms(client));

    const segments = await daemon.segments();
    expect(segments).toHaveLength(1);
    expect(segments[0]?.aws).toMatchObject({ retries: 1 });
  });

  it.each([
    { status: 400, throttled: false, flags: { error: true, fault: undefined, throttle: undefined } },
    { status: 400, throttled: true, flags: { error: true, fault: undefined, throttle: true } },
    { status: 500, throttled: false, flags: { error: undefined, fault: true, throttle: undefined } },
  ])('flags a call that fails with $status, throttled: $throttled', async ({ status, throttled, flags }) => {
    const body = { __type: 'InvalidParameterValue', message: "Value 'hush-hush' is not allowed" };
    endpoint.reply(() => ({ status, body }));
    const client = cloudwatch(() => throttled);

    const caught = await withTrace(header, () => span('act', () => describeAlarms(client))).catch((error) => error);

    const { CloudWatch, act } = await byName();
    expect(caught).toMatchObject({ name: 'InvalidParameterValueException', $metadata: { httpStatusCode: status } });
    expect({ error: CloudWatch?.error, fault: CloudWatch?.fault, throttle: CloudWatch?.throttle }).toEqual(flags);
    expect(CloudWatch?.cause?.exceptions[0]).toMatchObject({ type: 'InvalidParameterValueException', remote: true });
    expect(act?.fault).toBe(true);
    expect(JSON.stringify([CloudWatch, act])).not.toContain('hush-hush');
  });

  it('marks a call without an answer as a fault', async () => {
    endpoint.reply(() => ({ hangUp: true }));
    const client = traced(
      new CloudWatchClient({ region: 'eu-west-1', endpoint: endpoint.url, maxAttempts: 1 }),
      noThrottle,
    );

    const caught = await withTrace(header, () => describeAlarms(client)).catch((error) => error);

    const { CloudWatch } = await byName();
    expect(caught).toMatchObject({ code: 'ECONNRESET' });
    expect(CloudWatch?.fault).toBe(true);
    expect(CloudWatch?.http).toBeUndefined();
  });

  it('makes one subsegment a call although the client was traced twice', async () => {
    const client = traced(cloudwatch(), noThrottle);

    await withTrace(header, () => describeAlarms(client));

    expect(await daemon.segments()).toHaveLength(1);
  });

  it('lets a call through untouched where nothing is traced', async () => {
    const client = cloudwatch();

    await describeAlarms(client);

    expect(endpoint.requests[0]?.headers['x-amzn-trace-id']).toBeUndefined();
    expect(await daemon.segments()).toEqual([]);
  });

  it('gives the answer although the classification of an error throws', async () => {
    endpoint.reply(() => ({ status: 400, body: { __type: 'Nope' } }));
    const client = cloudwatch(() => {
      throw new Error('classification');
    });

    await expect(withTrace(header, () => describeAlarms(client))).rejects.toMatchObject({ name: 'Nope' });
  });
});

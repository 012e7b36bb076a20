import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';
import { at } from '../event-builders.ts';
import { fakeApplicationAutoscaling } from './application-autoscaling.ts';
import { fakeAutoScaling } from './autoscaling.ts';
import { fakeClock } from './clock.ts';
import { fakeCloudwatch } from './cloudwatch.ts';
import { fakeEcs } from './ecs.ts';
import { fakeElastiCache } from './elasticache.ts';
import { fakeElbv2 } from './elbv2.ts';
import { fakeKinesis } from './kinesis.ts';
import { fakeLambda } from './lambda.ts';
import { fakeLogs } from './logs.ts';
import { fakeNetworkInterfaces } from './network-interfaces.ts';
import { answerOf, asked, refusal, serviceOf } from './router.ts';
import { startServer } from './server.ts';
import { AwsError, type Input, type Service } from './service.ts';
import { fakeServicediscovery } from './servicediscovery.ts';
import { fakeSns } from './sns.ts';
import { fakeSqs } from './sqs.ts';
import { fakeSsm } from './ssm.ts';
import { fakeTagging } from './tagging.ts';
import { waveGate } from './waves.ts';

/** One call as it arrived, whatever became of it. */
export interface AwsCall {
  readonly service: string;
  readonly operation: string;
  readonly input: Input;
  /** Epoch ms on the fake's clock. */
  readonly at: number;
}

/**
 * What goes wrong with a call. AwsError: AWS refuses. `hang-up`: no answer, nothing done. `lost`: done, but the answer
 * does not arrive. A function happens just before the call is served; it may refuse it.
 */
export type Fault = AwsError | 'hang-up' | 'lost' | ((input: Input) => AwsError | undefined);

interface Options {
  readonly start?: number;
  readonly shardLimit?: number;
  readonly metricDelayMs?: number;
  readonly concurrency?: number;
}

/** One account in one Region: services that share a clock. */
const accountAt = ({ start = at, shardLimit = 20_000, metricDelayMs = 0, concurrency = 1_000 }: Options) => {
  const clock = fakeClock(start);
  const kinesis = fakeKinesis(clock, { shardLimit });
  const cloudwatch = fakeCloudwatch(clock, { delayMs: metricDelayMs });
  const lambda = fakeLambda({ concurrency });
  const elasticache = fakeElastiCache(clock);
  const applicationAutoscaling = fakeApplicationAutoscaling();
  const autoscaling = fakeAutoScaling();
  const logs = fakeLogs(clock);
  const tagging = fakeTagging(() => [
    ...kinesis.streams(),
    ...elasticache.tagged(),
    ...cloudwatch.tagged(),
    ...lambda.tagged(),
    ...ecs.tagged(),
  ]);
  const sqs = fakeSqs(clock);
  const sns = fakeSns();
  const ssm = fakeSsm();
  const ecs = fakeEcs(clock);
  const elbv2 = fakeElbv2(clock);
  const servicediscovery = fakeServicediscovery();
  const networkInterfaces = fakeNetworkInterfaces();
  const services: readonly Service[] = [
    kinesis,
    cloudwatch,
    lambda,
    tagging,
    sqs,
    sns,
    ssm,
    ecs,
    elbv2,
    servicediscovery,
    networkInterfaces,
    elasticache,
    applicationAutoscaling,
    autoscaling,
    logs,
  ].map(({ service }) => service);
  return {
    clock,
    kinesis,
    cloudwatch,
    lambda,
    sqs,
    sns,
    ssm,
    ecs,
    elbv2,
    servicediscovery,
    networkInterfaces,
    elasticache,
    applicationAutoscaling,
    logs,
    services,
  };
};

/**
 * AWS on loopback, for the real SDK: point `AWS_ENDPOINT_URL` at `url`. A service is a file here and a line in
 * `accountAt`. DynamoDB's calls go on to `dynamodb`, an emulator's URL.
 */
export const startFakeAws = async ({ dynamodb }: { readonly dynamodb?: string } = {}) => {
  let world = accountAt({});
  let calls: AwsCall[] = [];
  let faults: { readonly operation: string; readonly fault: Fault; times: number }[] = [];
  const gate = waveGate();

  const nextFault = (operation: string): Fault | undefined => {
    const planned = faults.find((one) => one.operation === operation && one.times > 0);
    if (planned !== undefined) planned.times--;
    return planned?.fault;
  };

  const serve = async (request: AwsRequest): Promise<AwsReply> => {
    const name = serviceOf(request);
    const service = world.services.find((one) => one.name === name);
    const { operation, input } = asked(service, request);
    calls.push({ service: name, operation, input, at: world.clock() });
    await gate.enter(`${name}:${operation}`);
    try {
      const fault = nextFault(operation);
      if (fault === 'hang-up') return { hangUp: true };
      if (fault instanceof AwsError) return refusal(service, fault);
      if (typeof fault === 'function') {
        const refused = fault(input);
        if (refused !== undefined) return refusal(service, refused);
      }
      const answer =
        name === 'dynamodb' && dynamodb !== undefined
          ? await forwarded(request, dynamodb)
          : answerOf(service, operation, input);
      return fault === 'lost' ? { hangUp: true } : answer;
    } finally {
      gate.left();
    }
  };

  const { url, close } = await startServer(serve);
  return {
    url,
    close,
    /** A new account: no streams, no metrics, no calls, no faults, the clock at `start`. */
    reset: (options: Options = {}): void => {
      world = accountAt(options);
      calls = [];
      faults = [];
    },
    /** Lets the next `times` calls of an operation go wrong. */
    fault: (operation: string, fault: Fault, times = 1): void => void faults.push({ operation, fault, times }),
    /** Inputs of every call of an operation, in order. */
    called: (operation: string): Input[] =>
      calls.filter((call) => call.operation === operation).map(({ input }) => input),
    /** The operations of each wave of sequential round trips while `work` runs. */
    waves: gate.during,
    /** Resolves when no request is under way and none has come for a while. */
    quiet: gate.quiet,
    get calls() {
      return calls;
    },
    get clock() {
      return world.clock;
    },
    get kinesis() {
      return world.kinesis;
    },
    get elasticache() {
      return world.elasticache;
    },
    get applicationAutoscaling() {
      return world.applicationAutoscaling;
    },
    get logs() {
      return world.logs;
    },
    get cloudwatch() {
      return world.cloudwatch;
    },
    get lambda() {
      return world.lambda;
    },
    get sqs() {
      return world.sqs;
    },
    get sns() {
      return world.sns;
    },
    get ssm() {
      return world.ssm;
    },
    get ecs() {
      return world.ecs;
    },
    get networkInterfaces() {
      return world.networkInterfaces;
    },
    get elbv2() {
      return world.elbv2;
    },
    get servicediscovery() {
      return world.servicediscovery;
    },
  };
};

export type FakeAws = Awaited<ReturnType<typeof startFakeAws>>;

const forwarded = async ({ headers, body }: AwsRequest, url: string): Promise<AwsReply> => {
  const passed = ['content-type', 'x-amz-target', 'x-amz-date', 'authorization'];
  const answer = await fetch(url, {
    method: 'POST',
    headers: passed.map((name) => [name, String(headers[name])] as [string, string]),
    body,
  });
  return { status: answer.status, body: await answer.text() };
};

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { client } from '../../../shared/aws/client.ts';
import { dynamoTable } from '../../../shared/aws/dynamodb.ts';
import type { Call, Outcome } from '../../../shared/decision.ts';
import type { CommonFacts, ReflexFunction } from '../../../shared/function.ts';
import { type Ledger, ledger } from '../../../shared/ledger/ledger.ts';
import { remediation } from '../../../shared/remediation.ts';
import { runtimeFromEnv } from '../../../shared/runtime-env.ts';
import type { Dynalite } from '../dynalite.ts';
import type { FakeAws } from './fake-aws.ts';
import { account, region } from './service.ts';

let tables = 0;

export interface TimedOutcome extends Outcome {
  /** Epoch ms on the fake's clock. */
  readonly at: number;
}

/**
 * A function as the template deploys it: the production runtime with its inbox, ledger and topic on the fake AWS, the
 * fake's clock, and ids that count. `env` on top of what the stack sets; MODE is `on` unless said otherwise.
 */
export const deployed = async <F extends CommonFacts, P, C extends Call>(
  fake: FakeAws & { readonly dynalite: Dynalite },
  make: (env: NodeJS.ProcessEnv, clock: () => number) => ReflexFunction<F, P, C>,
  env: Readonly<Record<string, string>> = {},
) => {
  const table = `ledger-${++tables}`;
  await fake.dynalite.createTable(table);
  const { clock } = fake;
  const inbox = `${fake.url}/${account}/inbox-${tables}`;
  const all = {
    MODE: 'on',
    LEDGER_TABLE: table,
    INBOX_URL: inbox,
    NOTIFICATIONS_TOPIC_ARN: `arn:aws:sns:${region}:${account}:reflex`,
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    ...env,
  };
  const fn = make(all, clock);
  const store: Ledger = ledger({ table: dynamoTable(client(DynamoDBClient), table, async () => {}), clock });
  let ids = 0;
  const handler = remediation(fn, {
    ...runtimeFromEnv(fn.name, all),
    clock,
    newId: () => String(++ids).padStart(8, '0'),
    ledger: store,
  });
  const outcomes: TimedOutcome[] = [];
  const invoke = async (payload: unknown) => {
    const result = await handler(payload);
    outcomes.push(...result.outcomes.map((outcome) => ({ ...outcome, at: clock() })));
    return result;
  };
  return {
    inbox,
    ledger: store,
    /** Every outcome so far, in order. */
    outcomes,
    /** Invokes directly: EventBridge, an alarm's Lambda action, SNS. */
    invoke,
    /** Puts messages into the inbox; they are delivered when time passes. */
    send: (...bodies: readonly unknown[]): void => {
      for (const body of bodies) fake.sqs.send(inbox, body);
    },
    /** Lets time pass, and delivers what is due on the way. */
    run: async (ms: number): Promise<void> => {
      const until = clock() + ms;
      for (;;) {
        while ((await fake.sqs.poll(inbox, invoke)) !== undefined);
        const next = fake.sqs.nextAt(inbox);
        if (next === undefined || next > until) break;
        clock.advance(Math.max(1, next - clock()));
      }
      clock.advance(Math.max(0, until - clock()));
    },
  };
};

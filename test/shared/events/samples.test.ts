import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { receive } from '../../../shared/events/envelope.ts';
import type { Parsed } from '../../../shared/events/event.ts';
import { parse } from '../../../shared/events/registry.ts';

interface Row {
  readonly file: string;
  readonly kind: string;
  readonly for: string;
  readonly provenance: string;
  readonly changed: string;
  /** `event`, `not-for-us: <reason>` or `broken: <field>`, one a message. */
  readonly outcomes: readonly string[];
}

const folder = new URL('../../../events/', import.meta.url);
const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
const manifest = (read('manifest.json') as Row[]).map((row): [string, Row] => [row.file, row]);

/** Spot events put the Availability Zone for Region and account, EBS leaves the Region's place empty, Health has no account. */
const asAwsGarblesIt = /^arn:aws:(ec2:eu-west-1[a-c]:instance\/|ec2::eu-west-1:|health:eu-west-1::event\/)/;

function outcome(parsed: Parsed): string {
  if (parsed.kind === 'event') return 'event';
  return parsed.kind === 'broken' ? `broken: ${parsed.error.field}` : `not-for-us: ${parsed.reason}`;
}

it('lists every sample', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json') && file !== 'manifest.json');

  expect(manifest.map(([file]) => file).sort()).toEqual(files.sort());
});

describe.each(manifest)('%s', (file, row) => {
  it('says what it is for and where it is from', () => {
    for (const value of [row.kind, row.for, row.provenance, row.changed]) expect(value).toMatch(/\S/);
  });

  it('parses to what the manifest says', () => {
    expect(receive(read(file)).messages.map((message) => outcome(parse(message)))).toEqual(row.outcomes);
  });

  it('stays in the example account and region', () => {
    const arns = JSON.stringify(read(file)).match(/arn:aws:[a-z]+:[^\s"\\]*/g) ?? [];

    expect(
      arns.filter((arn) => !/^arn:aws:[a-z]+:eu-west-1:111122223333:/.test(arn) && !asAwsGarblesIt.test(arn)),
    ).toEqual([]);
  });
});

it('has one alarm that is the same occurrence through EventBridge, SNS and its Lambda action', () => {
  const files = [
    'aws.cloudwatch.alarm-state-change.kinesis.json',
    'aws.sns.alarm.kinesis.json',
    'aws.cloudwatch.alarm-action.kinesis.json',
  ];

  const parsed = files.flatMap((file) => receive(read(file)).messages.map(parse));

  for (const each of parsed) {
    expect(each).toMatchObject({
      event: {
        alarmArn: 'arn:aws:cloudwatch:eu-west-1:111122223333:alarm:orders-utilization-high',
        at: Date.parse('2026-03-05T03:12:00.123Z'),
        state: 'ALARM',
        metrics: [
          { name: 'IncomingBytes' },
          { name: 'IncomingRecords' },
          { name: 'WriteProvisionedThroughputExceeded' },
        ],
      },
    });
  }
});

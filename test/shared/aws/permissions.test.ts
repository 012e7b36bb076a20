import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { declaredIn } from '../../support/declared.ts';

/** IAM's name where it is not `<client>:<operation>`. */
const PREFIX: Readonly<Record<string, string>> = {
  'application-auto-scaling': 'application-autoscaling',
  'auto-scaling': 'autoscaling',
  'cloudwatch-logs': 'logs',
  'elastic-load-balancing': 'elasticloadbalancing',
  'elastic-load-balancing-v2': 'elasticloadbalancing',
  'resource-groups-tagging-api': 'tag',
};
const ACTION: Readonly<Record<string, string>> = {
  'sqs:SendMessageBatch': 'sqs:SendMessage',
  'sns:PublishBatch': 'sns:Publish',
};

/** What AWS asks for beside the call itself, and when. */
const BESIDE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'ecs:RunTask': {
    'iam:PassRole': 'for the roles that the definition or the call names',
    'ecs:TagResource': 'for the tags of what it runs',
  },
  's3:GetObject': { 's3:ListBucket': 'to tell an object that is not there from one that may not be read' },
  'cloudwatch:PutMetricAlarm': { 'cloudwatch:TagResource': 'for the tags of a new alarm' },
  'servicediscovery:DeregisterInstance': {
    'route53:ChangeResourceRecordSets':
      'for the records of a DNS namespace, which Cloud Map changes with the caller’s permissions',
    'route53:GetHealthCheck': 'for the health check of an instance, likewise',
    'route53:UpdateHealthCheck': 'likewise',
    'route53:DeleteHealthCheck': 'likewise',
  },
};

const calls = globSync('shared/aws/*.ts').flatMap(declaredIn);

const clientOf = (file: string): string => /@aws-sdk\/client-([a-z0-9-]+)'/.exec(readFileSync(file, 'utf8'))?.[1] ?? '';

describe('the permissions that a function asks for', () => {
  it('are found', () => {
    expect(calls.length).toBeGreaterThan(70);
  });

  it.each(calls.map((call) => [`${call.file} ${call.name}`, call] as const))(
    '%s: are those of its calls',
    (_, call) => {
      const prefix = PREFIX[clientOf(call.file)] ?? clientOf(call.file);
      const own = call.operations.map((operation) => ACTION[`${prefix}:${operation}`] ?? `${prefix}:${operation}`);
      const all = [...new Set(own.flatMap((action) => [action, ...Object.keys(BESIDE[action] ?? {})]))];

      expect([...call.actions].sort()).toEqual(all.sort());
    },
  );
});

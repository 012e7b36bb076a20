import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, type Props, props, readTemplate, type Value } from '../../scripts/template.ts';
import { reachableOperations } from '../support/reachable.ts';

const template = readTemplate();
const functions = functionsOf(template);

interface Statement {
  readonly Sid: string;
  readonly Action: readonly string[];
  readonly Resource: Value | undefined;
  readonly Condition: Props;
}

const list = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** A condition's branches, both of them: what a stack may come to allow. */
const branches = (value: Value): Value[] => {
  const [, ...both] = list(props(value)['Fn::If']);
  return both.length === 0 ? [value] : both.flatMap(branches).filter((branch) => props(branch).Ref !== 'AWS::NoValue');
};

const statementsOf = (role: string): Statement[] =>
  list(template.Resources[role]?.Properties?.Policies)
    .flatMap((policy) => list(props(props(policy).PolicyDocument).Statement))
    .flatMap(branches)
    .map((statement) => props(statement))
    .map(({ Sid, Action, Resource, Condition }) => ({
      Sid: String(Sid),
      Action: list(Action).map(String),
      Resource,
      Condition: props(Condition),
    }));

const roleOf = (logicalId: string): string =>
  String(list(props(template.Resources[logicalId]?.Properties?.Role)['Fn::GetAtt'])[0]);

/** IAM's name where it is not `<client>:<operation>`. */
const PREFIX: Record<string, string> = {
  'application-auto-scaling': 'application-autoscaling',
  'cloudwatch-logs': 'logs',
  'elastic-load-balancing-v2': 'elasticloadbalancing',
  'resource-groups-tagging-api': 'tag',
};
const ACTION: Record<string, string> = {
  'sqs:SendMessageBatch': 'sqs:SendMessage',
  'sns:PublishBatch': 'sns:Publish',
};

/** In a shared file, and never reached from a function. */
const NOT_GRANTED: Record<string, string> = {
  'dynamodb:Scan': "only the operator's command line searches the whole ledger",
};

/** Granted, and used by AWS on the function's behalf rather than by its code. */
const USED_BY_AWS: Record<string, string> = {
  'logs:CreateLogStream': 'the Lambda runtime',
  'logs:PutLogEvents': 'the Lambda runtime',
  'xray:PutTraceSegments': "the X-Ray daemon beside the function, with the function's role",
  'xray:PutTelemetryRecords': 'the X-Ray daemon',
  'sqs:ReceiveMessage': 'the event source mapping',
  'sqs:DeleteMessage': 'the event source mapping',
  'sqs:GetQueueAttributes': 'the event source mapping',
  'kms:Decrypt': 'SNS, when the function publishes to the encrypted topic',
  'kms:GenerateDataKey': 'SNS, when the function publishes to the encrypted topic',
};

/** AWS has no resource to name for these, or (DescribeAlarms) hides composite alarms from anything narrower. */
const ONLY_STAR = new Set([
  'xray:PutTraceSegments',
  'xray:PutTelemetryRecords',
  'kinesis:DescribeLimits',
  'cloudwatch:GetMetricData',
  'cloudwatch:DescribeAlarms',
  'tag:GetResources',
  'lambda:ListEventSourceMappings',
  'lambda:GetAccountSettings',
  'ecs:DescribeTaskDefinition',
  'elasticloadbalancing:DescribeTargetGroups',
  'elasticloadbalancing:DescribeTargetGroupAttributes',
  'elasticloadbalancing:DescribeTargetHealth',
  'servicediscovery:ListInstances',
  'elasticache:DescribeUpdateActions',
  'application-autoscaling:DescribeScalableTargets',
  'ec2:DescribeInstanceTypes',
]);

/** What each function is for, in one call: were it missing, the tests on writes would hold for nothing. */
const REMEDY: Record<string, string> = {
  'reshard-kinesis': 'kinesis:UpdateShardCount',
  'drain-fargate': 'elasticloadbalancing:DeregisterTargets',
  'relieve-elasticache': 'elasticache:IncreaseReplicaCount',
};

const actionOf = (client: string, operation: string): string => {
  const action = `${PREFIX[client] ?? client}:${operation}`;
  return ACTION[action] ?? action;
};

describe.each(functions)('the role of $folder', ({ folder, logicalId, codeUri }) => {
  const statements = statementsOf(roleOf(logicalId));
  const granted = new Set(statements.flatMap(({ Action }) => Action));
  /** Resources of the stack itself are named by Ref or GetAtt, whose text holds no colon. */
  const ofOthers = statements.filter(({ Resource }) =>
    list(Resource).some((arn) => typeof arn === 'string' || /^arn:/.test(String(props(arn)['Fn::Sub']))),
  );

  it('grants what the code can call, and nothing else', async () => {
    const operations = await reachableOperations(join(import.meta.dirname, '../..', codeUri, 'handler.ts'));

    const called = operations.map(({ client, operation }) => actionOf(client, operation));
    const needed = [...called.filter((action) => NOT_GRANTED[action] === undefined), ...Object.keys(USED_BY_AWS)];
    expect([...granted].sort()).toEqual([...new Set(needed)].sort());
  });

  it('names every action in full', () => {
    expect([...granted].filter((action) => !/^[a-z0-9-]+:[A-Z][A-Za-z]+$/.test(action))).toEqual([]);
  });

  it('gives every statement a name of its own', () => {
    const names = statements.map(({ Sid }) => Sid);
    expect(names.every((name) => /^[A-Z][A-Za-z]+$/.test(name))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has resource * only where AWS allows nothing narrower', () => {
    const star = statements.filter(({ Resource }) => list(Resource).includes('*')).flatMap(({ Action }) => Action);
    expect(star.filter((action) => !ONLY_STAR.has(action))).toEqual([]);
    expect(star).not.toEqual([]);
  });

  it('changes nobody else’s resource without the opt-in tag on it', () => {
    const writes = ofOthers.filter(({ Action }) =>
      Action.some((action) => !/:(Describe|List|Get|Filter)|^xray:/.test(action)),
    );

    expect(writes.flatMap(({ Action }) => Action)).toContain(REMEDY[folder]);
    for (const { Sid, Condition } of writes) {
      expect(Condition, Sid).toEqual({ StringEquals: { 'aws:ResourceTag/reflex:enabled': 'true' } });
    }
  });

  it('is bounded where a permissions boundary is given', () => {
    expect(template.Resources[roleOf(logicalId)]?.Properties?.PermissionsBoundary).toEqual({
      'Fn::If': ['PermissionsBoundaryIsGiven', { Ref: 'PermissionsBoundary' }, { Ref: 'AWS::NoValue' }],
    });
  });
});

describe('what others may do', () => {
  const policies = Object.entries(template.Resources).filter(([, { Type }]) => /::(Queue|Topic)Policy$/.test(Type));
  const statements = policies.flatMap(([, { Properties }]) =>
    list(props(Properties?.PolicyDocument).Statement).map(props),
  );

  it('lets a service in only for a source of this account', () => {
    const allowed = statements.filter(({ Effect }) => Effect === 'Allow');

    expect(allowed).not.toHaveLength(0);
    for (const statement of allowed) {
      const conditions = Object.assign({}, ...Object.values(props(statement.Condition)).map(props)) as Props;
      expect(props(statement.Principal).Service, String(statement.Sid)).toMatch(/\.amazonaws\.com$/);
      expect(conditions['aws:SourceArn'] ?? conditions['aws:SourceAccount'], String(statement.Sid)).toBeDefined();
    }
  });

  it('refuses queues to whoever does not use TLS', () => {
    const queues = policies.filter(([, { Type }]) => Type === 'AWS::SQS::QueuePolicy');
    const denied = statements.filter(({ Sid, Effect }) => Effect === 'Deny' && Sid === 'NothingInClear');
    expect(denied).toHaveLength(queues.length);
  });

  it('lets alarms of this account alone invoke a function directly', () => {
    const permissions = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Permission');

    expect(permissions.map(({ Properties }) => props(Properties?.FunctionName).Ref)).toEqual([
      'ReshardKinesis',
      'RelieveElasticache',
    ]);
    for (const { Properties } of permissions) {
      expect(Properties?.Principal).toBe('lambda.alarms.cloudwatch.amazonaws.com');
      expect(Properties?.SourceAccount).toEqual({ Ref: 'AWS::AccountId' });
      expect(props(Properties?.SourceArn)['Fn::Sub']).toMatch(/:alarm:\*$/);
    }
  });
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, type Props, props, readTemplate, type Value } from '../../scripts/template.ts';
import { declaredIn } from '../support/declared.ts';
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

/** Functions that change nothing of anybody's. */
const CHANGES_NOTHING = new Set(['check-site']);

const OPT_IN = { by: { StringEquals: { 'aws:ResourceTag/reflex:enabled': 'true' } } };

/** Writes that the opt-in tag of an existing resource cannot bind, by function and Sid, with the condition that does. */
const BOUND_OTHERWISE: Record<string, { readonly because: string; readonly by: Props }> = {
  'drain-fargate LetCloudMapTakeRecordsOut': {
    because:
      'zones and health checks are Cloud Map’s; it uses these for a call that the tag binds, and the function cannot',
    by: { Bool: { 'aws:ViaAWSService': 'true' } },
  },
  'reshard-kinesis ScaleStreams': {
    because: 'only with KinesisTagCondition = false, where AWS knows neither resource nor condition for the call',
    by: {},
  },
  'resume-fargate RunTasksThatCarryTheOptIn': {
    because: 'the interrupted task is gone; the one that is run must carry the tag',
    by: { StringEquals: { 'aws:RequestTag/reflex:enabled': 'true' } },
  },
  'resume-fargate TagWhatIsRun': {
    because: 'a tag is given only by RunTask, which is bound above',
    by: { StringEquals: { 'ecs:CreateAction': 'RunTask' } },
  },
  'resume-fargate PassRolesOfTasks': {
    because: 'IAM does not bind PassRole to tags; the parameter names the roles',
    by: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
  },
  'save-spot-logs KeepVolumes': {
    because: 'a volume carries no tag before it is first kept; the same call needs the tag on its instance',
    by: {},
  },
  'save-spot-logs TagVolumes': {
    because: 'a volume carries no tag before it is first kept; the tags themselves are bound, and a call without any',
    by: { 'ForAllValues:StringLike': { 'aws:TagKeys': 'reflex:*' }, Null: { 'aws:TagKeys': 'false' } },
  },
  'save-spot-logs RunShipLogs': {
    because: "the document is the stack's own; the same call needs the tag on each instance",
    by: {},
  },
  'save-spot-logs RunOnInstancesThatOptedIn': {
    because: "Run Command has its own name for an instance's tag",
    by: { StringEquals: { 'ssm:resourceTag/reflex:enabled': 'true' } },
  },
  'rescue-spot-logs TagNewSnapshots': {
    because: 'a snapshot gets its first tags with CreateSnapshot, which is bound',
    by: { StringEquals: { 'ec2:CreateAction': 'CreateSnapshot' } },
  },
  'rescue-spot-logs MakeTaggedSnapshots': {
    because: 'the snapshot is new and must carry the tag; the same call needs it on the volume',
    by: { StringEquals: { 'aws:RequestTag/reflex:enabled': 'true' } },
  },
  'rescue-spot-logs DeleteWhatIsDone': {
    because: 'what is deleted must say as well that its logs are proven to be in S3',
    by: { StringEquals: { 'aws:ResourceTag/reflex:enabled': 'true', 'aws:ResourceTag/reflex:rescue': 'done' } },
  },
  'rescue-spot-logs RunRescueTask': {
    because: "the definition is the stack's own, and so is the cluster",
    by: { ArnEquals: { 'ecs:cluster': { 'Fn::GetAtt': ['RescueCluster', 'Arn'] } } },
  },
  'rescue-spot-logs TagRescueTask': {
    because: 'a tag is given only by RunTask, which is bound above',
    by: { StringEquals: { 'ecs:CreateAction': 'RunTask' } },
  },
  'tune-alarms MakeTaggedAlarms': {
    because: 'a new alarm has no tag yet: it must be given it, and may have no action',
    by: {
      StringEquals: { 'aws:RequestTag/reflex:enabled': 'true' },
      Null: { 'cloudwatch:AlarmActions': 'true' },
    },
  },
};

/** AWS has no resource to name for these, or (DescribeAlarms) hides composite alarms from anything narrower. */
const ONLY_STAR = new Set([
  'xray:PutTraceSegments',
  'xray:PutTelemetryRecords',
  'kinesis:DescribeLimits',
  // Only with KinesisTagCondition = false.
  'kinesis:UpdateShardCount',
  'cloudwatch:GetMetricData',
  'cloudwatch:DescribeAlarms',
  'tag:GetResources',
  'lambda:ListEventSourceMappings',
  'lambda:GetAccountSettings',
  'ecs:DescribeTaskDefinition',
  'ecs:ListTasks',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeInstances',
  'ec2:DescribeVolumes',
  'ec2:DescribeSnapshots',
  'autoscaling:DescribeAutoScalingGroups',
  'autoscaling:DescribeLifecycleHooks',
  'elasticloadbalancing:DescribeInstanceHealth',
  'ecs:ListClusters',
  'ssm:ListCommandInvocations',
  'ssm:DescribeInstanceInformation',
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
  'resume-fargate': 'ecs:RunTask',
  'restore-capacity': 'ecs:UpdateService',
  'save-spot-logs': 'ec2:ModifyInstanceAttribute',
  'rescue-spot-logs': 'ec2:DeleteVolume',
  'relieve-elasticache': 'elasticache:IncreaseReplicaCount',
  'tune-alarms': 'cloudwatch:PutMetricAlarm',
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

    const called = operations.flatMap(({ file, operation }) =>
      declaredIn(file).flatMap((each) => (each.operations.includes(operation) ? each.actions : [])),
    );
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

  it('changes nobody else’s resource without the opt-in tag on it, or what is said to bind it instead', () => {
    const writes = ofOthers.filter(({ Action }) =>
      Action.some((action) => !/:(Describe|List|Get|Filter)|^xray:/.test(action)),
    );

    if (CHANGES_NOTHING.has(folder)) expect(writes).toEqual([]);
    else expect(writes.flatMap(({ Action }) => Action)).toContain(REMEDY[folder]);
    for (const { Sid, Condition } of writes) {
      const { by } = BOUND_OTHERWISE[`${folder} ${Sid}`] ?? OPT_IN;
      expect(Condition, Sid).toEqual(by);
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

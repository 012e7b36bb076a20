import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stackPolicy } from '../../functions/reshard-kinesis/policy.ts';
import { functionsOf, type Props, props, readTemplate, type Value } from '../../scripts/template.ts';
import { SettingError } from '../../shared/settings.ts';

const ROOT = join(import.meta.dirname, '../..');
const template = readTemplate();
const functions = functionsOf(template);
const globals = template.Globals.Function;
const json = (file: string): Props => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Props;
/** What these failed at has to come again while the instance lives: a message is hidden for little longer than they may run. */
const COMES_BACK_FAST = new Set(['drain-fargate', 'save-spot-logs']);

const ofType = (type: string): [string, Props][] =>
  Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, props(resource.Properties)]);

describe('a parameter', () => {
  const parameters = Object.entries(template.Parameters);

  it.each(parameters)('%s says what it means, and may be left as it is', (_, parameter) => {
    expect(String(parameter.Description).length).toBeGreaterThan(20);
    expect(parameter.Default).toBeDefined();
  });

  it.each(parameters)('%s refuses nonsense', (_, { Type, AllowedValues, AllowedPattern, MinValue, MaxValue }) => {
    const bounded = Type === 'Number' ? MinValue !== undefined && MaxValue !== undefined : AllowedPattern !== undefined;
    expect(bounded || AllowedValues !== undefined).toBe(true);
  });

  it.each(parameters)('%s has a default that it would itself accept', (_, parameter) => {
    expect(accepts(parameter, String(parameter.Default))).toBe(true);
  });

  it('is shown in exactly one group', () => {
    const groups = template.Metadata['AWS::CloudFormation::Interface']?.ParameterGroups as Props[];
    const shown = groups.flatMap(({ Parameters }) => Parameters as string[]);
    expect(shown.toSorted()).toEqual(Object.keys(template.Parameters).toSorted());
  });

  it.each([
    ['FreezeCalendar', 'quarter-end', true],
    ['FreezeCalendar', 'arn:aws:ssm:eu-west-1:111122223333:document/quarter-end', true],
    ['FreezeCalendar', 'arn:aws:s3:::bucket', false],
    ['NotificationEmail', 'sre@example.com', true],
    ['NotificationEmail', 'sre', false],
    ['PermissionsBoundary', 'arn:aws:iam::111122223333:policy/boundary', true],
    ['PermissionsBoundary', 'boundary', false],
    ['ResourcePrefix', 'reflex-staging', true],
    ['ResourcePrefix', 'Reflex', false],
    ['Mode', 'on', true],
    ['Mode', 'true', false],
    ['FollowUpSeconds', '900', true],
    ['FollowUpSeconds', '901', false],
  ])('%s: %s is accepted: %s', (name, value, expected) => {
    expect(accepts(template.Parameters[name] ?? {}, value)).toBe(expected);
  });

  const accepts = ({ Type, AllowedValues, AllowedPattern, MinValue, MaxValue }: Props, value: string): boolean => {
    if (Array.isArray(AllowedValues)) return AllowedValues.map(String).includes(value);
    if (Type === 'Number') return Number(value) >= Number(MinValue) && Number(value) <= Number(MaxValue);
    return new RegExp(String(AllowedPattern)).test(value);
  };
});

describe('the bounds of a parameter', () => {
  it.each([
    ['KinesisMinShards', 'MIN_SHARDS', { MAX_SHARDS: '10000' }, 1],
    ['KinesisMaxShards', 'MAX_SHARDS', {}, 1],
    ['KinesisTargetUtilization', 'TARGET_UTILIZATION', {}, 0.01],
    ['KinesisMaxIteratorAge', 'MAX_ITERATOR_AGE', {}, 1],
  ])('%s are those the function accepts', (name, variable, others, step) => {
    const { MinValue, MaxValue } = template.Parameters[name] ?? {};
    const parsed = (value: number) => () => stackPolicy({ ...others, [variable]: String(value) });

    expect(parsed(Number(MinValue))).not.toThrow();
    expect(parsed(Number(MaxValue))).not.toThrow();
    expect(parsed(Number(MinValue) - step)).toThrow(SettingError);
    expect(parsed(Number(MaxValue) + step)).toThrow(SettingError);
  });

  it('are the defaults of the function too', () => {
    const fn = functions.find(({ folder }) => folder === 'reshard-kinesis');
    const variables = Object.entries(fn?.environment ?? {}).flatMap(([key, value]) => {
      const parameter = template.Parameters[String(props(value).Ref)];
      return parameter === undefined ? [] : [[key, String(parameter.Default)]];
    });
    expect(stackPolicy(Object.fromEntries(variables))).toEqual(stackPolicy({}));
  });
});

describe('every function', () => {
  it('runs traced, on arm64, on the Node that develops it', () => {
    const { devDependencies } = json('package.json');
    const major = String(props(devDependencies).node).split('.')[0];

    expect(globals).toMatchObject({ Runtime: `nodejs${major}.x`, Architectures: ['arm64'], Tracing: 'Active' });
    for (const { bundling } of functions) expect(bundling).toMatchObject({ Target: `node${major}`, Format: 'esm' });
  });

  it.each(functions)('$folder is named after its folder', ({ folder, logicalId }) => {
    const pascal = folder.replace(/(^|-)([a-z])/g, (_match, _dash, letter: string) => letter.toUpperCase());
    const { FunctionName } = props(template.Resources[logicalId]?.Properties);

    expect(logicalId).toBe(pascal);
    expect(props(FunctionName)['Fn::Sub']).toBe(`\${ResourcePrefix}-${folder}`);
  });

  it.each(functions)('$folder keeps what failed for good', ({ logicalId }) => {
    const deadLetters = { 'Fn::GetAtt': ['DeadLetterQueue', 'Arn'] };
    const { EventInvokeConfig } = props(template.Resources[logicalId]?.Properties);
    const inbox = props(template.Resources[`${logicalId}Inbox`]?.Properties);

    expect(props(props(EventInvokeConfig).DestinationConfig).OnFailure).toEqual({
      Type: 'SQS',
      Destination: deadLetters,
    });
    expect(inbox.RedrivePolicy).toEqual({ deadLetterTargetArn: deadLetters, maxReceiveCount: 5 });
  });

  it.each(functions)('$folder is the only one that may redrive from its inbox into the dead letters', ({ folder }) => {
    const [[, queue] = ['', {}]] = ofType('AWS::SQS::Queue').filter(([id]) => id === 'DeadLetterQueue');
    const sources = props(queue.RedriveAllowPolicy).sourceQueueArns as Value[];
    const named = sources.map((arn) => String(props(arn)['Fn::Sub']));

    expect(named.filter((arn) => arn.endsWith(`\${ResourcePrefix}-${folder}-inbox`))).toHaveLength(1);
  });

  it.each(functions)('$folder has its inbox to itself for six times its timeout', ({ logicalId, folder }) => {
    const { VisibilityTimeout } = props(template.Resources[`${logicalId}Inbox`]?.Properties);
    const { Timeout = globals.Timeout } = props(template.Resources[logicalId]?.Properties);
    expect(VisibilityTimeout).toBeGreaterThanOrEqual((COMES_BACK_FAST.has(folder) ? 1 : 6) * Number(Timeout));
  });

  it.each(functions)('$folder answers for each message of a batch on its own', ({ logicalId }) => {
    const { Events } = props(template.Resources[logicalId]?.Properties);
    const { Type, Properties } = props(props(Events).Messages);

    expect(Type).toBe('SQS');
    expect(Properties).toMatchObject({
      Queue: { 'Fn::GetAtt': [`${logicalId}Inbox`, 'Arn'] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: expect.any(Number) },
    });
  });

  it.each(functions)('$folder has no event whose name SAM would make into one of our resources', ({ logicalId }) => {
    const events = Object.keys(props(template.Resources[logicalId]?.Properties?.Events));
    const made = [...events, 'EventInvokeConfig'].map((suffix) => `${logicalId}${suffix}`);

    expect(events).not.toHaveLength(0);
    expect(made.filter((id) => id in template.Resources)).toEqual([]);
  });

  it.each(functions)('$folder logs into a group of its own that forgets', ({ logicalId, folder }) => {
    expect(template.Resources[`${logicalId}Logs`]?.Properties).toEqual({
      LogGroupName: { 'Fn::Sub': `/aws/lambda/\${ResourcePrefix}-${folder}` },
      RetentionInDays: { Ref: 'LogRetentionDays' },
    });
  });

  it.each(functions)('$folder is told nothing that its code does not read', ({ codeUri, environment }) => {
    const files = globSync(`{shared,${codeUri}}/**/*.ts`, { cwd: ROOT });
    const source = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n');
    const unread = Object.keys(environment).filter((name) => !new RegExp(`\\b${name}\\b`).test(source));
    expect(unread).toEqual([]);
  });
});

describe('what wakes reshard-kinesis', () => {
  const pattern = props(template.Resources.ReshardKinesisAlarmRule?.Properties).EventPattern ?? null;
  const samples = Object.fromEntries(
    globSync('events/aws.cloudwatch.alarm-*.json', { cwd: ROOT }).map((file) => [file, json(file)]),
  );
  const withState = (event: Props | undefined, value: string): Props => {
    const detail = props(event?.detail);
    return { ...event, detail: { ...detail, state: { ...props(detail.state), value } } };
  };
  const alarm = samples['events/aws.cloudwatch.alarm-state-change.kinesis.json'];

  it.each(['kinesis', 'kinesis-ok', 'kinesis-single-metric', 'kinesis-shard', 'kinesis-composite'])(
    'the rule lets the alarm event %s in',
    (kind) => {
      expect(matches(pattern, samples[`events/aws.cloudwatch.alarm-state-change.${kind}.json`] ?? null)).toBe(true);
    },
  );

  it('the rule keeps an alarm on anything but a stream out', () => {
    const text = JSON.stringify(alarm).replaceAll('"StreamName"', '"QueueName"');
    expect(matches(pattern, JSON.parse(text) as Value)).toBe(false);
  });

  it('the rule keeps an alarm without data out', () => {
    expect(matches(pattern, withState(alarm, 'ALARM'))).toBe(true);
    expect(matches(pattern, withState(alarm, 'INSUFFICIENT_DATA'))).toBe(false);
  });

  it('the rule keeps a change of an alarm’s configuration out', () => {
    expect(matches(pattern, samples['events/aws.cloudwatch.alarm-configuration-change.json'] ?? null)).toBe(false);
  });

  it('the schedules send ticks, hourly for everything and every five minutes for what is open', () => {
    const ticks = ofType('AWS::Scheduler::Schedule')
      .filter(([id]) => id.startsWith('ReshardKinesis'))
      .map(([, { ScheduleExpression, Target }]) => [ScheduleExpression, JSON.parse(String(props(Target).Input))]);
    expect(ticks).toEqual([
      ['rate(1 hour)', { source: 'reflex', 'detail-type': 'Tick' }],
      ['rate(5 minutes)', { source: 'reflex', 'detail-type': 'Tick', detail: { scope: 'incidents' } }],
    ]);
  });
});

describe('what wakes tune-alarms', () => {
  const pattern = props(template.Resources.TuneAlarmsTagRule?.Properties).EventPattern ?? null;
  const sample = json('events/aws.tag.tag-change.kinesis.json');
  const changed = (change: Props): Value => ({ ...sample, detail: { ...props(sample.detail), ...change } });

  it('the rule lets a change of the opt-in, and of every tag that sets a level, in', () => {
    expect(matches(pattern, sample)).toBe(true);
    for (const tag of ['reflex:target-utilization', 'reflex:max-iterator-age', 'reflex:act-at']) {
      expect(matches(pattern, changed({ 'changed-tag-keys': ['team', tag] })), tag).toBe(true);
    }
  });

  it('the rule keeps other tags and other services out', () => {
    expect(matches(pattern, changed({ 'changed-tag-keys': ['team'] }))).toBe(false);
    expect(matches(pattern, changed({ service: 'ec2' }))).toBe(false);
  });
});

/** EventBridge's matching, as far as this template uses it: lists of values, `exists`, `$or`, and lists of objects in the event. */
const matches = (pattern: Value, event: Value): boolean =>
  Object.entries(props(pattern)).every(([key, wanted]) => {
    if (key === '$or') return (wanted as Value[]).some((branch) => matches(branch, event));
    const found = Array.isArray(event) ? event.flatMap((item) => props(item)[key] ?? []) : (props(event)[key] ?? []);
    const all = Array.isArray(found) ? found : [found];
    if (!Array.isArray(wanted)) return all.some((item) => matches(wanted, item));
    return all.some((item) => wanted.some((one) => one === item || (props(one).exists === true && item !== null)));
  });

describe('who watches the watcher', () => {
  const alarms = ofType('AWS::CloudWatch::Alarm');
  const dashboard = String(props(template.Resources.Dashboard?.Properties?.DashboardBody)['Fn::Sub']);
  const { widgets } = JSON.parse(dashboard) as {
    widgets: { properties: { alarms?: string[]; metrics?: unknown[][] } }[];
  };
  const emitted = globSync('shared/telemetry/*metrics.ts', { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n');

  it('tells people when an alarm begins and when it ends', () => {
    const ids = alarms.map(([id]) => id);
    for (const { logicalId } of functions) {
      expect(ids).toEqual(expect.arrayContaining([`${logicalId}ErrorsAlarm`, `${logicalId}SilentAlarm`]));
    }
    expect(ids).toEqual(expect.arrayContaining(['DeadLettersAlarm', 'NotificationsRefusedAlarm']));
    for (const [id, { AlarmActions, OKActions }] of alarms) {
      expect({ AlarmActions, OKActions }, id).toEqual({
        AlarmActions: [{ Ref: 'Notifications' }],
        OKActions: [{ Ref: 'Notifications' }],
      });
    }
  });

  it('takes the silence of the five-minute sweep for a failure', () => {
    const { TreatMissingData, Period, EvaluationPeriods } = props(
      template.Resources.ReshardKinesisSilentAlarm?.Properties,
    );
    expect(TreatMissingData).toBe('breaching');
    expect(Number(Period) * Number(EvaluationPeriods)).toBe(900);
  });

  it('asks only for metrics that Reflex emits', () => {
    const own = alarms.filter(([, { Namespace }]) => Namespace === 'Reflex').map(([, { MetricName }]) => MetricName);
    const drawn = [...dashboard.matchAll(/\{Reflex,[^}]*\} MetricName=\\"(\w+)\\"/g)].map(([, metric]) => metric);

    expect([...own, ...drawn].length).toBeGreaterThan(4);
    for (const metric of [...own, ...drawn]) expect(emitted).toContain(`'${metric}'`);
  });

  it('asks for metrics of its own stack, never of another one in the same Region', () => {
    const own = alarms.filter(([, { Namespace }]) => Namespace === 'Reflex');
    const searches = dashboard.match(/SEARCH\('.*?'/g) ?? [];

    for (const [id, { Dimensions }] of own) {
      expect(Dimensions, id).toContainEqual({ Name: 'stack', Value: { Ref: 'AWS::StackName' } });
    }
    expect([own.length > 8, searches.length > 8]).toEqual([true, true]);
    for (const search of searches) {
      expect(search).toMatch(
        /^SEARCH\('\{Reflex,stack(,\w+)*\} MetricName=\\"\w+\\" stack=\\"\$\{AWS::StackName\}\\"'$/,
      );
    }
  });

  it('draws the queues and functions of its own stack, each by its name', () => {
    const drawn = widgets.flatMap(({ properties }) => properties.metrics ?? []).map((row) => row.at(-1));
    const inboxes = functions.map(({ logicalId }) => `\${${logicalId}Inbox.QueueName}`);
    const invoked = functions.map(({ logicalId }) => `\${${logicalId}}`);

    expect(drawn).toEqual(expect.arrayContaining([`\${DeadLetterQueue.QueueName}`, ...inboxes, ...invoked]));
    expect(drawn.filter((name) => invoked.includes(String(name)))).toHaveLength(2 * functions.length);
  });

  it('draws a dashboard that is JSON and shows every alarm', () => {
    const shown = widgets.flatMap(({ properties }) => properties.alarms ?? []);
    expect(shown.toSorted()).toEqual(alarms.map(([id]) => `\${${id}.Arn}`).toSorted());
  });
});

describe('the version', () => {
  const { version } = json('package.json');

  it('is the same wherever it is written', () => {
    expect(template.Outputs.Version?.Value).toBe(version);
    expect(template.Metadata['AWS::ServerlessRepo::Application']?.SemanticVersion).toBe(version);
    expect(props(props(globals.Environment).Variables).REFLEX_VERSION).toBe(version);
  });
});

describe('the ledger', () => {
  const { Properties, ...attributes } = template.Resources.Ledger ?? { Type: '' };

  it('outlives the stack', () => {
    expect(attributes).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' });
  });

  it('can be restored, forgets on time, and is encrypted', () => {
    expect(Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      SSESpecification: { SSEEnabled: true },
    });
  });
});

describe('a condition', () => {
  it('reads as a sentence', () => {
    for (const name of Object.keys(template.Conditions)) expect(name).toMatch(/^[A-Z]\w+(Is|Are)[A-Z]\w+$/);
  });
});

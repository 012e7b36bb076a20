import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settings as rescueSettings } from '../../functions/rescue-spot-logs/policy.ts';
import { settings as saveSettings } from '../../functions/save-spot-logs/policy.ts';
import { functionNamed, type Props, props, readTemplate, type Value } from '../../scripts/template.ts';

const template = readTemplate();
const propertiesOf = (id: string): Props => props(template.Resources[id]?.Properties);
const statementsOf = (document: Value | undefined): Props[] => (props(document).Statement as Value[]).map(props);
const list = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);
const sample = (name: string): Props =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../events/${name}.json`), 'utf8')) as Props;

describe('the log bucket', () => {
  it('is closed to the public, encrypted, keeps what is overwritten, and outlives the stack', () => {
    const { Properties, ...attributes } = template.Resources.LogBucket ?? { Type: '' };

    expect(attributes).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' });
    expect(Object.values(props(Properties?.PublicAccessBlockConfiguration))).toEqual([true, true, true, true]);
    expect(Properties).toMatchObject({
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      VersioningConfiguration: { Status: 'Enabled' },
    });
  });

  it('forgets former versions and unfinished uploads, and never a log', () => {
    const rules = (props(propertiesOf('LogBucket').LifecycleConfiguration).Rules as Value[]).map(props);

    expect(rules.flatMap((rule) => Object.keys(rule)).filter((key) => !['Id', 'Status'].includes(key))).toEqual([
      'AbortIncompleteMultipartUpload',
      'NoncurrentVersionExpiration',
    ]);
  });

  it('refuses whoever does not use TLS', () => {
    expect(statementsOf(propertiesOf('LogBucketPolicy').PolicyDocument)).toEqual([
      expect.objectContaining({
        Effect: 'Deny',
        Principal: '*',
        Action: 's3:*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    ]);
  });
});

describe('what may write to the log bucket', () => {
  const bucketOf = (statement: Props | undefined): string => String(list(props(statement?.Resource)['Fn::Sub'])[0]);

  it('lets a host ship its logs, and not write the proof of a rescue', () => {
    const statements = statementsOf(propertiesOf('ShipLogsFromHost').PolicyDocument);
    const denied = statements.filter(({ Effect }) => Effect === 'Deny');
    const allowed = statements.filter(({ Effect }) => Effect === 'Allow');

    expect(allowed.flatMap(({ Action }) => Action)).toEqual([
      's3:PutObject',
      's3:AbortMultipartUpload',
      's3:ListBucket',
    ]);
    expect(denied.map(({ Action }) => Action)).toEqual(['s3:PutObject']);
    expect(bucketOf(denied[0])).toMatch(/\/_RESCUED\/\*$/);
  });

  it('lets the rescue task write and list, and neither read nor delete a log', () => {
    const [policy] = list(propertiesOf('RescueTaskRole').Policies).map(props);

    expect(statementsOf(policy?.PolicyDocument).flatMap(({ Action }) => list(Action))).toEqual([
      's3:PutObject',
      's3:AbortMultipartUpload',
      's3:ListBucket',
    ]);
  });

  it('lets the rescue function read markers alone', () => {
    const [, policy] = list(propertiesOf('RescueSpotLogsRole').Policies).map(props);
    const [read] = statementsOf(policy?.PolicyDocument).filter(({ Action }) => Action === 's3:GetObject');
    const keys = list(read?.Resource).map((one) =>
      String(list(props(one)['Fn::Sub'])[0]).replace(/^.*\$\{Bucket\}/, ''),
    );

    expect(keys).toEqual(['/*/_RESCUED/*.json', '/*/_SHIPPED.json']);
  });
});

describe('the roles of the rescue task', () => {
  it.each([
    ['RescueTaskRole', 'ecs-tasks.amazonaws.com'],
    ['RescueExecutionRole', 'ecs-tasks.amazonaws.com'],
    ['RescueInfrastructureRole', 'ecs.amazonaws.com'],
  ])('%s can be assumed by %s alone, for this account', (role, service) => {
    expect(statementsOf(propertiesOf(role).AssumeRolePolicyDocument)).toEqual([
      expect.objectContaining({
        Principal: { Service: service },
        Action: 'sts:AssumeRole',
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    ]);
  });

  it('makes volumes with the policy that AWS has for it, and nothing else', () => {
    const { ManagedPolicyArns, Policies } = propertiesOf('RescueInfrastructureRole');
    expect(list(ManagedPolicyArns).map((arn) => String(props(arn)['Fn::Sub']))).toEqual([
      expect.stringMatching(/:iam::aws:policy\/service-role\/AmazonECSInfrastructureRolePolicyForVolumes$/),
    ]);
    expect(Policies).toBeUndefined();
  });
});

describe('what wakes them', () => {
  const withDetail = (event: Props, detail: Props): Props => ({
    ...event,
    detail: { ...props(event.detail), ...detail },
  });
  const task = withDetail(sample('aws.ecs.task-state-change.rescue-stopped'), { clusterArn: 'RescueCluster' });
  const command = withDetail(sample('aws.ssm.command-invocation'), { 'document-name': 'ShipLogs' });
  const terminated = sample('aws.ec2.instance-state-change.terminated');

  it.each([
    ['SaveSpotLogsNoticeRule', 'a warning', sample('aws.ec2.spot-interruption.terminate')],
    ['SaveSpotLogsNoticeRule', 'a warning of a stop', sample('aws.ec2.spot-interruption.stop')],
    ['SaveSpotLogsNoticeRule', 'a recommendation', sample('aws.ec2.rebalance-recommendation')],
    ['SaveSpotLogsHookRule', 'a hook', sample('aws.autoscaling.terminate-lifecycle-action')],
    ['SaveSpotLogsHealthRule', 'a retirement', sample('aws.health.ec2-retirement')],
    ['RescueSpotLogsTerminatedRule', 'the end of an instance', terminated],
    ['RescueSpotLogsSnapshotRule', 'a snapshot', sample('aws.ec2.snapshot.created')],
    ['RescueSpotLogsTaskRule', 'the end of a rescue task', task],
    ['RescueSpotLogsCommandRule', 'the end of a shipping', command],
  ])('%s lets %s in', (rule, _, event) => {
    expect(matches(propertiesOf(rule).EventPattern, event)).toBe(true);
  });

  it.each([
    ['SaveSpotLogsNoticeRule', 'the end of an instance', terminated],
    ['SaveSpotLogsHookRule', 'a launch that failed', sample('aws.autoscaling.launch-unsuccessful')],
    [
      'SaveSpotLogsHealthRule',
      'an issue of another service',
      withDetail(sample('aws.health.ec2-retirement'), { service: 'RDS' }),
    ],
    ['RescueSpotLogsTerminatedRule', 'a shutdown under way', withDetail(terminated, { state: 'shutting-down' })],
    [
      'RescueSpotLogsSnapshotRule',
      'a copied snapshot',
      withDetail(sample('aws.ec2.snapshot.created'), { event: 'copySnapshot' }),
    ],
    ['RescueSpotLogsTaskRule', "another's task", withDetail(task, { startedBy: 'ecs-svc/1' })],
    ['RescueSpotLogsTaskRule', 'a task that runs', withDetail(task, { lastStatus: 'RUNNING' })],
    ['RescueSpotLogsCommandRule', "another's document", sample('aws.ssm.command-invocation')],
  ])('%s keeps %s out', (rule, _, event) => {
    expect(matches(propertiesOf(rule).EventPattern, event)).toBe(false);
  });
});

/** EventBridge's matching, as far as these rules use it. A Ref or GetAtt stands for the logical id. */
const matches = (pattern: Value | undefined, event: Value | undefined): boolean =>
  Object.entries(props(pattern)).every(([key, wanted]) => {
    const found = props(event)[key];
    if (!Array.isArray(wanted)) return matches(wanted, found);
    return wanted.some((one) => {
      const { prefix, Ref, 'Fn::GetAtt': attribute } = props(one);
      if (typeof prefix === 'string') return typeof found === 'string' && found.startsWith(prefix);
      return (Ref ?? list(attribute)[0] ?? one) === found;
    });
  });

describe('the settings', () => {
  it.each([
    ['save-spot-logs', saveSettings],
    ['rescue-spot-logs', rescueSettings],
  ])('%s has the same defaults in the stack and in its code', (folder, settings) => {
    const { environment } = functionNamed(folder);
    const shared = Object.values(settings).filter(({ env }) => env in environment);

    expect(shared.length).toBeGreaterThan(0);
    for (const { env, fallback } of shared) {
      const parameter = template.Parameters[String(props(environment[env]).Ref)];
      expect(String(parameter?.Default), env).toBe(fallback);
    }
  });
});

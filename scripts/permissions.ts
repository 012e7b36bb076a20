/**
 * `npm run docs:permissions` writes docs/permissions.md: who may do what, and why, as template.yaml says it. A statement's reason is the
 * comment above it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml';
import { functionsOf, parseTemplate, plainValue, props, TEMPLATE_FILE, type Value } from './template.ts';

export const PAGE = join(import.meta.dirname, '../docs/permissions.md');

const HEAD = `# Permissions

Written by \`npm run docs:permissions\` from [template.yaml](../template.yaml); a test holds the two together, and another one holds the
template's statements against the AWS calls that each function's code can reach: no more, no less.

What changes your resources asks for the tag \`reflex:enabled = true\` in IAM, so it binds even if the code is wrong. Where a service knows
no such condition, the last column shows what binds instead. Every role takes the parameter \`PermissionsBoundary\`.

ARNs are without their partition, Region and account, which are the stack's own. Which side of an *or* holds depends on a parameter.
`;

/** Where the comment of a statement would repeat itself for every function. */
const PLATFORM = 'platform';

interface Statement {
  readonly sid: string;
  readonly denies: boolean;
  readonly reason: string;
  readonly actions: readonly string[];
  readonly resources: string;
  readonly conditions: readonly string[];
}

interface Role {
  readonly id: string;
  readonly reason: string;
  readonly policies: readonly { readonly name: string; readonly statements: readonly Statement[] }[];
  readonly managed: readonly string[];
}

/** @returns the page, for a template's text. */
export const permissionsPage = (text: string): string => {
  const roles = rolesIn(text);
  const roleOf = new Map(
    functionsOf(parseTemplate(text)).map(({ logicalId, folder }) => [`${logicalId}Role` as string, folder] as const),
  );
  const platform = roles
    .flatMap(({ policies }) => policies.filter(({ name }) => name === PLATFORM))
    .toSorted((a, b) => b.statements.length - a.statements.length)[0];
  const functions = roles.filter(({ id }) => roleOf.has(id));
  const others = roles.filter(({ id }) => !roleOf.has(id));
  const own = ({ policies }: Role) =>
    policies.filter(({ name }) => name !== PLATFORM).flatMap((each) => each.statements);
  return [
    HEAD,
    '## Every function',
    '',
    'Names of its own inbox and log group differ; the rest is the same.',
    '',
    ...table(platform?.statements ?? []),
    ...functions.flatMap((role) => ['', `## ${roleOf.get(role.id)}`, '', ...table(own(role))]),
    '',
    '## Roles of others',
    ...others.flatMap((role) => [
      '',
      `### ${role.id}`,
      '',
      ...(role.reason === '' ? [] : [role.reason, '']),
      ...role.managed.map((arn) => `AWS's own policy \`${arn}\`.`),
      ...(role.managed.length > 0 ? [] : table(own(role))),
    ]),
    '',
  ].join('\n');
};

const table = (statements: readonly Statement[]): string[] =>
  statements.length === 0
    ? ['Nothing but the above.']
    : ['| for | actions | on | only if |', '|---|---|---|---|', ...statements.map(row)];

const row = ({ sid, denies, reason, actions, resources, conditions }: Statement): string => {
  const cells = [
    `**${sid}**${denies ? ' (denied)' : ''}${reason === '' ? '' : `: ${reason}`}`,
    actions.map((action) => `\`${action}\``).join(' '),
    resources,
    conditions.map((condition) => `\`${condition}\``).join(', '),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
};

function rolesIn(text: string): Role[] {
  const document = parseDocument(text);

  const statements = (node: unknown, reason = ''): Statement[] => {
    if (isSeq(node) && node.tag === '!If') {
      return node.items.slice(1).flatMap((branch) => statements(branch, commentOf(branch) || reason));
    }
    if (isSeq(node)) {
      return node.items.flatMap((item, i) =>
        statements(item, commentOf(item) || (i === 0 ? comment(node.commentBefore) : '')),
      );
    }
    if (!isMap(node)) return [];
    const valueAt = (name: string): Value => plainValue(node.get(name, true), document);
    return [
      {
        sid: String(node.get('Sid') ?? ''),
        denies: node.get('Effect') === 'Deny',
        reason,
        actions: [valueAt('Action')].flat().map(String),
        resources: resourcesOf(valueAt('Resource')),
        conditions: conditionsOf(valueAt('Condition')),
      },
    ];
  };

  const resources = document.get('Resources') as YAMLMap;
  return resources.items.flatMap(({ key, value }): Role[] => {
    if (!isMap(value) || !/^AWS::IAM::(Role|ManagedPolicy)$/.test(String(value.get('Type')))) return [];
    const policies = value.getIn(['Properties', 'Policies']);
    const whole = value.getIn(['Properties', 'PolicyDocument', 'Statement']);
    const managed = value.getIn(['Properties', 'ManagedPolicyArns']);
    return [
      {
        id: String(key),
        reason: commentOf(value),
        policies: [
          ...(isSeq(policies) ? policies.items : []).flatMap((policy) =>
            isMap(policy)
              ? [
                  {
                    name: String(policy.get('PolicyName')),
                    statements: statements(policy.getIn(['PolicyDocument', 'Statement'])),
                  },
                ]
              : [],
          ),
          ...(whole === undefined ? [] : [{ name: '', statements: statements(whole) }]),
        ],
        managed: isSeq(managed) ? managed.items.map((item) => (isScalar(item) ? String(item.value) : '')) : [],
      },
    ];
  });
}

/** What a statement reaches. Own partition, Region and account go without saying, and so do CloudFormation's functions. */
const resourcesOf = (value: Value): string => {
  if (Array.isArray(value)) return value.map(resourcesOf).join(', ');
  const either = props(value)['Fn::If'];
  if (Array.isArray(either)) return either.slice(1).map(resourcesOf).join(' or ');
  return `\`${textOf(value).replace(OWN_ARN, '$1:')}\``;
};

const OWN_ARN = /^arn:\$\{AWS::Partition\}:([\w-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:/;

/** Each test of a condition: operator, key, and what it is held against. */
const conditionsOf = (value: Value): string[] =>
  Object.entries(props(value)).flatMap(([operator, keys]) =>
    Object.entries(props(keys)).map(
      ([key, wanted]) => `${operator} ${key} = ${[wanted].flat().map(textOf).join(', ')}`,
    ),
  );

const textOf = (value: Value): string => {
  const { Ref, 'Fn::Sub': sub, 'Fn::GetAtt': attribute, 'Fn::Split': split } = props(value);
  if (Array.isArray(attribute)) return attribute.join('.');
  if (Array.isArray(split)) return textOf(split[1] ?? null);
  return String(Ref ?? [sub ?? value].flat()[0]);
};

const commentOf = (node: unknown): string => {
  const { commentBefore, items } = (node ?? {}) as { commentBefore?: string | null; items?: unknown };
  if (commentBefore) return comment(commentBefore);
  const [first] = Array.isArray(items) ? items : [];
  return comment((first as { key?: { commentBefore?: string } } | undefined)?.key?.commentBefore);
};

const comment = (text: string | null | undefined): string => oneLine(text ?? '');
const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' ');

if (import.meta.main) writeFileSync(PAGE, permissionsPage(readFileSync(TEMPLATE_FILE, 'utf8')));

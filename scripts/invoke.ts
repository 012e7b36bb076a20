/**
 * `npm run invoke -- <function-folder> events/<file>.json [--mode off|dry-run|on] [--endpoint URL] [--stack NAME]`
 * One invocation on this machine, without Docker: the function's bundle, the environment of template.yaml, a Lambda context.
 * The result goes to stdout as JSON; logs and a summary go to stderr.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Result } from '../shared/remediation.ts';
import { asOfNow } from './as-of-now.ts';
import { build } from './build.ts';
import { functionNamed, type LambdaFunction, props, readTemplate, type Template, type Value } from './template.ts';

const USAGE =
  'Usage: npm run invoke -- <function-folder> events/<file>.json [--mode off|dry-run|on] [--endpoint URL] [--stack NAME]';
const MODES = ['off', 'dry-run', 'on'];

type Env = Record<string, string | undefined>;

export interface Request {
  readonly folder: string;
  readonly file: string;
  readonly mode: string | undefined;
  readonly endpoint: string | undefined;
  readonly stack: string;
}

/** @throws Error with the usage. */
export const parseRequest = (argv: readonly string[]): Request => {
  const { values, positionals } = parsed(argv);
  const [folder, file, ...rest] = positionals;
  if (folder === undefined || file === undefined || rest.length > 0) throw new Error(USAGE);
  if (values.mode !== undefined && !MODES.includes(values.mode)) {
    throw new Error(`--mode: expected one of ${MODES.join(', ')}, found "${values.mode}"`);
  }
  if (values.endpoint !== undefined && !URL.canParse(values.endpoint)) {
    throw new Error(`--endpoint: expected a URL such as http://127.0.0.1:4566, found "${values.endpoint}"`);
  }
  return { folder, file, mode: values.mode, endpoint: values.endpoint, stack: values.stack };
};

const parsed = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { mode: { type: 'string' }, endpoint: { type: 'string' }, stack: { type: 'string', default: 'reflex' } },
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`);
  }
};

/** @throws Error that names files of a similar name, or the place where the JSON breaks. */
export const readEvent = (file: string): unknown => {
  if (!existsSync(file)) throw new Error([`No such file: ${file}`, ...similar(file)].join('\n  '));
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: not JSON: ${(error as Error).message}`);
  }
};

const similar = (file: string): string[] => {
  const folder = existsSync(dirname(file)) ? dirname(file) : 'events';
  if (!existsSync(folder)) return [];
  const words = (name: string): string[] => name.replace(/\.json$/, '').split(/[^a-z0-9]+/i);
  const wanted = new Set(words(basename(file)));
  const near = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, shared: words(name).filter((word) => wanted.has(word)).length }))
    .sort((a, b) => b.shared - a.shared || a.name.localeCompare(b.name))
    .slice(0, 3);
  return near.length === 0 ? [] : ['Did you mean:', ...near.map(({ name }) => `  ${join(folder, name)}`)];
};

/** Where the stack is deployed: what CloudFormation would put in place of Ref, GetAtt and Sub. */
export interface Deployment {
  readonly region: string;
  readonly account: string;
  readonly partition: string;
  readonly ledgerTable: string;
  /** URL of a queue by its name. */
  queueUrl(name: string): Promise<string>;
}

/**
 * The environment that template.yaml gives the function, with parameters at their defaults. A variable that is already set wins.
 * @throws Error for an intrinsic function or resource that cannot be known here.
 */
export const environmentOf = async (
  fn: LambdaFunction,
  template: Template,
  deployment: Deployment,
  given: Env,
): Promise<Record<string, string>> => {
  const ref = async (name: string): Promise<string> => {
    const resource = template.Resources[name];
    switch (resource?.Type ?? name) {
      case 'AWS::Region':
        return deployment.region;
      case 'AWS::DynamoDB::Table':
        return deployment.ledgerTable;
      case 'AWS::SQS::Queue':
        return deployment.queueUrl(await text(resource?.Properties?.QueueName));
      case 'AWS::SNS::Topic': {
        const { partition, region, account } = deployment;
        return `arn:${partition}:sns:${region}:${account}:${await text(resource?.Properties?.TopicName)}`;
      }
    }
    const value = template.Parameters[name]?.Default;
    if (value === undefined)
      throw new Error(`template.yaml: !Ref ${name} has no local value; set the variable yourself`);
    return String(value);
  };
  const text = async (value: Value | undefined): Promise<string> => {
    const { Ref, 'Fn::Sub': sub } = props(value);
    if (typeof Ref === 'string') return ref(Ref);
    if (typeof sub !== 'string') return String(value);
    const parts = sub.split(/\$\{([^}]+)\}/);
    return (await Promise.all(parts.map((part, index) => (index % 2 === 1 ? ref(part) : part)))).join('');
  };
  const variables = Object.entries(fn.environment).map(
    async ([key, value]) => [key, given[key] ?? (await text(value))] as const,
  );
  return Object.fromEntries(await Promise.all(variables));
};

/**
 * Finds the deployed stack. CloudFormation calls the ledger `<stack>-Ledger-<random>`.
 * @throws Error that says how to get credentials, a Region, or a deployed stack.
 */
export const locate = async (stack: string, env: Env): Promise<Deployment> => {
  const { DynamoDBClient, DescribeTableCommand, paginateListTables } = await import('@aws-sdk/client-dynamodb');
  const { SQSClient, GetQueueUrlCommand } = await import('@aws-sdk/client-sqs');
  const dynamodb = new DynamoDBClient({ maxAttempts: 1 });
  const sqs = new SQSClient({ maxAttempts: 1 });
  const ledgers = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const page of paginateListTables({ client: dynamodb }, {})) names.push(...(page.TableNames ?? []));
    return names.filter((name) => name.startsWith(`${stack}-Ledger`));
  };
  try {
    const ledgerTable = env.LEDGER_TABLE ?? (await ledgers()).at(-1);
    if (ledgerTable === undefined) {
      throw new Error(`No table ${stack}-Ledger-*: deploy the stack first, or name another with --stack.`);
    }
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: ledgerTable }));
    const [, partition = 'aws', , region = '', account = ''] = Table?.TableArn?.split(':') ?? [];
    const queueUrl = async (name: string): Promise<string> =>
      (await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl ?? '';
    return { region, account, partition, ledgerTable, queueUrl };
  } catch (error) {
    throw explained(error as Error, env);
  }
};

const explained = (error: Error, env: Env): Error => {
  const hint =
    'Point it at the embedded AWS that `npm run drill -- --keep` leaves running (--endpoint URL, or AWS_ENDPOINT_URL), ' +
    'or give it credentials and a Region of the account where Reflex is deployed.';
  const noAnswer = error.name === 'AggregateError' || /ECONNREFUSED|ENOTFOUND|ETIMEDOUT/.test(`${error}`);
  if (noAnswer) return new Error(`Nothing answers at ${env.AWS_ENDPOINT_URL ?? 'the AWS endpoint'}.\n${hint}`);
  if (/credential|region/i.test(`${error.name} ${error.message}`)) return new Error(`${error.message}\n${hint}`);
  return error;
};

/** @returns what was decided, a line each, and whether everything was answered without a failure. */
export const summarize = ({ outcomes, notForUs, failures }: Omit<Result, 'batchItemFailures'>): Summary => {
  const decided = outcomes.flatMap(({ resource, decision, reason, why, actions, dryRun }) => [
    `${resource}: ${decision} (${reason})${dryRun ? ', dry run: nothing was written' : ''}`,
    `  ${why}`,
    ...actions.map(
      ({ call, params, error }) => `  ${call} ${JSON.stringify(params)}${error ? ` FAILED: ${error}` : ''}`,
    ),
  ]);
  const ignored = Object.entries(notForUs).map(([reason, count]) => `not for this function: ${reason} (${count})`);
  const failed = failures.map(({ message, error }) => `${message} FAILED: ${error}`);
  const ok =
    failures.length === 0 && outcomes.every(({ actions }) => actions.every(({ error }) => error === undefined));
  return { ok, text: [...decided, ...ignored, ...failed].join('\n') || 'Nothing to do.' };
};

interface Summary {
  readonly ok: boolean;
  readonly text: string;
}

/** @returns what Lambda would pass as the second argument. */
export const contextOf = (functionName: string, deployment: Deployment, timeoutMs: number, now = Date.now) => {
  const deadline = now() + timeoutMs;
  const { partition, region, account } = deployment;
  return {
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:${partition}:lambda:${region}:${account}:function:${functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - now()),
  };
};

/**
 * Builds the function and calls its handler once.
 * @returns whatever the handler returned.
 */
export const invoke = async (
  request: Request,
  env: NodeJS.ProcessEnv = process.env,
  find = locate,
): Promise<Result> => {
  const template = readTemplate();
  const fn = functionNamed(request.folder);
  const event = asOfNow(readEvent(request.file), Date.now());
  if (request.endpoint !== undefined) env.AWS_ENDPOINT_URL = request.endpoint;
  if (isLoopback(env.AWS_ENDPOINT_URL)) {
    env.AWS_REGION ??= env.AWS_DEFAULT_REGION ?? 'us-east-1';
    env.AWS_ACCESS_KEY_ID ??= 'test';
    env.AWS_SECRET_ACCESS_KEY ??= 'test';
  }
  if (request.mode !== undefined) env.MODE = request.mode;
  const bundle = await build(fn);
  const deployment = await find(request.stack, env);
  Object.assign(env, await environmentOf(fn, template, deployment, env));
  const { handler } = (await import(bundle.file)) as { handler: (event: unknown, context: object) => Promise<Result> };
  const timeoutMs = Number(template.Globals.Function.Timeout) * 1000;
  return handler(
    event,
    contextOf(`${template.Parameters.ResourcePrefix?.Default}-${fn.folder}`, deployment, timeoutMs),
  );
};

const isLoopback = (url: string | undefined): boolean =>
  url !== undefined && URL.canParse(url) && /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);

const main = async (): Promise<void> => {
  const print = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  process.setSourceMapsEnabled(true);
  const result = await invoke(parseRequest(process.argv.slice(2)));
  print(`${JSON.stringify(result, null, 2)}\n`);
  const { ok, text } = summarize(result);
  console.error(text);
  process.exitCode = ok ? 0 : 1;
};

if (import.meta.main) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

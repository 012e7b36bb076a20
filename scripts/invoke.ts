/**
 * `npm run invoke -- FUNCTION events/FILE.json`
 * One invocation on this machine, without Docker: the function's bundle, the environment of the deployed function, a Lambda context.
 * The result goes to stdout as JSON; logs and a summary go to stderr.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { dynamoTable } from '../shared/aws/dynamodb.ts';
import { effectiveMode } from '../shared/guards/mode.ts';
import { ledger } from '../shared/ledger/ledger.ts';
import type { LedgerView, Mode } from '../shared/ledger/types.ts';
import type { Result } from '../shared/remediation.ts';
import { asOfNow } from './as-of-now.ts';
import { build } from './build.ts';
import { checkEndpoints } from './endpoints.ts';
import {
  functionNamed,
  functionsOf,
  type LambdaFunction,
  props,
  readTemplate,
  type Template,
  type Value,
} from './template.ts';

const USAGE = `Usage: npm run invoke -- FUNCTION events/FILE.json [options]

One function on this machine, with one event, on the AWS where Reflex is deployed: it acts where its mode there is on. The times of
an ECS or EC2 event become now.

  --mode off|dry-run|on  the stack parameter Mode; refused where a mode set with npm run ops wins over it
  --endpoint URL         of an embedded AWS; or AWS_ENDPOINT_URL
  --prefix NAME          the stack's ResourcePrefix (default reflex)
  --help                 this text

Exit code 0: done; 1: it could not be done; 2: wrong command line.`;
const MODES: readonly Mode[] = ['off', 'dry-run', 'on'];

type Env = Record<string, string | undefined>;

export interface Request {
  readonly folder: string;
  readonly file: string;
  readonly mode: Mode | undefined;
  readonly endpoint: string | undefined;
  /** The stack parameter ResourcePrefix. */
  readonly prefix: string;
}

/** @throws Error that says what is wrong, and the usage. */
export const parseRequest = (argv: readonly string[]): Request => {
  const { values, positionals } = parsed(argv);
  const [folder, file, extra] = positionals;
  if (folder === undefined) throw misused('Which function?');
  if (file === undefined) throw misused(`${folder}: with which event?`);
  if (extra !== undefined) throw misused(`"${extra}" is one argument too many.`);
  const mode = MODES.find((name) => name === values.mode);
  if (mode !== values.mode) throw misused(`--mode: expected one of ${MODES.join(', ')}, found "${values.mode}".`);
  checkEndpoints({ '--endpoint': values.endpoint });
  return { folder, file, mode, endpoint: values.endpoint, prefix: values.prefix };
};

const misused = (message: string): Error => new Error(`${message}\n\n${usage()}`);

const usage = (): string => {
  const functions = functionsOf(readTemplate()).map(({ folder }) => folder);
  return `${USAGE}\n\nFunctions: ${functions.join(', ')}`;
};

const parsed = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        mode: { type: 'string' },
        endpoint: { type: 'string' },
        prefix: { type: 'string', default: 'reflex' },
      },
    });
  } catch (error) {
    const [message = ''] = (error as Error).message.split('. ');
    throw misused(message.replace(/\.?$/, '.'));
  }
};

/** @throws Error that names files of a similar name, or the place where the JSON breaks. */
export const readEvent = (file: string): unknown => {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new Error([`There is no file ${file}.`, ...similar(file)].join('\n  '));
  }
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: not JSON: ${(error as Error).message}`);
  }
};

const similar = (file: string): string[] => {
  const words = (name: string): string[] => name.replace(/\.json$/, '').split(/[^a-z0-9]+/i);
  const wanted = new Set(words(basename(file)));
  const near = [...new Set([dirname(file), 'events'])]
    .filter((folder) => statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    .flatMap((folder) => readdirSync(folder).map((name) => ({ folder, name })))
    .filter(({ name }) => name.endsWith('.json'))
    .map(({ folder, name }) => ({
      path: join(folder, name),
      shared: words(name).filter((word) => wanted.has(word)).length,
    }))
    .filter(({ shared }) => shared > 0)
    .sort((a, b) => b.shared - a.shared || a.path.localeCompare(b.path))
    .slice(0, 3);
  return near.length === 0 ? [] : ['Did you mean:', ...near.map(({ path }) => `  ${path}`)];
};

/** Where the stack is deployed: what CloudFormation would put in place of Ref and Sub. */
export interface Deployment {
  readonly prefix: string;
  readonly region: string;
  readonly account: string;
  readonly partition: string;
  readonly ledgerTable: string;
  /** URL of a queue by its name. */
  queueUrl(name: string): Promise<string>;
  /** The environment of the function as it is deployed; empty where it is not. */
  readonly variables: Readonly<Record<string, string>>;
  /** What the ledger holds for this function. */
  modes(): Promise<LedgerView['modes']>;
}

/**
 * The environment of the function: a variable that is already set, else as it is deployed, else as template.yaml has it with
 * parameters at their defaults.
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
      case 'ResourcePrefix':
        return deployment.prefix;
      case 'AWS::Region':
        return deployment.region;
      case 'AWS::StackName':
        return deployment.ledgerTable.replace(/-Ledger-\w+$/, '');
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
    if (value === undefined) throw unknown(`!Ref ${name}`);
    return String(value);
  };
  const unknown = (value: string): Error =>
    new Error(`template.yaml: ${value} has no value here: deploy the function, or set the variable yourself`);
  const text = async (value: Value | undefined): Promise<string> => {
    const { Ref, 'Fn::Sub': sub } = props(value);
    if (typeof Ref === 'string') return ref(Ref);
    if (typeof sub !== 'string') {
      if (typeof value === 'object') throw unknown(JSON.stringify(value));
      return String(value);
    }
    const parts = sub.split(/\$\{([^}]+)\}/);
    return (await Promise.all(parts.map((part, index) => (index % 2 === 1 ? ref(part) : part)))).join('');
  };
  const variables = Object.entries(fn.environment).map(
    async ([key, value]) => [key, given[key] ?? deployment.variables[key] ?? (await text(value))] as const,
  );
  return Object.fromEntries(await Promise.all(variables));
};

/**
 * Finds the deployed function and its ledger. Without the function the ledger is found by its name: `<stack>-Ledger-<random>`.
 * @throws Error that says how to get credentials, a Region, or a deployed stack.
 */
export const locate = async (prefix: string, folder: string, env: Env): Promise<Deployment> => {
  const { DynamoDBClient, DescribeTableCommand, paginateListTables } = await import('@aws-sdk/client-dynamodb');
  const { SQSClient, GetQueueUrlCommand } = await import('@aws-sdk/client-sqs');
  const { LambdaClient, GetFunctionConfigurationCommand } = await import('@aws-sdk/client-lambda');
  const dynamodb = new DynamoDBClient({ maxAttempts: 1 });
  const sqs = new SQSClient({ maxAttempts: 1 });
  const lambda = new LambdaClient({ maxAttempts: 1 });
  const ledgers = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const page of paginateListTables({ client: dynamodb }, {})) names.push(...(page.TableNames ?? []));
    return names.filter((name) => name.startsWith(`${prefix}-Ledger`));
  };
  const deployed = async (): Promise<Record<string, string>> => {
    const name = `${prefix}-${folder}`;
    try {
      const { Environment } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
      return Environment?.Variables ?? {};
    } catch (error) {
      if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === undefined) throw error;
      console.error(
        `The settings are those of template.yaml: those of ${name} cannot be read (${(error as Error).name}).`,
      );
      return {};
    }
  };
  try {
    const variables = await deployed();
    const ledgerTable = env.LEDGER_TABLE ?? variables.LEDGER_TABLE ?? (await ledgers()).at(-1);
    if (ledgerTable === undefined) {
      throw new Error(
        `Reflex is not deployed here: no function ${prefix}-${folder}, no table ${prefix}-Ledger-*.\n${HINT}`,
      );
    }
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: ledgerTable }));
    const [, partition = 'aws', , region = '', account = ''] = Table?.TableArn?.split(':') ?? [];
    const queueUrl = async (name: string): Promise<string> =>
      (await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl ?? '';
    const table = dynamoTable(dynamodb, ledgerTable, (repetition) => setTimeout(100 * 2 ** repetition));
    const modes = async () => (await ledger({ table, clock: Date.now }).read(folder, [])).modes;
    return { prefix, region, account, partition, ledgerTable, queueUrl, variables, modes };
  } catch (error) {
    throw explained(error as Error, env);
  }
};

const HINT = `It runs on the AWS where Reflex is deployed. Without an account:
  npm run drill -- --keep      starts one on this machine, and prints the variables to set in another terminal
With one:
  AWS_REGION and credentials (AWS_PROFILE, aws sso login); --prefix for a stack with another ResourcePrefix`;

const explained = (error: Error, env: Env): Error => {
  const noAnswer = error.name === 'AggregateError' || /ECONNREFUSED|ENOTFOUND|ETIMEDOUT/.test(`${error}`);
  if (noAnswer) return new Error(`Nothing answers at ${env.AWS_ENDPOINT_URL ?? 'the AWS endpoint'}.\n${HINT}`);
  if (/region is missing/i.test(error.message)) return new Error(`No AWS Region.\n${HINT}`);
  if (/credential/i.test(error.name)) return new Error(`${error.message}\n${HINT}`);
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
  const asked = MODES.find((mode) => mode === env.MODE);
  checkEndpoints(env);
  const deployment = await find(request.prefix, fn.folder, env);
  if (asked !== undefined) refuseWhereOverruled(asked, fn.folder, await deployment.modes());
  Object.assign(env, { ...deployment.variables, ...env }, await environmentOf(fn, template, deployment, env));
  const bundle = await build(fn);
  const { handler } = (await import(bundle.file)) as { handler: (event: unknown, context: object) => Promise<Result> };
  const timeoutMs = Number(template.Globals.Function.Timeout) * 1000;
  return handler(event, contextOf(`${request.prefix}-${fn.folder}`, deployment, timeoutMs));
};

/** Who asks for a dry run must not find out afterwards that it was none. */
const refuseWhereOverruled = (asked: Mode, folder: string, modes: LedgerView['modes']): void => {
  const inForce = effectiveMode(modes, asked);
  if (inForce === asked) return;
  throw new Error(
    [
      `Mode ${asked} was asked for, but the ledger holds ${inForce} for ${folder}, which wins; nothing was done.`,
      '  npm run ops -- mode                  shows what is set',
      '  npm run ops -- explain <resource>    says what would be done, in any mode',
    ].join('\n'),
  );
};

const isLoopback = (url: string | undefined): boolean =>
  url !== undefined && URL.canParse(url) && /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);

/** @throws Error where the command line does not name a function and an event. */
const commandLine = (argv: readonly string[]): Request => {
  const request = parseRequest(argv);
  functionNamed(request.folder);
  readEvent(request.file);
  return request;
};

const failed = (exitCode: 1 | 2, { message }: Error): void => {
  console.error(message);
  process.exitCode = exitCode;
};

const main = async (argv: readonly string[]): Promise<void> => {
  if (argv.some((arg) => arg === '--help' || arg === '-h')) return console.log(usage());
  let request: Request;
  try {
    request = commandLine(argv);
  } catch (error) {
    return failed(2, error as Error);
  }
  // Whoever reads the pipe has seen enough (`| head`).
  process.stdout.on('error', () => {});
  const print = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  process.setSourceMapsEnabled(true);
  const result = await invoke(request);
  print(`${JSON.stringify(result, null, 2)}\n`);
  const { ok, text } = summarize(result);
  console.error(text);
  process.exitCode = ok ? 0 : 1;
};

if (import.meta.main) {
  main(process.argv.slice(2)).catch((error: Error) => failed(1, error));
}

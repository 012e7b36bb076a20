import type { AwsRequest } from '../aws-endpoint.ts';
import { AwsError, account, page, region, type Service } from './service.ts';

/** Lambda keeps at least this much concurrency unreserved in an account. */
const UNRESERVED_AT_LEAST = 100;

interface Mapping {
  readonly EventSourceArn: string;
  readonly FunctionArn: string;
  readonly State: string;
  readonly ParallelizationFactor: number;
}

/** Lambda, as far as its event source mappings and reserved concurrency go. */
export const fakeLambda = ({ concurrency = 1_000, pageSize = 100 } = {}) => {
  const functions = new Map<string, number | null>();
  const tags = new Map<string, Readonly<Record<string, string>>>();
  const mappings: Mapping[] = [];

  const known = (name: string): number | null => {
    const reserved = functions.get(name);
    if (reserved !== undefined) return reserved;
    throw new AwsError('ResourceNotFoundException', `Function not found: ${functionArn(name)}`, 404);
  };
  const unreserved = (): number => concurrency - [...functions.values()].reduce<number>((sum, n) => sum + (n ?? 0), 0);

  const service: Service = {
    name: 'lambda',
    route,
    operations: {
      ListEventSourceMappings: (input: { EventSourceArn?: string; FunctionName?: string; Marker?: string }) => {
        const { EventSourceArn, FunctionName, Marker = '0' } = input;
        const asked = mappings.filter(
          (mapping) =>
            (EventSourceArn === undefined || mapping.EventSourceArn === EventSourceArn) &&
            (FunctionName === undefined || mapping.FunctionArn.split(':')[6] === FunctionName),
        );
        const { items, next } = page(asked, Number(Marker), pageSize);
        return { EventSourceMappings: items, ...(next !== undefined && { NextMarker: String(next) }) };
      },
      GetFunctionConcurrency: ({ FunctionName }: { FunctionName: string }) => {
        const reserved = known(FunctionName);
        return reserved === null ? {} : { ReservedConcurrentExecutions: reserved };
      },
      GetAccountSettings: () => ({
        AccountLimit: { ConcurrentExecutions: concurrency, UnreservedConcurrentExecutions: unreserved() },
        AccountUsage: {},
      }),
      PutFunctionConcurrency: (input: { FunctionName: string; ReservedConcurrentExecutions: number }) => {
        const { FunctionName, ReservedConcurrentExecutions: wanted } = input;
        if (unreserved() + (known(FunctionName) ?? 0) - wanted < UNRESERVED_AT_LEAST) {
          throw new AwsError(
            'InvalidParameterValueException',
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
          );
        }
        functions.set(FunctionName, wanted);
        return { ReservedConcurrentExecutions: wanted };
      },
    },
  };

  return {
    service,
    /** Reserved concurrency by function; null: unreserved. */
    functions,
    /** By function; one that is not among them has opted in. */
    tags,
    tagged: () =>
      [...functions.keys()].map((name) => ({
        arn: functionArn(name),
        tags: tags.get(name) ?? { 'reflex:enabled': 'true' },
      })),
    /** Maps a stream to a function; creates the function, unreserved, where it is new. */
    map: (EventSourceArn: string, name: string, options: { state?: string; factor?: number; alias?: string } = {}) => {
      const { state = 'Enabled', factor = 1, alias } = options;
      if (!functions.has(name)) functions.set(name, null);
      const FunctionArn = functionArn(name) + (alias === undefined ? '' : `:${alias}`);
      mappings.push({ EventSourceArn, FunctionArn, State: state, ParallelizationFactor: factor });
    },
  };
};

export type FakeLambda = ReturnType<typeof fakeLambda>;

const functionArn = (name: string): string => `arn:aws:lambda:${region}:${account}:function:${name}`;

function route({ method, path, input }: AwsRequest) {
  const { pathname, searchParams } = new URL(path, 'http://lambda');
  const [, , kind, name = '', part] = pathname.split('/');
  if (kind === 'event-source-mappings') {
    return { operation: 'ListEventSourceMappings', input: Object.fromEntries(searchParams) };
  }
  if (kind === 'account-settings') return { operation: 'GetAccountSettings', input: {} };
  if (kind === 'functions' && part === 'concurrency') {
    const FunctionName = decodeURIComponent(name);
    return method === 'PUT'
      ? { operation: 'PutFunctionConcurrency', input: { ...input, FunctionName } }
      : { operation: 'GetFunctionConcurrency', input: { FunctionName } };
  }
  return { operation: `${method} ${pathname}`, input };
}

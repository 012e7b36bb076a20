import { fresh } from '../../shared/ledger/state.ts';
import type { ResourceState } from '../../shared/ledger/types.ts';
import { shortArn } from '../../shared/words.ts';
import { misused, type Stack, Stop } from './command.ts';

interface ResourceType {
  readonly service: string;
  readonly prefix: string;
  /** People call it by its name alone, without the prefix. */
  readonly named?: true;
}

const stream: ResourceType = { service: 'kinesis', prefix: 'stream/', named: true };
const replicationGroup: ResourceType = { service: 'elasticache', prefix: 'replicationgroup:', named: true };

/** What each function looks after, but for sites. A decision that changed nothing leaves a record but no state: it is found by its ARN. */
const resourceTypes: Readonly<Record<string, readonly ResourceType[]>> = {
  'reshard-kinesis': [stream],
  'relieve-elasticache': [
    replicationGroup,
    { service: 'elasticache', prefix: 'cluster:' },
    { service: 'elasticache', prefix: 'serverlesscache:' },
  ],
  'tune-alarms': [stream, replicationGroup],
  'drain-fargate': [{ service: 'ecs', prefix: 'task/' }],
  'resume-fargate': [{ service: 'ecs', prefix: 'task/' }],
  'restore-capacity': [
    { service: 'ecs', prefix: 'service/' },
    { service: 'autoscaling', prefix: 'autoScalingGroup:' },
  ],
  'save-spot-logs': [{ service: 'ec2', prefix: 'instance/' }],
  'rescue-spot-logs': [{ service: 'ec2', prefix: 'volume/' }],
};

/** The states of the resources the text means: an ARN or a name exactly, else every one whose ARN contains it. Empty text: all. */
export async function find(stack: Stack, text: string): Promise<ResourceState[]> {
  // Every state's key has a # between function and resource.
  if (text === '') return stack.ledger.findStates('#');
  const states = await stack.ledger.findStates(text);
  const exact = states.filter(({ resource }) => isCalled(resource, text));
  if (exact.length > 0) return exact;
  const named = await Promise.all(
    possible(stack, text).map(async (state) => ({ state, seen: await stack.ledger.history(state, { limit: 1 }) })),
  );
  const seen = named.filter((each) => each.seen.length > 0).map(({ state }) => state);
  return seen.length > 0 ? seen : states;
}

/**
 * The one resource the text means, with a state for each function that looks after it; it need not have been seen before.
 * @throws Stop where it is none or several.
 */
export async function findOne(stack: Stack, text: string): Promise<ResourceState[]> {
  if (text === '') throw misused('Which resource? The name is empty.');
  const found = await find(stack, text);
  const states = found.length > 0 ? found : possible(stack, text);
  const resources = [...new Set(states.map(({ resource }) => resource))];
  if (resources.length > 1) {
    throw misused(
      `"${text}" is not one resource but ${resources.length}.`,
      `Name one of:\n  ${resources.join('\n  ')}`,
    );
  }
  if (resources.length === 0) {
    throw new Stop(
      `No function looks after "${text}".`,
      'Give the ARN: npm run ops -- history lists those that are known.',
    );
  }
  return states;
}

const isCalled = (arn: string, text: string): boolean =>
  text === arn || text === shortArn(arn) || text === shortArn(arn).split('/').slice(1).join('/');

/** Fresh states under the ARN that the text is, or would be for each function; of a site, under its URL. */
function possible({ functions }: Stack, text: string): ResourceState[] {
  return functions.flatMap(({ name: fn, arn }) => {
    if (fn === 'check-site') return /^https?:/.test(text) ? [fresh({ fn, resource: text })] : [];
    return (resourceTypes[fn] ?? []).flatMap(({ service, prefix, named }) => {
      const [, partition, , region, account] = arn.split(':');
      const home = `arn:${partition}:${service}:${region}:${account}:${prefix}`;
      if (text.startsWith('arn:')) return text.startsWith(home) ? [fresh({ fn, resource: text })] : [];
      if (text.startsWith(prefix)) return [fresh({ fn, resource: home + text.slice(prefix.length) })];
      return named === true && !/[/:]/.test(text) ? [fresh({ fn, resource: home + text })] : [];
    });
  });
}

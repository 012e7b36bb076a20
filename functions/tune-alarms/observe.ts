import { isErrorNamed } from '../../shared/aws/client.ts';
import { describeAlarms, tagsOfAlarm } from '../../shared/aws/cloudwatch.ts';
import { describeReplicationGroups, tagsOfCache } from '../../shared/aws/elasticache.ts';
import { describeStreamSummary, listTagsForStream } from '../../shared/aws/kinesis.ts';
import { chunksOf } from '../../shared/aws/pages.ts';
import { resourcesTagged, tagsOf } from '../../shared/aws/tagging.ts';
import { vcpusOfTypes } from '../../shared/cache-vcpus.ts';
import type { Observed, Watch } from '../../shared/function.ts';
import { reading } from '../../shared/reads.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import { nameOf } from '../../shared/words.ts';
import { ALARM_OF_TAG, alarmNames } from './alarms.ts';
import type { AlarmFacts, AlarmSettings, PresentAlarm, Subject } from './facts.ts';
import type { Policy } from './policy.ts';

type Tags = Readonly<Record<string, string>>;
type MetricAlarm = Awaited<ReturnType<typeof describeAlarms>>['MetricAlarms'][number];
type Group = Awaited<ReturnType<typeof describeReplicationGroups>> extends ReadonlyMap<string, infer G> ? G : never;

/** Streams read a second: an account may call DescribeStreamSummary 20 times, and reshard-kinesis does, too. */
const A_SECOND = 10;

/**
 * Reads the facts of resources and the alarms that are theirs. What the Tagging API says is late by a moment, so an opt-in that it does
 * not show, and an alarm's tags, are asked for where they are kept before anything rests on them. `pause`: waits that many ms.
 */
export const observe =
  (stack: Policy, clock: () => number, pause: (ms: number) => Promise<unknown>) =>
  async (watches: readonly Watch[]): Promise<ReadonlyMap<string, Observed<AlarmFacts>>> => {
    const asOf = clock();
    const arns = watches.map(({ resource }) => resource);
    const [only] = arns.length === 1 ? arns : [];
    const groupIds = arns.filter((arn) => !isStream(arn)).map(nameOf);
    const [tagged, marked, caches] = await Promise.all([
      tagsOf(arns),
      resourcesTagged('cloudwatch:alarm', ALARM_OF_TAG, only),
      reading(() => readGroups(groupIds)),
    ]);
    // Those of another stack are its own.
    const ours = marked.filter(({ arn }) => alarmName(arn).startsWith(stack.alarmPrefix));

    const read: Promise<readonly [string, { readonly found: Found } | { readonly error: unknown }]>[] = [];
    for (const [i, turn] of chunksOf(arns, A_SECOND).entries()) {
      if (i > 0 && turn.some(isStream)) await pause(1_000);
      for (const arn of turn) {
        const find = async () => {
          if (isStream(arn)) return findStream(arn, tagged.get(arn));
          if ('error' in caches) throw caches.error;
          return findGroup(arn, tagged.get(arn), caches.value);
        };
        read.push(
          reading(find).then((found) => [arn, 'value' in found ? { found: found.value } : { error: found.error }]),
        );
      }
    }
    const found = await Promise.all(read);

    const names = new Map(
      found.map(([arn, answer]) => {
        const own = ours.filter(({ tags }) => tags[ALARM_OF_TAG] === arn).map(({ arn: alarm }) => alarmName(alarm));
        return [arn, 'found' in answer ? [...alarmNames(stack.alarmPrefix, answer.found.subject), ...own] : []];
      }),
    );
    const described = await describeAlarms([...new Set([...names.values()].flat())]);
    const marks = new Map(ours.map(({ arn, tags }) => [alarmName(arn), tags]));
    const present = new Map<string, PresentAlarm>();
    // A composite alarm may have taken a name, too.
    for (const alarm of [...described.MetricAlarms, ...described.CompositeAlarms]) {
      // One after the other: only those that the Tagging API does not show yet cost a call.
      const [name, settings] = await presentAlarm(alarm, marks.get(alarm.AlarmName ?? ''));
      present.set(name, settings);
    }

    return new Map(
      found.map(([arn, answer]): [string, Observed<AlarmFacts>] => {
        if ('error' in answer) return [arn, { error: answer.error }];
        const alarms = [...new Set(names.get(arn))].flatMap((name) => present.get(name) ?? []);
        return [arn, factsOf(arn, answer.found, alarms, asOf)];
      }),
    );
  };

interface Found {
  readonly subject: Subject;
  /** null: cannot be read now. */
  readonly tags: Tags | null;
}

const isStream = (arn: string): boolean => arn.split(':')[2] === 'kinesis';
const alarmName = (arn: string): string => arn.split(':').slice(6).join(':');
const GONE: Found = { subject: { kind: 'gone' }, tags: {} };

const findStream = async (arn: string, tagged: Tags = {}): Promise<Found> => {
  try {
    const [summary, tags] = await Promise.all([
      describeStreamSummary(arn),
      tagged[OPT_IN_TAG] === 'true' ? tagged : listTagsForStream(arn),
    ]);
    const subject: Subject = {
      kind: 'stream',
      name: nameOf(arn),
      status: summary.StreamStatus ?? '',
      // Streams from before on-demand mode existed are provisioned.
      mode: summary.StreamModeDetails?.StreamMode ?? 'PROVISIONED',
      openShards: summary.OpenShardCount ?? 0,
    };
    return { subject, tags };
  } catch (error) {
    if (isErrorNamed(error, 'ResourceNotFoundException')) return GONE;
    throw error;
  }
};

interface Groups {
  readonly byId: ReadonlyMap<string, Group>;
  /** By node type. */
  readonly vcpus: ReadonlyMap<string, number>;
}

const readGroups = async (ids: readonly string[]): Promise<Groups> => {
  const byId = ids.length === 0 ? new Map<string, Group>() : await describeReplicationGroups(ids);
  return { byId, vcpus: await vcpusOfTypes([...byId.values()].map(({ CacheNodeType = '' }) => CacheNodeType)) };
};

const findGroup = async (arn: string, tagged: Tags = {}, { byId, vcpus }: Groups): Promise<Found> => {
  const group = byId.get(nameOf(arn));
  if (group === undefined) return GONE;
  const { CacheNodeType: nodeType = '', Status: status = '', NodeGroups = [] } = group;
  const subject: Subject = {
    kind: 'replication-group',
    id: nameOf(arn),
    status,
    nodeType,
    vcpus: vcpus.get(nodeType) ?? null,
    nodes: NodeGroups.flatMap(({ NodeGroupMembers = [] }) =>
      NodeGroupMembers.flatMap((node) => node.CacheClusterId ?? []),
    ),
  };
  if (tagged[OPT_IN_TAG] === 'true') return { subject, tags: tagged };
  // ElastiCache tells the tags of nothing that is being changed.
  return { subject, tags: status === 'available' ? await tagsOfCache(arn) : null };
};

/** What CloudWatch tells of an alarm and PutMetricAlarm does not take; an empty list of dimensions is refused beside metric math. */
const presentAlarm = async (
  {
    AlarmArn = '',
    AlarmName = '',
    Dimensions = [],
    AlarmConfigurationUpdatedTimestamp: _updated,
    StateValue: _value,
    StateReason: _reason,
    StateReasonData: _data,
    StateUpdatedTimestamp: _since,
    StateTransitionedTimestamp: _transitioned,
    EvaluationState: _evaluation,
    ...rest
  }: MetricAlarm,
  marked: Tags | undefined,
): Promise<[string, PresentAlarm]> => {
  const all = Object.entries({ AlarmName, ...rest, ...(Dimensions.length > 0 && { Dimensions }) });
  const settings = Object.fromEntries(all.filter(([, value]) => value !== undefined)) as AlarmSettings;
  return [AlarmName, { tags: marked ?? (await tagsNow(AlarmArn)), settings }];
};

/** Nothing where it has been deleted meanwhile. */
const tagsNow = async (alarmArn: string): Promise<Tags> => {
  try {
    return await tagsOfAlarm(alarmArn);
  } catch (error) {
    if (isErrorNamed(error, 'ResourceNotFoundException')) return {};
    throw error;
  }
};

const factsOf = (
  arn: string,
  { subject, tags }: Found,
  alarms: readonly PresentAlarm[],
  asOf: number,
): Observed<AlarmFacts> => {
  if (tags === null) {
    const why = `${arn} is being changed, and whether it is opted in cannot be read.`;
    return { decision: { kind: 'skip', reason: 'not-available', why } };
  }
  const left = alarms.find(({ tags: of }) => of[ALARM_OF_TAG] === arn && of[OPT_IN_TAG] === 'true');
  // A value that is neither true nor false is somebody's mistake, and told as such: nothing is taken away for it.
  const optedOut = subject.kind === 'gone' || [undefined, 'false'].includes(tags[OPT_IN_TAG]);
  if (subject.kind === 'gone' && left === undefined) {
    const reason = isStream(arn) ? 'stream-gone' : 'cache-gone';
    return { decision: { kind: 'skip', reason, why: `${arn} does not exist, and no alarm of it is left.` } };
  }
  const bound = optedOut && left !== undefined ? left.tags : tags;
  return { facts: { asOf, arn, tags: bound, subject, wanted: !optedOut, alarms } };
};

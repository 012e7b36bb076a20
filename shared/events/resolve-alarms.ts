import { triggeringAlarms } from './cloudwatch-alarm-state-change.ts';
import type { AlarmEvent, AlarmMetric } from './event.ts';

/** What DescribeAlarms says of one alarm. */
export interface AlarmDescription {
  /** Rows with a MetricStat; empty for a composite alarm. */
  readonly metrics: readonly AlarmMetric[];
  /** AlarmRule of a composite alarm, else null. */
  readonly rule: string | null;
  /** StateValue. */
  readonly state: string;
  /** StateReasonData, or null. */
  readonly reasonData: string | null;
}

/** Describes alarms by ARN; one that no longer exists is absent from the answer. */
export type DescribeAlarms = (alarmArns: readonly string[]) => Promise<ReadonlyMap<string, AlarmDescription>>;

/** Composite alarms below composite alarms are followed this far. */
const maxDepth = 5;

/**
 * The metrics each event concerns, in the order of `events`: a metric alarm's own, and for a composite alarm those of
 * the children that triggered it, or of every alarm its rule names where it does not say which did.
 * `describe` is called at most once a level for the whole batch, never without ARNs and never twice for one alarm;
 * its errors pass through.
 */
export async function resolveAlarms(
  events: readonly AlarmEvent[],
  describe: DescribeAlarms,
): Promise<readonly (readonly AlarmMetric[])[]> {
  const known = new Map<string, AlarmDescription | undefined>();
  const walks = events.map(({ alarmArn, metrics, composite }) => {
    const seen = new Set([alarmArn]);
    const next = composite ? unseen(seen, childrenOf(alarmArn, composite.children, composite.rule)) : [];
    return { metrics: [...metrics], seen, next };
  });
  for (let depth = 0; depth < maxDepth && walks.some((walk) => walk.next.length > 0); depth++) {
    const wanted = [...new Set(walks.flatMap((walk) => walk.next))].filter((arn) => !known.has(arn));
    const described = wanted.length > 0 ? await describe(wanted) : known;
    for (const arn of wanted) known.set(arn, described.get(arn));
    for (const walk of walks) {
      const level = walk.next;
      walk.next = [];
      for (const arn of level) {
        const alarm = known.get(arn);
        walk.metrics.push(...(alarm?.metrics ?? []));
        if (!alarm?.rule) continue;
        const children = childrenOf(arn, triggeringAlarms(alarm.reasonData, alarm.state), alarm.rule);
        walk.next.push(...unseen(walk.seen, children));
      }
    }
  }
  return walks.map((walk) => walk.metrics);
}

/** Those met for the first time, each once; they count as met from then on. */
function unseen(seen: Set<string>, alarmArns: readonly string[]): string[] {
  return alarmArns.filter((arn) => !seen.has(arn) && seen.add(arn));
}

/** A composite alarm and the alarms of its rule share account and region, so a name makes an ARN. */
function childrenOf(alarmArn: string, triggering: readonly string[], rule: string): readonly string[] {
  if (triggering.length > 0) return triggering;
  const prefix = alarmArn.split(':').slice(0, 6).join(':');
  return alarmReferences(rule).map((reference) =>
    reference.startsWith('arn:') ? reference : `${prefix}:${reference}`,
  );
}

/**
 * Names and ARNs of the alarms an AlarmRule refers to, each once, in order: `ALARM(a)`, `OK("b")`,
 * `INSUFFICIENT_DATA(arn:...)`, `AT_LEAST(2, ALARM, (a, "b"))`; operators do not matter here.
 */
export function alarmReferences(rule: string): string[] {
  const lists = rule.matchAll(
    /\b(?:(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(|AT_LEAST\s*\([^()]*\()((?:"[^"]*"|[^()"])*)\)/g,
  );
  const names = [...lists].flatMap(([, list = '']) => list.match(/"[^"]*"|[^,"]+/g) ?? []);
  return [...new Set(names.map((name) => name.replaceAll('"', '').trim()).filter((name) => name !== ''))];
}

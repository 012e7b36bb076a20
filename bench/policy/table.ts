import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/build.ts';
import { baselines } from './baselines.ts';
import { chain } from './optimum.ts';
import { ours } from './ours.ts';
import { type Result, simulate } from './simulate.ts';
import { byMinute, drawn } from './svg.ts';
import { type Trace, traceNamed, traceNames } from './traces.ts';

/** Throttled records this close, as a share of what was offered, are the same: one in a million. */
const SAME_SHARE = 1e-6;
/** How near the cost should come to the optimum's. */
export const TARGET_RATIO = 1.15;

/** One trace under every policy, beside the optimum and what each rule adds to it. */
export const compared = async (trace: Trace) => {
  const bounds = chain(trace);
  const results: Result[] = [];
  for (const policy of [ours, ...baselines]) results.push(await simulate(trace, policy()));
  const [own, ...others] = results;
  if (own === undefined) throw new Error('no policy was simulated');
  return { trace, bounds, own, others, better: others.filter((other) => isBetter(other, own)) };
};

/** Whether a policy rejects fewer records with no more shard-hours. */
const isBetter = (other: Result, own: Result): boolean =>
  other.shardHours <= own.shardHours && other.throttled < own.throttled - SAME_SHARE * own.offered;

export type Comparison = Awaited<ReturnType<typeof compared>>;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const times = (value: number): string => value.toFixed(2);

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** The rows of one trace: what each policy rejected, held and called. Costs are ratios to the optimum's. */
export const rowsOf = ({ trace, bounds, own, others }: Comparison): string[][] => [
  ...[own, ...others].map((result, i) => [
    i === 0 ? `**${trace.title}**` : '',
    result.policy,
    count(result.throttled),
    count(result.shardHours),
    String(result.calls),
    String(result.flaps),
    count(result.minutesToCapacity),
    times(result.usd / bounds.optimum.usd),
  ]),
  ['', 'optimum', count(bounds.optimum.throttled), count(bounds.optimum.shardHours), '', '', '', '1.00'],
];

const POLICY_HEAD = ['trace', 'policy', 'throttled', 'shard-hours', 'calls', 'flaps', 'minutes to capacity', 'cost'];
const RULES_HEAD = ['trace', 'below 75 %', '+ a day kept', '+ x2 and /2', '+ seen, called', 'reflex', 'reflex / rules'];

/** What each rule makes of the optimum's cost, one after the other, and where the policy ends. */
export const rulesOf = ({ trace, bounds, own }: Comparison): string[] => [
  trace.title,
  ...[bounds.headroom, bounds.day, bounds.doublings, bounds.seen, own].map(({ usd }) =>
    times(usd / bounds.optimum.usd),
  ),
  times(own.usd / bounds.seen.usd),
];

const picture = ({ trace, bounds, own, others }: Comparison): string =>
  drawn(
    trace,
    [
      { name: 'reflex', color: '#1463b8', shards: own.minutes.map(({ shards }) => shards) },
      { name: 'optimum', color: '#2b8a3e', shards: byMinute(bounds.optimum.shards) },
      ...others
        .filter(({ policy }) => policy === '24 h maximum')
        .map(({ policy, minutes }) => ({
          name: policy,
          color: '#e08a00',
          shards: minutes.map(({ shards }) => shards),
        })),
    ],
    own.minutes.map(({ throttled }) => throttled),
  );

/** Table 2: resharding policies over every trace; writes the curves to docs/images. */
export const resharding = async (): Promise<void> => {
  const done: Comparison[] = [];
  for (const name of traceNames) {
    const trace = traceNamed(name);
    process.stderr.write(`  ${trace.title} (${done.length + 1} of ${traceNames.length})\n`);
    const comparison = await compared(trace);
    done.push(comparison);
    writeFileSync(join(ROOT, 'docs/images', `bench-policy-${trace.name}.svg`), picture(comparison));
  }
  console.log('Resharding policy: cost is shard-hours and a price per throttled record, as a ratio to the optimum\n');
  console.log(`${table(POLICY_HEAD, done.flatMap(rowsOf))}\n`);
  console.log(`What the rules make of the optimum's cost\n\n${table(RULES_HEAD, done.map(rulesOf))}\n`);
  const worse = done.flatMap(({ trace, better }) => better.map(({ policy }) => `${policy} on ${trace.title}`));
  console.log(
    `Fewer throttled records at no more shard-hours than reflex: ${worse.length === 0 ? 'nobody, on no trace' : worse.join(', ')}.`,
  );
  const near = done.filter(({ bounds, own }) => own.usd <= TARGET_RATIO * bounds.seen.usd).length;
  console.log(`Within ${TARGET_RATIO} of the optimum under the rules: ${near} of ${done.length} traces.\n`);
};

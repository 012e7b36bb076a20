import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/build.ts';
import { baselines } from './baselines.ts';
import { chain, type Priced } from './optimum.ts';
import { ours } from './ours.ts';
import { type Result, SHARD_HOUR_USD, simulate, THROTTLED_USD, usd } from './simulate.ts';
import { drawn } from './svg.ts';
import { furtherNames, type Trace, traceNamed, traceNames, worthOf } from './traces.ts';

/** Throttled records this close, as a share of what was offered, are the same: one in a million. */
const SAME_SHARE = 1e-6;
/** How near the cost should come to the optimum's. */
export const TARGET_RATIO = 1.15;

/** One trace under every policy; which of them are better than ours, and which strictly, be it by one record. */
const played = async (trace: Trace) => {
  const results: Result[] = [];
  for (const policy of [() => ours(), ...baselines]) results.push(await simulate(trace, policy()));
  const [own, ...others] = results;
  if (own === undefined) throw new Error('no policy was simulated');
  const better = (same: number) => others.filter((other) => isBetter(other, own, same));
  return { trace, own, others, better: better(SAME_SHARE), strictly: better(0) };
};

/** One trace under every policy, beside the optimum and what each rule adds to it. */
export const compared = async (trace: Trace) => ({ ...(await played(trace)), bounds: chain(trace) });

/** Whether a policy rejects fewer records with no more shard-hours. */
const isBetter = (other: Result, own: Result, same: number): boolean =>
  other.shardHours <= own.shardHours && other.throttled < own.throttled - same * own.offered;

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
    count(result.calls),
    String(result.flaps),
    count(result.minutesToCapacity),
    times(result.usd / bounds.optimum.usd),
  ]),
  ['', 'optimum', count(bounds.optimum.throttled), count(bounds.optimum.shardHours), '', '', '', '1.00'],
];

const POLICY_HEAD = ['trace', 'policy', 'throttled', 'shard-hours', 'calls', 'flaps', 'minutes to capacity', 'cost'];
const RULES_HEAD = [
  'trace',
  'a day kept',
  '+ below 75 %',
  '+ steps',
  '+ seen, called',
  'reflex',
  'reflex / rules',
  '... a tenth of the price',
  '... ten times the price',
  'utilisation for 1.15',
];
/** Targets whose price is shown. */
const TARGETS = [0.5, 0.6, 0.7];
/** Other courses of each load, to tell what is chance. */
const SEEDS = [101, 102, 103, 104];

/** What each rule makes of the optimum's cost, one after the other, and where the policy ends. */
export const rulesOf = ({ trace, bounds, own }: Comparison): string[] => [
  trace.title,
  ...[bounds.day, bounds.headroom, bounds.steps, bounds.seen, own].map((one) => times(one.usd / bounds.optimum.usd)),
  ...[1, 0.1, 10].map((much) => times(pricedAt(much, own) / pricedAt(much, bounds.seen))),
  `${Math.round(100 * utilizationAt(trace, (TARGET_RATIO * bounds.optimum.usd) / SHARD_HOUR_USD))} %`,
];

/** The cost where a rejected record has so many times its price. */
const pricedAt = (much: number, { shardHours, throttled }: Priced): number =>
  usd(shardHours, throttled, much * THROTTLED_USD);

/** Mean share of the shards that a load fills; of so many shard-hours. */
const utilizationAt = (trace: Trace, shardHours: number): number =>
  worthOf(trace).reduce((sum, worth) => sum + worth / 60, 0) / shardHours;

const held = ({ throttled, shardHours }: Result): string => `${count(throttled)} / ${count(shardHours)}`;

/** One trace in one row: rejections and shard-hours of each policy. */
const rowOf = ({ trace, own, others }: Comparison): string[] => [trace.title, ...[own, ...others].map(held)];

/** What each target utilisation rejects and holds on a trace, and its cost as a ratio to that of the default. */
const pricesOf = async (trace: Trace): Promise<string[]> => {
  const results: Result[] = [];
  for (const target of TARGETS) results.push(await simulate(trace, ours({ target })));
  const [{ usd: usual } = { usd: 1 }] = results;
  return [trace.title, ...results.flatMap((result) => [held(result), times(result.usd / usual)])];
};

/** What Reflex rejects and holds with shard-level metrics and without, the ratio of the costs, and who is better than it without. */
const unseenOf = async ({ trace, own, others }: Comparison) => {
  const unseen = await simulate(trace, ours({ shardLevel: false }));
  return {
    row: [trace.title, held(own), held(unseen), times(unseen.usd / own.usd)],
    better: against(
      { trace, own: unseen },
      others.filter((other) => isBetter(other, unseen, 0)),
    ),
  };
};

const picture = ({ trace, bounds, own, others }: Comparison): string =>
  drawn(
    trace,
    [
      { name: 'reflex', color: '#1463b8', shards: own.minutes.map(({ shards }) => shards) },
      { name: 'optimum', color: '#2b8a3e', shards: bounds.optimum.shards },
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

const compareAll = async (names: readonly string[]): Promise<Comparison[]> => {
  const done: Comparison[] = [];
  for (const name of names) {
    const trace = traceNamed(name);
    process.stderr.write(`  ${trace.title} (${done.length + 1} of ${names.length})\n`);
    done.push(await compared(trace));
  }
  return done;
};

type Played = Omit<Comparison, 'bounds'>;

const against = ({ trace, own }: Pick<Played, 'trace' | 'own'>, better: readonly Result[]): string[] =>
  better.map((other) => `${other.policy} on ${trace.title} (${held(other)}, reflex ${held(own)})`);

const listed = (cases: readonly string[]): string => (cases.length === 0 ? 'nobody, on no trace' : cases.join('; '));

/** Table 2: resharding policies over every trace; writes the curves to docs/images. */
export const resharding = async (): Promise<void> => {
  const done = await compareAll(traceNames);
  for (const comparison of done) {
    writeFileSync(join(ROOT, 'docs/images', `bench-policy-${comparison.trace.name}.svg`), picture(comparison));
  }
  console.log('Resharding policy: cost is shard-hours and a price per throttled record, as a ratio to the optimum\n');
  console.log(`${table(POLICY_HEAD, done.flatMap(rowsOf))}\n`);

  const further = await compareAll(furtherNames);
  const names = further[0] === undefined ? [] : [further[0].own, ...further[0].others].map(({ policy }) => policy);
  console.log(
    `Further traces, as a check: throttled records / shard-hours\n\n${table(['trace', ...names], further.map(rowOf))}\n`,
  );

  console.log(
    `What the rules make of the optimum's cost\n\n${table(RULES_HEAD, [...done, ...further].map(rulesOf))}\n`,
  );

  const all = [...done, ...further];
  const unseen: Awaited<ReturnType<typeof unseenOf>>[] = [];
  for (const one of all) unseen.push(await unseenOf(one));
  console.log(
    `Without shard-level metrics: throttled records / shard-hours\n\n${table(
      ['trace', 'with them', 'without', 'cost'],
      unseen.map(({ row }) => row),
    )}\n`,
  );

  const prices: string[][] = [];
  for (const { trace } of all) prices.push(await pricesOf(trace));
  const head = TARGETS.flatMap((target) => [String(target), 'cost']);
  console.log(`The price of the target: throttled records / shard-hours\n\n${table(['trace', ...head], prices)}\n`);

  const strictly = all.flatMap((one) => against(one, one.strictly));
  const better = all.flatMap((one) => against(one, one.better));
  console.log(`Fewer throttled records at no more shard-hours than reflex: ${listed(strictly)}.`);
  console.log(`The same by more than one record in a million offered: ${listed(better)}.`);
  console.log(`Than reflex without shard-level metrics: ${listed(unseen.flatMap((one) => one.better))}.`);
  const near = done.filter(({ bounds, own }) => own.usd <= TARGET_RATIO * bounds.seen.usd).length;
  console.log(`Within ${TARGET_RATIO} of the optimum under the rules: ${near} of ${done.length} traces.\n`);
};

/** Table 2 with other seeds of each trace: how much of who rejects fewer records is chance. */
export const reshardingAgain = async (): Promise<void> => {
  const names = [...traceNames, ...furtherNames];
  const strictly: string[][] = [];
  const better: string[][] = [];
  for (const [i, name] of names.entries()) {
    process.stderr.write(`  ${name} (${i + 1} of ${names.length})\n`);
    for (const seed of SEEDS) {
      const one = await played(traceNamed(name, seed));
      strictly.push(against(one, one.strictly));
      better.push(against(one, one.better));
    }
  }
  const runs = strictly.filter((cases) => cases.length > 0);
  console.log(`Resharding policy with ${SEEDS.length} other seeds of each trace\n`);
  console.log(
    `Fewer throttled records at no more shard-hours than reflex, in ${runs.length} of ${strictly.length} runs: ${listed(strictly.flat())}.`,
  );
  console.log(`The same by more than one record in a million offered: ${listed(better.flat())}.\n`);
};

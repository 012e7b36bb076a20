/**
 * `npm run bench`: each table compares side by side in one run and gives ratios; bare times mean nothing on another machine.
 * `npm run bench -- policy` prints one of them.
 */
import { coldStart } from './cold-start.ts';
import { resharding, reshardingAgain } from './policy/table.ts';
import { storm } from './storm.ts';

const tables: Readonly<Record<string, () => Promise<void>>> = {
  storm,
  policy: resharding,
  'policy-seeds': reshardingAgain,
  'cold-start': coldStart,
};

const [only] = process.argv.slice(2);
const wanted = only === undefined ? Object.values(tables) : Object.hasOwn(tables, only) ? [tables[only]] : [];
if (wanted.length === 0) {
  console.error(`No table "${only}"; there are: ${Object.keys(tables).join(', ')}.`);
  process.exitCode = 1;
}
for (const table of wanted) await table?.();

/**
 * `npm run bench`: each table compares side by side in one run and gives ratios; bare times mean nothing on another machine.
 * `npm run bench -- policy` prints one of them.
 */
import { coldStart } from './cold-start.ts';
import { resharding } from './policy/table.ts';
import { storm } from './storm.ts';

const tables: Readonly<Record<string, () => Promise<void>>> = {
  storm,
  policy: resharding,
  'cold-start': coldStart,
};

const [only] = process.argv.slice(2);
const wanted = only === undefined ? Object.values(tables) : [tables[only]];
for (const table of wanted) {
  if (table === undefined) throw new Error(`no table "${only}"; there are: ${Object.keys(tables).join(', ')}`);
  await table();
}

// A worker that survives interruptions: it adds up the squares of 1..ITEMS and keeps its place in CHECKPOINT_FILE,
// a path that outlives the task (EFS; with S3, write an object instead).
//
// SIGTERM -> finish the item in hand, write the checkpoint, exit 75 (EX_TEMPFAIL: not done, try again).
// Done    -> exit 0. Started again with the same CHECKPOINT_FILE, it goes on where it stopped.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const EX_TEMPFAIL = 75;
/** SIGKILL may come without a SIGTERM: at most this many items are ever done twice. */
const CHECKPOINT_EVERY = 10;

const file = process.env.CHECKPOINT_FILE;
if (!file) throw new Error('CHECKPOINT_FILE: expected a path that outlives the task');
const items = Number(process.env.ITEMS ?? 100);
const itemMs = Number(process.env.ITEM_MS ?? 10);

const say = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

/** Whole or not at all: a task that is killed while it writes leaves the last checkpoint as it was. */
const save = async (state) => {
  await writeFile(`${file}.new`, JSON.stringify(state));
  await rename(`${file}.new`, file);
};

const load = async () => {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return { next: 1, sum: 0 };
  }
};

let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

let state = await load();
say(state.next === 1 ? 'started' : 'resumed', {
  next: state.next,
  attempt: Number(process.env.REFLEX_RESUME_ATTEMPT ?? 0),
  root: process.env.REFLEX_RESUME_ROOT ?? null,
});

while (state.next <= items && !stopping) {
  await setTimeout(itemMs);
  state = { next: state.next + 1, sum: state.sum + state.next ** 2 };
  say('item', { item: state.next - 1 });
  if (state.next % CHECKPOINT_EVERY === 0) await save(state);
}

await save(state);
const done = state.next > items;
say(done ? 'done' : 'interrupted', state);
process.exitCode = done ? 0 : EX_TEMPFAIL;

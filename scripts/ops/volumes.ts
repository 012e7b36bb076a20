import { BrokenMessage } from '../../shared/events/event.ts';
import { parseWorkItem, type WorkItem } from '../../shared/spot-logs.ts';
import { type Command, positionalsUpTo } from './command.ts';
import { type Cell, count, duration, table, utc } from './words.ts';

/** A volume that Reflex has kept, as EC2 shows it. */
export interface KeptVolume {
  readonly id: string;
  readonly GiB: number;
  /** in-use, available... */
  readonly state: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What comes next of each state. The states: shared/spot-logs.ts. */
const meanings: Readonly<Record<string, string>> = {
  armed: 'its instance may be taken back; given free again after a day',
  pending: 'its instance is going; a snapshot comes next',
  snapshotting: 'a snapshot is being made',
  shipping: 'its logs are being copied to the bucket',
  proven: 'its logs are in the bucket; it is deleted next',
  done: 'all done; it is being deleted',
  failed: 'a person must look; nothing is deleted',
};

export const volumes: Command = {
  name: 'volumes',
  usage: ['volumes'],
  summary: 'log volumes that are kept, and how far their rescue is',
  options: {},
  async run(args, { connect, now, paint, width }) {
    positionalsUpTo(args, 0);
    const stack = await connect();
    const kept = (await stack.keptVolumes()).map((volume) => ({ ...volume, ...itemOf(volume) }));
    const sorted = kept.sort((a, b) => (a.item?.since ?? 0) - (b.item?.since ?? 0));
    const json = sorted.map(({ id, GiB, state, item, problem }) => ({ id, GiB, state, ...item, problem }));
    if (sorted.length === 0) return { lines: ['No log volume is kept.'], json };
    const rows = sorted.map(({ id, GiB, state, item, problem }): (string | Cell)[] => [
      id,
      `${GiB} GiB`,
      state,
      item?.instance ?? '-',
      item?.device ?? '-',
      item === null ? '-' : `${utc(item.since)} (${duration(now - item.since)})`,
      item === null ? '-' : String(item.attempts),
      item === null
        ? { text: problem, style: 'red' }
        : { text: stateText(item), style: item.rescue === 'failed' ? 'red' : undefined },
    ]);
    const GiB = sorted.reduce((sum, volume) => sum + volume.GiB, 0);
    return {
      lines: [
        ...table(['VOLUME', 'SIZE', 'EC2', 'FROM', 'DEVICE', 'SINCE (UTC)', 'FAILED', 'RESCUE'], rows, {
          paint,
          width,
        }),
        '',
        `${count(sorted.length, 'volume')}, ${GiB} GiB. The story of one: npm run ops -- history ${sorted[0]?.id} --last`,
      ],
      json,
    };
  },
};

const stateText = ({ rescue }: WorkItem): string =>
  rescue === null ? 'given free again' : `${rescue}: ${meanings[rescue]}`;

/** A tag that a person has changed must not hide the volume. */
function itemOf({ tags }: KeptVolume): { readonly item: WorkItem | null; readonly problem: string } {
  try {
    return { item: parseWorkItem(tags), problem: 'its tags say nothing' };
  } catch (error) {
    if (!(error instanceof BrokenMessage)) throw error;
    return { item: null, problem: error.message };
  }
}

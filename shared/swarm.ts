import * as states from './ledger/state.ts';
import type { HistoryRecord } from './ledger/types.ts';
import type { Runtime } from './runtime.ts';

/** What a notification is about: it is sent once a day for each pair. */
export interface Subject {
  /** ARN of what people know, and look after. */
  readonly about: string;
  readonly key: string;
  /** Told again only after it was not news for this long, ms. Absent: once a day. */
  readonly quietMs?: number;
}

const TELL_AGAIN_MS = 24 * 3_600_000;

/**
 * The runtime of a function whose resources fall ill by the hundred, by nature: Spot capacity is taken back in waves. Many at
 * once are then no sign of a cause elsewhere, and their number stops nothing. People are told once a day of each subject, not
 * of each resource; where the ledger cannot be asked, once for each process. null: not told at all.
 */
export const inSwarms = (runtime: Runtime, subjectOf: (record: HistoryRecord) => Subject | null): Runtime => {
  const told = new Map<string, number>();

  const isNews = async ({ about, key, quietMs }: Subject, fn: string): Promise<boolean> => {
    const now = runtime.clock();
    const againMs = quietMs ?? TELL_AGAIN_MS;
    const name = `${about} ${key}`;
    const last = told.get(name);
    const toldHere = last !== undefined && now - last < againMs;
    if (toldHere && (quietMs === undefined || now === last)) return false;
    told.set(name, now);
    try {
      let news = false;
      await runtime.ledger.update({ fn, resource: about }, undefined, (state) => {
        news = now - (state.notified[key] ?? Number.NEGATIVE_INFINITY) >= againMs;
        return news || quietMs !== undefined
          ? { state: states.noteNotified(state, key, now) }
          : { refusal: 'told' as const };
      });
      return news && !toldHere;
    } catch (error) {
      runtime.log.error('the ledger does not know that this was told', error, { resource: about });
      return !toldHere;
    }
  };

  return {
    ...runtime,
    stormLimit: Number.POSITIVE_INFINITY,
    notify: async (record, nextCheckAt) => {
      const subject = subjectOf(record);
      if (subject !== null && (await isNews(subject, record.fn))) await runtime.notify(record, nextCheckAt);
    },
  };
};

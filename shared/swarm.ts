import * as states from './ledger/state.ts';
import type { HistoryRecord } from './ledger/types.ts';
import type { Runtime } from './runtime.ts';

/** What a notification is about: it is sent once a day for each pair. */
export interface Subject {
  /** ARN of what people know, and look after. */
  readonly about: string;
  readonly key: string;
}

const TELL_AGAIN_MS = 24 * 3_600_000;

/**
 * The runtime of a function whose resources fall ill by the hundred, by nature: Spot capacity is taken back in waves. Many at
 * once are then no sign of a cause elsewhere, and their number stops nothing. People are told once a day of each subject, not
 * of each resource; where the ledger cannot be asked, once for each process. null: not told at all.
 */
export const inSwarms = (runtime: Runtime, subjectOf: (record: HistoryRecord) => Subject | null): Runtime => {
  const told = new Map<string, number>();

  const isNews = async ({ about, key }: Subject, fn: string): Promise<boolean> => {
    const now = runtime.clock();
    const name = `${about} ${key}`;
    const last = told.get(name);
    if (last !== undefined && now - last < TELL_AGAIN_MS) return false;
    told.set(name, now);
    try {
      const noted = await runtime.ledger.update({ fn, resource: about }, undefined, (state) =>
        now - (state.notified[key] ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS
          ? { refusal: 'told' as const }
          : { state: states.noteNotified(state, key, now) },
      );
      return 'state' in noted;
    } catch (error) {
      runtime.log.error('the ledger does not know that this was told', error, { resource: about });
      return true;
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

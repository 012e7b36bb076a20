import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Sees every request come and every answer leave. While `during` runs it counts sequential round trips: a request is
 * held until no other has arrived for a while, and the next wave until every answer of this one has left. What does not
 * wait for an answer is in the same wave.
 */
export const waveGate = () => {
  let waves: string[][] | undefined;
  let arrived = 0;
  let answering = 0;
  let opening: Promise<void> | undefined;

  const quiet = async (): Promise<void> => {
    for (let seen = -1; seen !== arrived || answering > 0; ) {
      seen = arrived;
      await setTimeout(25);
      for (let turn = 0; turn < 10; turn++) await setImmediate();
    }
  };

  return {
    /** Resolves when no request is under way and none has come for a while. */
    quiet,
    /** Resolves when this request may be answered. */
    enter: async (label: string): Promise<void> => {
      arrived++;
      if (waves !== undefined) {
        if (opening === undefined) {
          waves.push([]);
          opening = quiet().then(() => {
            opening = undefined;
          });
        }
        waves.at(-1)?.push(label);
        await opening;
      }
      answering++;
    },
    left: (): void => {
      answering--;
    },
    /** The operations of each wave of round trips that `work` makes, in order. */
    during: async (work: () => Promise<unknown>): Promise<string[][]> => {
      const counted: string[][] = [];
      waves = counted;
      try {
        await work();
        return counted.map((wave) => wave.sort());
      } finally {
        waves = undefined;
      }
    },
  };
};

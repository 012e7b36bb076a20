import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paced, patiently } from '../../shared/patience.ts';

const fakeTime = (random = () => 0.5) => {
  let now = 1_000_000;
  const slept: number[] = [];
  return {
    clock: () => now,
    sleep: async (ms: number) => {
      slept.push(ms);
      now += ms;
    },
    random,
    slept,
    start: now,
  };
};

const failing = (times: number, error: unknown) => {
  let made = 0;
  return {
    made: () => made,
    call: async () => {
      made++;
      if (made <= times) throw error;
      return 'done';
    },
  };
};

const throttled = Object.assign(new Error('Rate exceeded'), {
  name: 'ThrottlingException',
  $metadata: { httpStatusCode: 400 },
});

describe('a call made patiently', () => {
  it('that succeeds is made once, without waiting', async () => {
    const time = fakeTime();
    const { call, made } = failing(0, throttled);

    await expect(patiently(time, time.start, call)).resolves.toBe('done');

    expect([made(), time.slept]).toEqual([1, []]);
  });

  it('that is throttled is repeated, at jitter up to 100 ms, doubling up to 800 ms', async () => {
    const time = fakeTime();
    const { call } = failing(6, throttled);

    await expect(patiently(time, time.start + 60_000, call)).resolves.toBe('done');

    expect(time.slept).toEqual([50, 100, 200, 400, 400, 400]);
  });

  it('is given up before its time is over, with its own error', async () => {
    const time = fakeTime();
    const { call, made } = failing(Number.POSITIVE_INFINITY, throttled);

    await expect(patiently(time, time.start + 200, call)).rejects.toBe(throttled);

    expect(made()).toBe(3);
    expect(time.clock()).toBeLessThan(time.start + 200);
  });

  it('that got no answer, and is only throttled after that, is given up as unanswered: it may have taken effect', async () => {
    const time = fakeTime();
    const unanswered = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    let made = 0;
    const call = async () => {
      throw ++made === 2 ? unanswered : throttled;
    };

    await expect(patiently(time, time.start + 1_000, call)).rejects.toBe(unanswered);

    expect(made).toBeGreaterThan(2);
  });

  it('that got no answer, and whose turn is too far off after that, is given up as unanswered', async () => {
    const time = fakeTime();
    const unanswered = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const turn = paced({ burst: 1, perSecond: 0.01 }, time);
    const call = async () => {
      await turn(time.start + 1_000);
      throw unanswered;
    };

    await expect(patiently(time, time.start + 60_000, call)).rejects.toBe(unanswered);
    await expect(patiently(time, time.start + 60_000, call)).rejects.toThrow('not made');
  });

  it('whose time is over already is made once', async () => {
    const time = fakeTime();
    const { call, made } = failing(9, throttled);

    await expect(patiently(time, time.start - 5_000, call)).rejects.toBe(throttled);

    expect(made()).toBe(1);
  });

  it.each([
    Object.assign(new Error('no'), { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } }),
    new TypeError('a defect'),
  ])('that is refused is not repeated (%s)', async (error) => {
    const time = fakeTime();
    const { call, made } = failing(9, error);

    await expect(patiently(time, time.start + 60_000, call)).rejects.toBe(error);

    expect(made()).toBe(1);
  });

  it('that is not answered is repeated', async () => {
    const time = fakeTime();
    const { call } = failing(2, Object.assign(new Error('reset'), { code: 'ECONNRESET' }));

    await expect(patiently(time, time.start + 60_000, call)).resolves.toBe('done');
  });
});

describe('paced calls', () => {
  it('go at once while the bucket has tokens, and then as fast as it fills', async () => {
    const time = fakeTime();
    const pace = paced({ burst: 3, perSecond: 4 }, time);

    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      const before = time.clock();
      await pace();
      waits.push(time.clock() - before);
    }

    expect(waits).toEqual([0, 0, 0, 250, 250]);
  });

  it('that ask together are let through in the order of asking', async () => {
    const time = fakeTime();
    const sleeps: number[] = [];
    const pace = paced({ burst: 1, perSecond: 2 }, { ...time, sleep: async (ms) => void sleeps.push(ms) });

    await Promise.all([pace(), pace(), pace()]);

    expect(sleeps).toEqual([500, 1_000]);
  });

  it('find a full bucket after a pause, and no fuller one', async () => {
    const time = fakeTime();
    const pace = paced({ burst: 2, perSecond: 1 }, time);
    await Promise.all([pace(), pace()]);
    await time.sleep(3_600_000);
    time.slept.length = 0;

    await Promise.all([pace(), pace(), pace()]);

    expect(time.slept).toEqual([1_000]);
  });

  it('lose no token where the clock is set back', async () => {
    let now = 3_600_000;
    const sleeps: number[] = [];
    const pace = paced({ burst: 2, perSecond: 1 }, { clock: () => now, sleep: async (ms) => void sleeps.push(ms) });
    await pace();
    now = 0;

    await pace();

    expect(sleeps).toEqual([]);
  });

  it('whose turn would come too late are turned away at once, and take no token', async () => {
    const time = fakeTime();
    const pace = paced({ burst: 1, perSecond: 2 }, time);
    await pace();

    await expect(pace(time.start + 499)).rejects.toThrow('AWS takes 2 a second');
    await pace(time.start + 500);

    expect(time.slept).toEqual([500]);
  });

  it('never outrun the bucket they keep to', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3_000), { maxLength: 40 }), async (pauses) => {
        const time = fakeTime();
        const pace = paced({ burst: 5, perSecond: 4 }, time);
        let tokens = 5;
        let at = time.clock();
        for (const pause of pauses) {
          await time.sleep(pause);
          await pace();
          tokens = Math.min(5, tokens + ((time.clock() - at) / 1_000) * 4) - 1;
          at = time.clock();
          expect(tokens).toBeGreaterThan(-1e-6);
        }
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { joined, type Memory, type PairedStandIn } from '../../../../functions/restore-capacity/service/facts.ts';
import { at } from '../../../support/event-builders.ts';

const paired = (overrides: Partial<PairedStandIn>): Memory => ({
  level: 1,
  standIn: { mode: 'paired', pair: 'web-od', since: at, original: 0, wrote: 4, need: 10, ...overrides },
});

describe('of two memories', () => {
  const looked = (wholeSince?: number): Memory => paired(wholeSince === undefined ? {} : { wholeSince });

  it.each([
    ['the one with more changes', { ...looked(), turn: 2 }, { turn: 1, level: 5 }],
    ['what stands in rather than what was let go of', { ...looked(), turn: 2 }, { turn: 2, released: at }],
    ['the look that found tasks lacking', looked(), looked(at)],
    ['the look that is whole for less long', looked(at), looked(at - 1)],
  ])('%s stands, whoever was first', (_, later, earlier) => {
    expect(joined(earlier, later)).toBe(later);
    expect(joined(later, earlier)).toBe(later);
  });
});

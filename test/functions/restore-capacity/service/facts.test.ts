import { describe, expect, it } from 'vitest';
import {
  joined,
  type Memory,
  type PairedStandIn,
  type SwitchedStandIn,
  undone,
} from '../../../../functions/restore-capacity/service/facts.ts';
import { at } from '../../../support/event-builders.ts';
import { spotStrategy } from '../../../support/restore-capacity.ts';

const paired = (overrides: Partial<PairedStandIn>): Memory => ({
  level: 1,
  standIn: { mode: 'paired', pair: 'web-od', since: at, original: 0, wrote: 4, need: 10, ...overrides },
});

const switched = (overrides: Partial<SwitchedStandIn>): Memory => ({
  level: 1,
  standIn: {
    mode: 'strategy',
    since: at - 1,
    original: spotStrategy,
    standIn: [],
    probing: true,
    unverified: true,
    rolledAt: at,
    ...overrides,
  },
});

describe('after a definite refusal', () => {
  it('of the first change nothing stands in', () => {
    expect(undone(paired({ previous: 0 }))).toEqual({ turn: 1, level: 1 });
    expect(undone(switched({ since: at, probing: false }))).toEqual({ turn: 1, level: 1 });
  });

  it('of a later change the one before stands', () => {
    expect(undone(paired({ previous: 5, stepped: true }))).toEqual({ turn: 1, ...paired({ wrote: 5, stepped: true }) });
    expect(undone(switched({}))).toMatchObject({ standIn: { probing: false } });
    expect(undone(switched({}))).not.toHaveProperty('standIn.unverified');
  });

  it('what was not in question stays', () => {
    expect(undone(paired({}))).toEqual({ turn: 1, ...paired({}) });
    expect(undone({ turn: 6, level: 2, endedAt: at })).toEqual({ turn: 7, level: 2, endedAt: at });
  });
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

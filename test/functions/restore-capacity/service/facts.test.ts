import { describe, expect, it } from 'vitest';
import {
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
    expect(undone(paired({ previous: 0 }))).toEqual({ level: 1 });
    expect(undone(switched({ since: at, probing: false }))).toEqual({ level: 1 });
  });

  it('of a later change the one before stands', () => {
    expect(undone(paired({ previous: 5, stepped: true }))).toEqual(paired({ wrote: 5, stepped: true }));
    expect(undone(switched({}))).toMatchObject({ standIn: { probing: false } });
    expect(undone(switched({}))).not.toHaveProperty('standIn.unverified');
  });

  it('what was not in question stays', () => {
    expect(undone(paired({}))).toEqual(paired({}));
    expect(undone({ level: 2, endedAt: at })).toEqual({ level: 2, endedAt: at });
  });
});

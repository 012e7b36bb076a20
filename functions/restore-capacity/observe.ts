import type { Observed, Watch } from '../../shared/function.ts';
import { type Facts, isService } from './facts.ts';

type Observe = (watches: readonly Watch[]) => Promise<ReadonlyMap<string, Observed<Facts>>>;

/** Reads the facts of services and of groups side by side. */
export const observe =
  (services: Observe, groups: Observe): Observe =>
  async (watches) => {
    const { service = [], group = [] } = Object.groupBy(watches, (watch) => (isService(watch) ? 'service' : 'group'));
    const observed = await Promise.all([services(service), groups(group)]);
    return new Map(observed.flatMap((all) => [...all]));
  };

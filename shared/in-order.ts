import type { Call, OutcomeAction } from './decision.ts';
import type { Acted, Approved } from './function.ts';
import type { Stop } from './guards/guard.ts';
import { said } from './words.ts';

/**
 * An `act` that makes the calls of each resource in order, up to the first that fails, and those of all resources at once.
 * `meaning` says what a failed call comes to; undefined: it was done already, and the next one follows.
 */
export const inOrder =
  <C extends Call & OutcomeAction>(
    make: (call: C) => Promise<unknown>,
    meaning: (call: C, error: unknown) => Stop | undefined,
  ) =>
  async (approved: readonly Approved<C>[]): Promise<ReadonlyMap<string, Acted>> => {
    const actsOf = async (calls: readonly C[]): Promise<Acted> => {
      const actions: OutcomeAction[] = [];
      for (const call of calls) {
        try {
          await make(call);
        } catch (error) {
          const problem = meaning(call, error);
          if (problem !== undefined) return { actions: [...actions, { ...call, error: said(error) }], problem };
        }
        actions.push(call);
      }
      return { actions };
    };
    return new Map(
      await Promise.all(approved.map(async ({ resource, act }) => [resource, await actsOf(act.calls)] as const)),
    );
  };

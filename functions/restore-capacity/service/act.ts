import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../../shared/aws/client.ts';
import { updateService } from '../../../shared/aws/ecs.ts';
import { defer, escalate, type OutcomeAction } from '../../../shared/decision.ts';
import type { Acted, Approved } from '../../../shared/function.ts';
import type { Stop } from '../../../shared/guards/guard.ts';
import { type Patience, paced, patiently } from '../../../shared/patience.ts';
import { said } from '../../../shared/words.ts';
import type { ServiceCall } from './view.ts';

const SECOND = 1_000;
/** A desired count is absolute: where a change of it got no answer, it is made again. A forced deployment replaces every task each time. */
const RETRY_FOR = 20 * SECOND;
const AGAIN = 30 * SECOND;
/** UpdateService of an account and Region: a bucket of 50, refilled by 5 a second, which deployments use as well. */
const UPDATES = { burst: 40, perSecond: 5 };

/** Makes the call of each service by itself: one that is refused stops no other. */
export const act = (patience: Patience) => {
  const pace = paced(UPDATES, patience);

  return async (approved: readonly Approved<ServiceCall>[]): Promise<ReadonlyMap<string, Acted>> =>
    new Map(await Promise.all(approved.map(async (one) => [one.resource, await update(one)] as const)));

  async function update({ act: { calls } }: Approved<ServiceCall>): Promise<Acted> {
    const actions: OutcomeAction[] = [];
    for (const call of calls) {
      try {
        await pace();
        const again = call.params.forceNewDeployment === true ? isThrottle : isTransient;
        await patiently(patience, patience.clock() + RETRY_FOR, () => updateService(call.params), again);
        actions.push(call);
      } catch (error) {
        const problem = meaning(error, patience.clock());
        return { actions: [...actions, { ...call, error: said(error) }], problem };
      }
    }
    return { actions };
  }
};

/** What a call that failed means; a definite refusal leaves things as they were. */
const meaning = (error: unknown, now: number): Stop => {
  const text = said(error);
  if (isThrottle(error)) {
    return defer('rate-limited', now + AGAIN, 'UpdateService was throttled; it is called again.');
  }
  if (isTransient(error)) {
    return defer(
      'act-unknown',
      now + AGAIN,
      `UpdateService ended without an answer (${text}); the service is read again.`,
    );
  }
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `UpdateService was denied: ${text}`,
      'The permission is bound to the tag reflex:enabled = true on the service that is changed; tag it, and check the permissions boundary.',
    );
  }
  return isErrorNamed(error, 'InvalidParameterException')
    ? escalate(
        'invalid-argument',
        `UpdateService was refused: ${text}`,
        'See the error; the facts changed in between, or report it.',
      )
    : escalate('act-failed', `UpdateService failed: ${text}`, 'See the error; nothing was changed.');
};

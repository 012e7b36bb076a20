import type { Decision } from '../../shared/decision.ts';
import type { Situation } from '../../shared/function.ts';
import type { Facts, RestoreCall } from './facts.ts';
import * as group from './group/decide.ts';
import type { Policy } from './policy.ts';
import * as service from './service/decide.ts';

/**
 * What to do about a resource that lacks Spot capacity, from facts alone: the part it belongs to says. `now` is epoch ms.
 * @throws SettingError for a tag that is unknown or malformed.
 */
export const decide = (situation: Situation<Facts>, policy: Policy, now: number): Decision<RestoreCall> =>
  situation.kind === 'service'
    ? service.decide(situation, policy.service(), now)
    : group.decide(situation, policy.group(), now);

import type { Call } from '../../shared/decision.ts';
import type { CommonFacts, ReflexFunction } from '../../shared/function.ts';

/**
 * What looks after one kind of resource: everything of a function but its name, its guards and its `decide`. `service/part.ts`
 * and `group/part.ts` make one each; the files beside this one hand every event, resource and act to the part it belongs to.
 */
export type Part<F extends CommonFacts, P, C extends Call> = Pick<
  ReflexFunction<F, P, C>,
  'hear' | 'sweep' | 'observe' | 'policy' | 'act'
>;

import type { GroupCall } from './group/decide.ts';
import type { GroupFacts } from './group/facts.ts';
import type { ServiceCall } from './service/decide.ts';
import type { ServiceFacts } from './service/facts.ts';

/** What the parts know of their resources; `kind` tells which part's it is. */
export type Facts = ServiceFacts | GroupFacts;
export type RestoreCall = ServiceCall | GroupCall;

/** An ECS service, which the part `service` looks after; anything else is an Auto Scaling group. */
export const isService = ({ resource }: { readonly resource: string }): boolean => /^arn:[^:]+:ecs:/.test(resource);

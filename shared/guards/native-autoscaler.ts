import { escalate } from '../decision.ts';
import type { Brake } from './guard.ts';

/** One owner per resource: two controllers answer each other's moves. */
export const nativeAutoscaler: Brake = ({ managedBy }) =>
  managedBy === null
    ? undefined
    : escalate(
        'native-autoscaler',
        `${managedBy} scales this resource; Reflex leaves it alone.`,
        'Decide on one: remove the other scaler, or the tag reflex:enabled.',
      );

import { escalate, skip } from '../decision.ts';
import { OPT_IN_TAG } from '../settings.ts';
import type { Entrance } from './guard.ts';

/** Only `true` opts in, letter for letter: IAM compares it so. Anything but true and false is somebody's mistake. */
export const optIn: Entrance = ({ tags }) => {
  const value = tags[OPT_IN_TAG];
  if (value === 'true') return undefined;
  if (value === undefined || value === 'false') return skip('not-opted-in', `The tag ${OPT_IN_TAG} is not true.`);
  const finding = `tag ${OPT_IN_TAG}: expected true or false, found "${value.slice(0, 40)}"`;
  const advice = `Set ${OPT_IN_TAG} to true, or remove it.`;
  return { ...escalate('bad-tag', `${finding}; the resource is left alone.`, advice), finding };
};

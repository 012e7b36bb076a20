/** How the drill says things, the same on the terminal and on the page. */
import type { OutcomeAction } from '../../shared/decision.ts';
import { callText } from '../calls.ts';
import { type Story, type StreamView, sizeOf, type View } from './story.ts';
import { duration } from './waterfall.ts';

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** `2 open shards, 1 closed` */
export function streamText({ open, closed, status }: StreamView): string {
  const rest = closed.length === 0 ? '' : `, ${closed.length} closed`;
  return `${count(open.length, 'open shard')}${rest}${status === 'ACTIVE' ? '' : ` (${status})`}`;
}

/** `2 open shards, 1 closed`, `3 nodes` */
export function viewText(view: View): string {
  return 'open' in view ? streamText(view) : count(sizeOf(view), view.noun);
}

/** `1 → 2`: open shards, nodes or targets before and after. */
export function changeText({ before, after }: Pick<Story, 'before' | 'after'>): string {
  return before === null || after === null ? '' : `${sizeOf(before)} → ${sizeOf(after)}`;
}

/** Parameters that name the resource, which is known, or are prose. */
const known = [
  'StreamARN',
  'ScalingType',
  'ReplicationGroupId',
  'ApplyImmediately',
  'TargetGroupArn',
  'AlarmDescription',
  'Description',
];

export function actionText(action: OutcomeAction): string {
  return `${callText(action, known)}${action.error === undefined ? '' : ` failed: ${action.error}`}`;
}

/** The result on one line. */
export function resultText(story: Story): string {
  const { status, note, reactionMs, decision } = story;
  if (status === 'skipped') return `skipped: ${note}`;
  if (status === 'failed') return note ?? 'not as it should be';
  const reason =
    decision === null ? '' : `${decision.decision} ${decision.reason}${decision.dryRun ? ', dry run' : ''}`;
  return [changeText(story).padEnd(7), reason.padEnd(24), reactionMs === null ? '' : duration(reactionMs)]
    .join(' ')
    .trimEnd();
}

/** UTC time of day. */
export function clockText(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

/** How the drill says things, the same on the terminal and on the page. */
import type { OutcomeAction } from '../../shared/decision.ts';
import type { Story, StreamView } from './story.ts';
import { duration } from './waterfall.ts';

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** `2 open shards, 1 closed` */
export function streamText({ open, closed, status }: StreamView): string {
  const rest = closed.length === 0 ? '' : `, ${closed.length} closed`;
  return `${count(open.length, 'open shard')}${rest}${status === 'ACTIVE' ? '' : ` (${status})`}`;
}

/** `UpdateShardCount TargetShardCount=2`, without the stream, which is known. */
export function actionText({ call, params, error }: OutcomeAction): string {
  const shown = Object.entries(typeof params === 'object' && params !== null ? params : {})
    .filter(([name]) => name !== 'StreamARN' && name !== 'ScalingType')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [call, ...shown, ...(error === undefined ? [] : [`failed: ${error}`])].join(' ');
}

/** The result on one line. */
export function resultText({ status, note, before, after, reactionMs, decision }: Story): string {
  if (status === 'skipped') return `skipped: ${note}`;
  if (status === 'failed') return note ?? 'not as it should be';
  const change = before === null || after === null ? '' : `${before.open.length} → ${after.open.length}`;
  const reason =
    decision === null ? '' : `${decision.decision} ${decision.reason}${decision.dryRun ? ', dry run' : ''}`;
  return [change.padEnd(7), reason.padEnd(24), reactionMs === null ? '' : duration(reactionMs)].join(' ').trimEnd();
}

/** UTC time of day. */
export function clockText(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

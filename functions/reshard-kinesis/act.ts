import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { mergeShards, splitShard, updateShardCount } from '../../shared/aws/kinesis.ts';
import { putFunctionConcurrency } from '../../shared/aws/lambda.ts';
import { defer, escalate, skip } from '../../shared/decision.ts';
import type { Stop } from '../../shared/guards/guard.ts';
import { inOrder } from '../../shared/in-order.ts';
import { said } from '../../shared/words.ts';
import type { KinesisCall } from './decide.ts';

const MINUTE = 60_000;

/** Makes the approved calls: the streams at once, the calls of one stream in order, up to the first that fails. */
export const act = (clock: () => number) => inOrder(make, (call, error) => meaning(call, error, clock()));

const make = (call: KinesisCall): Promise<unknown> => {
  switch (call.call) {
    case 'UpdateShardCount':
      return updateShardCount(call.params);
    case 'SplitShard':
      return splitShard(call.params);
    case 'MergeShards':
      return mergeShards(call.params);
    case 'PutFunctionConcurrency':
      return putFunctionConcurrency(call.params);
  }
};

/**
 * What a failed call means. None is simply tried again: what waits is looked at anew, with a count of failed
 * verifications, and what AWS refuses for good goes to a person.
 */
export const meaning = ({ call }: KinesisCall, error: unknown, now: number): Stop => {
  const text = said(error);
  const message = error instanceof Error ? error.message : text;
  const again = now + MINUTE;
  if (isAccessDenied(error)) {
    return escalate(
      'access-denied',
      `${call} was denied: ${message}`,
      `The permission is bound to the tag reflex:enabled = true on the ${call === 'PutFunctionConcurrency' ? 'function' : 'stream'}; check it, the permissions boundary and service control policies.`,
    );
  }
  // Lambda changes one thing of a function at a time, and somebody may just deploy it.
  if (isThrottle(error) || isErrorNamed(error, 'ResourceConflictException')) {
    return defer('rate-limited', again, `${call}: ${message}; looked at again in a minute.`);
  }
  if (isTransient(error)) {
    return defer(
      'act-unknown',
      again,
      `${call} ended without an answer (${text}); whether it took effect is read from AWS.`,
    );
  }
  if (isErrorNamed(error, 'ResourceInUseException')) {
    return defer('stream-updating', again, `${call}: somebody else is resharding the stream; looked at again.`);
  }
  if (isErrorNamed(error, 'LimitExceededException')) return limit(call, message, again);
  if (isErrorNamed(error, 'ResourceNotFoundException') && call !== 'PutFunctionConcurrency') {
    return skip('stream-gone', `${call}: ${message}`);
  }
  if (isErrorNamed(error, 'ValidationException') && /on-?demand/i.test(message)) {
    return escalate(
      'on-demand',
      `${call}: ${message}`,
      'The stream was switched to on-demand mode, where AWS owns its capacity.',
    );
  }
  if (isErrorNamed(error, 'InvalidParameterValueException') && /unreserved/i.test(message)) {
    return escalate(
      'consumer-concurrency-limit',
      `${call}: ${message}`,
      'Raise the account concurrency quota, or lower reflex:consumer-concurrency.',
    );
  }
  if (isErrorNamed(error, 'InvalidArgumentException', 'ValidationException', 'InvalidParameterValueException')) {
    return escalate(
      'invalid-argument',
      `${call} was refused as invalid: ${message}`,
      'The facts have changed in between, or this is a defect of Reflex; please report it.',
    );
  }
  return escalate('act-failed', `${call} failed: ${text}`, 'See the error; this call changed nothing.');
};

/** The account's shards, a daily cap and a rate limit share LimitExceededException; only the words differ. */
const limit = (call: string, message: string, again: number): Stop => {
  // Names and numbers of streams and accounts are not AWS's words: a stream may be called daily-orders.
  const words = message.replaceAll(/\b(stream|account) \S+/gi, '$1');
  if (/\bshard limit\b|\bquota\b/i.test(words)) {
    return escalate(
      'account-shard-limit',
      `${call}: ${message}`,
      'Request a higher shards-per-Region quota for Kinesis Data Streams.',
    );
  }
  if (/\b24[ -]?h|\brolling\b|\bdaily\b|\bper day\b/i.test(words)) {
    return escalate(
      'daily-limit',
      `${call}: ${message}`,
      'Split single shards by hand (no daily cap), switch to on-demand mode, or wait; the schedule looks again.',
    );
  }
  return defer('rate-limited', again, `${call}: ${message}; looked at again in a minute.`);
};

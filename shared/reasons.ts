/**
 * Every reason code Reflex can give, once. A code is stable: dashboards, alarms and people rely on it.
 * `docs/reasons.md` is tested against this catalogue.
 */
export const reasons = {
  // Pipeline and guards
  'not-opted-in': 'The resource does not carry the tag reflex:enabled = true.',
  'bad-tag': 'A reflex: tag is unknown or malformed; nothing is done until it is put right.',
  'mode-off': 'Reflex, or this function, is switched off.',
  frozen: 'A change calendar is closed.',
  'stale-facts': 'The facts grew too old between reading and acting; they are read again.',
  'native-autoscaler': 'Another autoscaler owns this resource.',
  'correlated-failure': 'Too many resources are in trouble at once; the cause is likely elsewhere.',
  held: 'The resource is on hold until a person releases it.',
  'cool-down': 'Too soon after the last act on this resource.',
  'budget-exhausted': 'No attempts left in the rolling window, or only those kept in reserve.',
  'lease-held': 'Another invocation is acting on this resource.',
  duplicate: 'This occurrence was already acted on.',
  superseded: 'A later check of the same incident has already run, or the incident is closed.',
  'guard-error': 'A guard could not be read, so nothing is done.',
  'observe-failed': 'AWS could not be read; the message is retried.',
  'intent-unresolved': 'An earlier invocation ended between acting and recording; the facts were read again.',
  'not-converging': 'The trouble persists after repeated remediation; the resource is put on hold.',
  'access-denied': 'AWS refused the call for lack of permission.',
  'act-failed': 'AWS refused the call for another reason.',
  'act-unknown': 'The call ended without an answer; the facts are read again.',
  'unexpected-state': 'AWS answered with a state Reflex does not know; a person should look.',
  resolved: 'The facts say the trouble is over; the incident is closed.',
  'nothing-open': 'The alarm returned to OK and no incident was open.',

  // reshard-kinesis: why it acts
  'scale-up': 'Demand exceeds what the open shards carry; UpdateShardCount upwards.',
  'below-min-shards': 'Fewer open shards than reflex:min-shards.',
  'throttled-unseen': 'Records are rejected and no Incoming metric exists to size by; the stream is doubled.',
  'split-hot-shards': 'A few shards are hot and the rest are not; SplitShard on the hot ones.',
  'scale-in': 'The peak of the last 24 h needs far fewer shards; UpdateShardCount downwards.',
  'merge-cold-shards': 'Scale-in of a skewed stream; MergeShards on cold neighbours.',
  'consumer-concurrency': 'Reserved concurrency of the consumer Lambdas does not match the open shards.',
  // reshard-kinesis: why it waits
  'stream-updating': 'The stream is being created or resharded.',
  measuring: 'The reshard is done; one full minute of metrics after it is awaited.',
  'rate-limited': 'AWS limits how often this call may be made; it is tried again.',
  // reshard-kinesis: why it leaves the stream alone
  'within-band': 'Utilisation lies between the scale-in and the scale-up threshold.',
  'metrics-missing': 'There are no recent data points, and missing data is no evidence.',
  'insufficient-metrics': 'Less than a day of metrics was seen; scale-in needs a whole day.',
  'at-min-shards': 'The stream is as small as reflex:min-shards allows.',
  'closed-shards-draining': 'Shards closed by a recent reshard may still be unread.',
  'consumers-behind': 'Iterator age is above its limit; scale-in would make catching up slower.',
  'consumers-unseen': 'No consumer is seen reading with GetRecords; scale-in is not safe to judge.',
  'skew-unseen': 'The stream was split unevenly and has no shard-level metrics to merge by.',
  'no-mergeable-pair': 'No two neighbouring shards are cold enough to become one.',
  'stream-gone': 'The stream does not exist any more.',
  'stream-deleting': 'The stream is being deleted.',
  // reshard-kinesis: why a person must look
  'on-demand': 'The stream is in on-demand mode, where AWS owns its capacity.',
  'skew-or-burst': 'Records are rejected at low utilisation and no shard-level metrics say where.',
  burst: 'Records are rejected though no shard is near its limit over a minute: a burst inside the minute.',
  'hot-key': 'Splitting does not help: one partition key carries the load.',
  'at-max-shards': 'More shards are needed than reflex:max-shards, or AWS, allows.',
  'account-shard-limit': 'The account has too few free shards.',
  'consumer-lag': 'Consumers lag while writes have room; more shards do not mend a slow consumer.',
  'consumer-concurrency-limit': 'Too little unreserved concurrency is left in the account.',
  'daily-limit': 'AWS allows ten UpdateShardCount calls in a rolling 24 h; they are used up.',
  'invalid-argument': 'AWS refused the call as invalid.',
} as const;

export type Reason = keyof typeof reasons;

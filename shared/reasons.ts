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
  'enough-for-now': 'The schedule found more to do than StormLimit allows at a time; the rest waits for its next turn.',
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
  'throttled-lately': 'Records were rejected within the last day; bursts need the room that scale-in would take.',
  'consumers-behind': 'Iterator age is above its limit; scale-in would make catching up slower.',
  'consumers-unseen': 'No consumer is seen reading with GetRecords; scale-in is not safe to judge.',
  'skew-unseen': 'The stream is loaded unevenly and has no shard-level metrics of a whole day to shrink by.',
  'burst-before': 'When it was shrunk from as many shards, bursts were rejected; they need the room.',
  'no-mergeable-pair': 'No two neighbouring shards are cold enough to become one.',
  'stream-gone': 'The stream does not exist any more.',
  'stream-deleting': 'The stream is being deleted.',
  // reshard-kinesis: why a person must look
  'on-demand': 'The stream is in on-demand mode, where AWS owns its capacity.',
  'skew-or-burst': 'Records are rejected though the stream has room, and no shard-level metrics say where.',
  burst: 'Records are rejected though no shard is near its limit over a minute: a burst inside the minute.',
  'hot-key': 'Splitting does not help: one partition key carries the load.',
  'at-max-shards': 'More shards are needed than reflex:max-shards, or AWS, allows.',
  'account-shard-limit': 'The account has too few free shards.',
  'consumer-lag': 'Consumers lag while writes have room; more shards do not mend a slow consumer.',
  'consumer-concurrency-limit': 'Too little unreserved concurrency is left in the account.',
  'daily-limit': 'AWS allows ten UpdateShardCount calls in a rolling 24 h; they are used up.',
  'invalid-argument': 'AWS refused the call as invalid.',

  // drain-fargate: why it acts
  'spot-interruption': 'Fargate takes the task back; it is deregistered from its target groups and from Cloud Map.',
  // drain-fargate: why it waits
  'last-target': 'Nothing else would be left in the target group or registry; it stays until its task is stopping.',
  'address-unknown':
    'Neither event nor AWS shows the address of the task, or its port; they are asked again, and a person is told where it stayed so to the end.',
  // drain-fargate: why it leaves the task alone
  'task-gone': 'The task is deprovisioning or stopped; its address may be another task by now.',
  'too-late': 'More than 150 s have passed since the notice; the address may be another task by now.',
  'not-serving-yet': 'The task was interrupted before it ran; nothing can be registered.',
  'no-target': 'The task is in no target group and no Cloud Map service.',
  'deregistered-by-ecs': 'ECS has deregistered the task itself.',
  'already-draining': 'Every target of the task is draining or gone.',
  'service-gone': 'The ECS service does not exist any more, or not in this account and Region.',
  // drain-fargate: why a person must look
  'still-registered':
    'A target or Cloud Map instance stays registered though it was deregistered, or outlives its task.',

  // relieve-elasticache: what is hot, and the remedy it takes (an act, or a call to approve)
  'read-hot-primary': 'Reads keep the primary busy and replicas serve reads; one replica more.',
  'replicas-hot': 'The replicas are busy and the primary is not; one replica more.',
  'hot-shard-reads': 'One shard stands out, by reads; one replica more in that shard.',
  'uneven-slots': 'One shard stands out and holds more slots than the others; they are spread evenly.',
  'primaries-write-hot': 'Writes keep the primaries busy; more shards.',
  'primary-write-hot': 'Writes keep the only primary busy; a faster node type.',
  'core-starved': 'On a node of one or two vCPUs other work takes the core from the engine; four vCPUs or more.',
  'credits-exhausted': 'A burstable node has no CPU credits left; a node type without credits.',
  'memory-bound': 'Memory is full and keys are evicted; more shards or a larger node type, never replicas.',
  'network-bound': 'The network, not the engine, is at its limit; a larger node type or more shards.',
  'replication-lag': 'Replicas do not keep up with the writes; more shards or a faster node type, never replicas.',
  'traffic-managed': 'ElastiCache itself holds traffic back because the node is too small.',
  'serverless-limit': 'A serverless cache is throttled by the ECPU limit that was set; the limit is raised.',
  'scale-in-cache': 'An hour of calm; one step down.',
  // relieve-elasticache: why it waits
  changing: 'A change that was made is not in service yet.',
  'awaiting-reads': 'A new replica is in service and not read from yet.',
  'not-available': 'The cache is being changed, or a snapshot is being taken.',
  resharding: 'Slots are being moved between shards.',
  'maintenance-window': 'Shards and node types are left alone during maintenance, service updates and snapshots.',
  snapshot: 'The engine is only busy while a snapshot is written.',
  'no-capacity': 'AWS has no such capacity free at the moment.',
  // relieve-elasticache: why it leaves the cache alone
  'not-saturated': 'The engine has room now.',
  'not-calm': 'The engine has room, but something else speaks against fewer nodes.',
  'nothing-to-remove': 'All is calm, and nothing may or can be taken away.',
  memcached: 'Memcached is multithreaded and has no replication group; other remedies apply.',
  'cache-gone': 'The cache does not exist any more, or is being deleted.',
  'node-of-group': 'The node belongs to a replication group, which is looked at as a whole.',
  // relieve-elasticache: why a person must look
  'warning-level': 'The engine is above 65 % and below 90 %; the plan is reported, nothing is changed.',
  'reads-not-offloaded': 'Reads keep the primary busy, and clients do not read from replicas.',
  'uneven-reads': 'One replica is busy and its sisters are not; clients stick to it.',
  'hot-shard-writes': 'One shard stands out, by writes, with no more slots than the others: a hot key.',
  'slow-commands': 'Slow commands or scripts keep the engine busy; no larger cache runs them faster.',
  'connection-storm': 'New connections keep the engine busy, not commands.',
  'connections-near-limit': 'A node is near the 65,000 connections it takes.',
  'reshard-above-80': 'Resharding would help, but above 80 % it makes it worse first.',
  'global-datastore': 'Shards and node types of a global datastore are changed for all its members at once.',
  'compatible-mode': 'Cluster mode is compatible, in which nothing can be scaled.',
  'pending-modification': 'Another modification waits for the maintenance window and would be applied as well.',
  'at-limits': 'Every remedy is at a limit.',
  'migrate-to-cluster-mode': 'One engine thread cannot do more; several primaries could.',
  'roles-unknown': 'Nothing says which node is the primary.',
  'unknown-node-type': 'The vCPUs of the node type are not known.',
  'serverless-throttled': 'A serverless cache is throttled, and not by a limit that was set.',
  'cache-quota': 'A quota of ElastiCache is used up.',

  // save-spot-logs: why it acts
  'save-logs': 'The instance is about to go: its log volumes are kept and tagged, its logs shipped.',
  'arm-logs': 'The instance may go: its log volumes are kept and tagged, its logs copied ahead.',
  'drain-host': 'The instance is taken out of its ECS cluster, its load balancers and its Auto Scaling group.',
  'hold-hook': 'A lifecycle hook is held while tasks run or logs are shipped.',
  'release-hook': 'A lifecycle hook is completed with CONTINUE: nothing runs any more, or the time is over.',
  'disarm-logs': 'A day after the recommendation the instance still runs; its volumes are no work for the rescue.',
  'notice-outlived': 'Half an hour after the interruption notice the instance still runs; its volumes are armed.',
  // save-spot-logs: why it waits
  'host-leaving': 'All that could be done is under way; the instance has not gone yet.',
  // save-spot-logs: why it leaves the instance alone
  'host-left': 'The instance is gone, or going; what was kept is left to the rescue.',
  'instance-gone': 'EC2 does not show the instance any more.',
  'logs-armed': 'The log volumes are kept and tagged, and the instance is expected to live on.',
  // save-spot-logs: why a person must look
  'logs-unrecoverable': 'The host is gone with its logs: no volume of it was kept, and it has not shipped them.',
  'volume-not-kept': 'A log volume would be deleted with its instance, and repeated tries to change that failed.',
  'volume-not-tagged':
    'A log volume outlives its instance, but repeated tries to tag it failed: the rescue does not find it.',

  // resume-fargate: why it acts
  'resume-task': 'A Spot interruption ended the task; RunTask with the same revision, network and overrides.',
  // resume-fargate: why it waits
  'task-stopping': 'The task is being stopped; what it needs to run again is saved.',
  'resume-starting': 'The task that goes on with the work is starting.',
  // resume-fargate: why it leaves the task alone
  'cluster-gone': "The task's cluster does not exist any more, or not in this account and Region.",
  'resume-not-wanted': 'Neither the task nor its definition carries the tag reflex:resume = true.',
  'stopped-otherwise': 'Something other than a Spot interruption ended the task.',
  'work-done': 'Every essential container exited with 0, and the tags say that this means done.',
  'task-of-a-service': 'The task belongs to a service, which runs its own tasks again.',
  // resume-fargate: why a person must look
  'resume-limit': 'The work was resumed as often as reflex:resume-max allows, and interrupted again.',
  'resume-failed': 'The task that was to go on with the work did not start.',
  'resume-too-late': 'More than an hour has passed since the task stopped.',
  'task-forgotten': 'ECS does not show the stopped task any more.',
  'network-unknown': "The task's security groups went with its network interface, and none are configured.",
  'overrides-too-large': 'With the resume variables the overrides exceed what RunTask takes.',
  'volume-unknown': 'The task had an EBS volume, and ECS does not tell how it was configured.',
  'run-by-batch': 'AWS Batch ran the task for a job, and runs the job again by its own retry strategy.',

  // rescue-spot-logs: why it acts
  'take-snapshot': 'A kept volume is free and its instance gone; a snapshot is taken of it.',
  'ship-snapshot': 'The snapshot is complete; a Fargate task ships the logs from it to S3.',
  'logs-proven': 'The task has ended well and its marker says that every file is in S3.',
  'clean-up': 'The logs are proven to be in S3; the volume is deleted, then its snapshots.',
  'rescue-retry': 'A snapshot or a task failed; it is tried again after a pause, five times in all.',
  'volume-copied':
    'A volume carries the tags of one that was kept before it was made: a restored backup. It is left alone.',
  'volume-reused': 'A kept volume is attached to another instance; it is taken off the rescue.',
  // rescue-spot-logs: why it waits
  'volume-detaching': 'The instance is going or gone and has not let go of the volume yet.',
  'snapshot-pending': 'The snapshot is not complete yet.',
  'shipping-logs': 'The task that ships the logs is under way.',
  'rescue-backoff': 'An attempt failed; the next one is not due yet.',
  'snapshot-not-taken': 'EC2 takes no more snapshots at once; it is asked again.',
  'task-not-placed': 'ECS did not run the rescue task; it is asked again.',
  'volume-busy': 'EC2 does not delete the volume at the moment; it is tried again.',
  // rescue-spot-logs: why it leaves the volume alone
  'volume-attached': 'The volume is attached to an instance.',
  'instance-lives': 'The volume was detached from an instance that lives on; whoever did so wants it.',
  'volume-gone': 'Neither the volume nor a snapshot of it exists any more.',
  'kept-unproven': 'The logs are not proven to be in S3; the volume is kept and a person was told.',
  // rescue-spot-logs: why a person must look
  'rescue-failed': 'Five attempts did not bring the logs to S3; the volume is kept.',
  'not-mountable': 'ECS cannot mount the volume: a root device, partitions, or another filesystem; it is kept.',
  'rescue-not-configured': 'No subnet is set for the rescue task; the volume is kept.',
  'proof-lost': 'The logs were proven and the proof is in S3 no more; nothing is deleted.',
  'former-snapshot':
    'A snapshot is older than logs of its volume that are proven in S3; shipping it would overwrite them.',
  'snapshot-in-use': 'An image needs the snapshot; the volume is deleted and the snapshot kept.',

  // restore-capacity, services: why it acts
  'spot-fallback': 'Fargate has no Spot capacity for the service; on-demand tasks stand in.',
  'spot-failback':
    'Spot capacity is back; on-demand tasks are taken back step by step, or the original strategy is set again.',
  'fallback-capped':
    'More on-demand tasks stand in than reflex:fallback-max allows by now; they are taken back at once.',
  // restore-capacity, services: why it waits
  'tasks-starting': 'Every task has been placed for the moment; whether they start is looked at again.',
  'spot-short': 'What stands in does so; Spot is still short.',
  'spot-settling': 'Spot capacity is back and has to stay for a while before anything is taken back.',
  'load-held':
    'The Spot service was made smaller during the shortage; what the load needed before is covered for an hour.',
  'deployment-in-progress': 'A deployment of the service is in progress, and a forced one would supersede it.',
  // restore-capacity, services: why it leaves the service alone
  'spot-enough': 'Every task of the service runs; nothing has to stand in.',
  'not-on-spot': 'The service places no task on FARGATE_SPOT.',
  'shortage-unconfirmed': 'Fewer tasks run than are desired, and nothing says that Spot capacity is why.',
  'fallback-enough': 'The paired service is already set to as many tasks as are lacking, or as it may run.',
  'fallback-released': 'Somebody else changed what Reflex had set; it keeps out until the shortage is over.',
  // restore-capacity, services: why a person must look
  'spot-shortage': 'Fargate has no Spot capacity, and no fallback is configured for the service.',
  'fallback-unfit': 'The paired service cannot stand in, or is not there.',
  'not-switchable': 'The strategy of the service cannot be switched safely.',
  'on-demand-short': 'On-demand tasks that were asked for do not start either.',

  // restore-capacity, groups: why it acts
  'pool-depleted': 'EC2 takes back, or lacks, Spot capacity of one type in one Availability Zone.',
  'mass-interruption': 'EC2 takes back Spot capacity from two pools or more, or a fifth of the group.',
  'return-to-spot': 'Spot has been quiet for half an hour; the on-demand base goes back by a step.',
  // restore-capacity, groups: why it waits
  'fallback-in-force': 'The on-demand base is raised; it goes back when Spot has been quiet for half an hour.',
  // restore-capacity, groups: why it leaves the group alone
  'pools-hold': 'No Spot pool of the group is depleted, or the group has all it wants in spite of it.',
  'on-demand-already': 'The group replaces what Spot loses on demand by itself.',
  'group-gone': 'The Auto Scaling group does not exist any more, or is being deleted.',
  // restore-capacity, groups: why a person must look
  'no-on-demand-base': 'Spot lacks, and the group has no on-demand base that can be raised alone.',
  'fallback-limit': 'Spot lacks, and the on-demand base is as high as it may be.',

  // tune-alarms: why it acts
  'make-alarms': 'Alarms that the resource should have do not exist; they are made.',
  'retune-alarms': 'An alarm does not fit the shards, the node type or the settings any more; only that is changed.',
  'remove-alarms': 'Alarms whose resource, node or opt-in is gone; they are deleted.',
  // tune-alarms: why it leaves the alarms alone
  'alarms-right': 'Every alarm of the resource exists and fits.',
  // tune-alarms: why a person must look
  'alarm-name-taken': 'An alarm that Reflex did not make has the name; it is left alone.',
  'alarm-quota': 'The account has as many alarms as its quota allows.',

  // check-site: why it waits
  'site-failed-once': 'One check failed; a second in a row is told.',
  // check-site: why it leaves the site alone
  'site-well': 'The site answers as it should.',
  'site-still-failing': 'The site fails as it did when people were told.',
  // check-site: why a person must look
  'site-failing': 'Two checks in a row failed.',
  'certificate-expiring': 'The certificate of the site is about to expire.',
} as const;

export type Reason = keyof typeof reasons;

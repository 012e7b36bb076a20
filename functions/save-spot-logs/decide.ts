import { type Act, type Decision, defer, type Escalate, escalate, skip } from '../../shared/decision.ts';
import { parseWorkItem, RESCUE_TAGS } from '../../shared/spot-logs.ts';
import { quoted } from '../../shared/words.ts';
import {
  drainCalls,
  type HostCall,
  heartbeat,
  keepCalls,
  release,
  shipCalls,
  tagCalls,
  tagList,
  whatIs,
  workItem,
} from './calls.ts';
import { logDevicesOf } from './devices.ts';
import {
  type Container,
  type Device,
  type Hook,
  type Host,
  type InstanceSituation,
  isUnderWay,
  type Known,
  type Memory,
} from './facts.ts';
import { type Ending, endingOf, heeding, TWO_MINUTES } from './notices.ts';
import type { Policy } from './policy.ts';

export type { HostCall } from './calls.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Acts that try to keep or tag one after the other. */
const TRIES_AT_MOST = 6;
/** EC2 has not taken an instance by then: it spares it. */
const OUTLIVED = 30 * MINUTE;
/** A recommendation that nothing followed is forgotten. */
const ARMED_AT_MOST = 24 * HOUR;
/** After the notice the host is looked at again at these times. */
const LOOKS = [20 * SECOND, 60 * SECOND, 115 * SECOND, 150 * SECOND, 5 * MINUTE, 15 * MINUTE, OUTLIVED + 5 * SECOND];
/** What waits at a hook is looked at so often, and thrice in each of the hook's timeouts. */
const HOOK_LOOK = 20 * SECOND;
/** The shortest HeartbeatTimeout a hook can have; taken where it is not known. */
const SHORTEST_HOOK = 30;
/** Looks come due together, so that one read serves many hosts. */
const TOGETHER = 10 * SECOND;

/** What every rule looks at: the facts, and what follows from them and from what is remembered. */
interface View {
  readonly facts: InstanceSituation;
  readonly policy: Policy;
  readonly now: number;
  readonly memory: Memory;
  readonly ending: Ending;
  readonly devices: readonly Device[];
}

type Rule = (view: View) => Decision<HostCall> | undefined;

/**
 * What to do about an instance, from facts alone. Pure and total: the first rule that has an answer gives it. `now` is epoch ms.
 * Reasons: docs/reasons.md; times and their sources: docs/save-spot-logs.md.
 */
export const decide = (facts: InstanceSituation, policy: Policy, now: number): Decision<HostCall> => {
  const memory = heeding(facts.ledger.remembered, facts.notices);
  const known = withoutReleased(memory, facts);
  const isReleased = (memory.hooks ?? []).length > 0 && known.hooks?.length === 0 && known.interruption === undefined;
  const told = endingOf(isReleased ? memory : known, policy.onRebalance === 'drain', now);
  // What held it is over, and it goes: all that is left to do is to keep its volumes.
  const ending = isReleased && told !== null ? { ...told, hooks: [], ship: null, drainUntil: null } : told;
  if (ending === null || (facts.trigger === 'tick' && facts.ledger.incident === null))
    return disarmed(facts, now, known);
  const devices = logDevicesOf(facts.devices, policy.logDevices);
  const view = { facts, policy, now, memory: isReleased ? memory : known, ending, devices };
  for (const rule of rules) {
    const decision = rule(view);
    if (decision !== undefined) return decision;
  }
  return isReleased
    ? skip('host-left', 'No lifecycle hook holds the instance any more; it is being terminated.', known)
    : skip('logs-armed', `${keptWords(view)}; the instance lives on.`, known);
};

/** Hooks at which the instance does not wait any more. */
const withoutReleased = (memory: Memory, { host }: InstanceSituation): Memory => {
  const group = whatIs(host?.group);
  if (memory.hooks === undefined || group === undefined) return memory;
  const waits = group !== null && ['Terminating', 'Terminating:Wait'].includes(group.lifecycleState ?? '');
  return waits ? memory : { ...memory, hooks: [] };
};

// --- Nothing is about to happen, or not any more ---

/** A recommendation that nothing followed for a day: the tag goes, what else tells of the volume stays, and so does the volume. */
const disarmed = ({ host, state, instanceId }: InstanceSituation, now: number, memory: Memory): Decision<HostCall> => {
  const stale = Object.entries(whatIs(host?.volumes) ?? {}).filter(([, tags]) => isStale(tags, instanceId, now));
  if (state !== 'running' || stale.length === 0) return skip('logs-armed', 'Nothing to disarm.');
  const volumes = stale.map(([volume]) => volume);
  return act(
    'disarm-logs',
    `The instance has outlived its recommendation by a day; ${volumes.join(', ')} stays, and is no work for the rescue any more.`,
    [{ call: 'DeleteTags', params: { Resources: volumes, Tags: [{ Key: RESCUE_TAGS.rescue }] } }],
    { ...(memory.outlived && { outlived: true }) },
    now + MINUTE,
  );
};

const isStale = (tags: Readonly<Record<string, string>>, instanceId: string, now: number): boolean => {
  if (tags[RESCUE_TAGS.rescue] !== 'armed' || tags[RESCUE_TAGS.instance] !== instanceId) return false;
  try {
    const item = parseWorkItem(tags);
    return item !== null && now - item.since > ARMED_AT_MOST;
  } catch {
    return false;
  }
};

/** EC2 did not take it after all: its volumes are armed, so that the rescue does not wait for them. */
const outlived: Rule = ({ facts, memory, ending, now, devices, policy }) => {
  const { interruption } = memory;
  if (interruption === undefined || facts.state !== 'running' || now - interruption.at < OUTLIVED) return undefined;
  const { interruption: _over, commands: _done, tries: _all, sends: _sent, unsafe: _last, ...rest } = memory;
  const tags = tagCalls(facts, devices, { ...ending, rescue: 'armed' }, rest, policy);
  const pending = Object.entries(whatIs(facts.host?.volumes) ?? {})
    .filter(([, tags]) => tags[RESCUE_TAGS.rescue] === 'pending' && tags[RESCUE_TAGS.instance] === facts.instanceId)
    .map(([volume]) => volume);
  const Tags = tagList({ [RESCUE_TAGS.rescue]: 'armed' });
  const calls: HostCall[] = [
    ...keepCalls(facts, devices),
    ...tags,
    ...pending.map((volume) => ({ call: 'CreateTags' as const, params: { Resources: [volume], Tags } })),
  ];
  const why = 'Half an hour after the notice the instance still runs. What was drained or detached stays so.';
  return calls.length === 0
    ? skip('notice-outlived', why, { ...rest, outlived: true })
    : act('notice-outlived', why, calls, { ...rest, tagged: 'armed', outlived: true }, now + MINUTE);
};

const left: Rule = (view) => {
  const { facts, memory } = view;
  const { state, host, devices } = facts;
  const unsafe = unsafeOf(view);
  const gone = state === 'terminated' || (state === 'shutting-down' && host !== null && unsafe.length === 0);
  if (gone && (devices.length === 0 || host !== null)) {
    const rest =
      memory.tagged === undefined ? 'no log volume of it was kept' : 'what was kept of it is left to the rescue';
    return notSafe(view, unsafe) ?? unsaved(view) ?? skip('host-left', `The instance is ${state}; ${rest}.`, memory);
  }
  return undefined;
};

/** Its volumes stay with it, and are kept: who cancels its Spot request terminates it. */
const stopped: Rule = ({ facts: { state }, memory, ending, now }) =>
  memory.interruption !== undefined &&
  ending.hooks.length === 0 &&
  ['stopping', 'stopped'].includes(state) &&
  now - ending.since > TWO_MINUTES
    ? skip('host-left', `The instance is ${state}; its volumes stay with it.`, memory)
    : undefined;

/** What lies on instance store, or on a volume nobody named, is gone with the host; only the host itself could have shipped it. */
const unsaved = ({ facts, memory, policy }: View): Escalate | undefined => {
  const neverSent = facts.host === null && memory.commands === undefined;
  const command = neverSent ? null : whatIs(facts.host?.command);
  if (memory.tagged !== undefined || policy.logPaths.length === 0 || command === undefined) return undefined;
  if (command?.status === 'Success') return undefined;
  const shipping = command === null ? 'no command was sent' : `the command that ships them is ${command.status}`;
  return {
    ...escalate(
      'logs-unrecoverable',
      `${facts.instanceId} is ${facts.state}, no volume at ${policy.logDevices.join(' ') || 'any device'} was kept, and ${shipping}: ${policy.logPaths.join(' ')} is lost, unless it lay on a volume that outlives the instance by itself.`,
      'Put logs on an EBS volume and name its device in reflex:log-devices; or see on the host why Run Command does not reach it.',
    ),
    remember: memory,
  };
};

// --- Everything that is still to be done, at once ---

const work: Rule = (view) => {
  const { facts, policy, now, memory, ending, devices } = view;
  const tries = memory.tries ?? 0;
  const persists = tries >= TRIES_AT_MOST;
  const urgent =
    persists && !isPressing(view)
      ? []
      : [...keepCalls(facts, devices), ...tagCalls(facts, devices, ending, memory, policy)];
  const ships = shipCalls(facts, ending, memory, policy, now);
  const drains = drainsNow(view) && facts.host !== null ? drainCalls(facts, facts.host, ending, policy) : [];
  const hooks = hookCalls(view, urgent.length > 0);
  const calls = [...urgent, ...ships, ...drains, ...hooks.calls];
  if (calls.length === 0) return undefined;
  const [ship] = ships;
  return act(
    reasonOf(view, urgent.length + ships.length > 0, hooks),
    sentence(view, calls),
    calls,
    {
      ...memory,
      ...(devices.length > 0 && { tagged: ending.rescue }),
      ...(urgent.length + ships.length > 0 && { tries: tries + 1 }),
      ...(ship?.call === 'SendCommand' &&
        ending.ship !== null && {
          commands: { ...memory.commands, [ending.ship.phase]: now },
          sends: (memory.sends ?? 0) + 1,
        }),
      ...(hooks.beats && { heartbeatAt: now }),
      // EC2 does not keep what is shutting down already, and may be faster than the next look.
      ...((tries > 0 || facts.state === 'shutting-down') && { unsafe: unsafeOf(view) }),
    },
    urgent.length > 0 && facts.host !== null && !persists ? together(now + SECOND) : nextLook(view, true),
  );
};

const reasonOf = (view: View, saves: boolean, { releases }: { releases: boolean }): Act['reason'] => {
  if (saves) return view.ending.rescue === 'pending' ? 'save-logs' : 'arm-logs';
  if (releases) return 'release-hook';
  return drainsNow(view) ? 'drain-host' : 'hold-hook';
};

const drainsNow = ({ facts, ending, now }: View): boolean =>
  ending.drainUntil !== null && now <= ending.drainUntil && ['running', 'pending'].includes(facts.state);

const hookCalls = (
  view: View,
  saving: boolean,
): { readonly calls: HostCall[]; readonly beats: boolean; readonly releases: boolean } => {
  const { facts, ending, now, memory } = view;
  const { hooks } = ending;
  if (hooks.length === 0 || facts.host === null) return { calls: [], beats: false, releases: false };
  if (now >= ending.holdUntil || (!saving && !isBusy(view))) {
    return { calls: hooks.map((hook) => release(hook, facts.instanceId)), beats: false, releases: true };
  }
  const due = hooks.filter((hook) => now - Math.max(hook.at, memory.heartbeatAt ?? 0) >= timeoutOf(view, hook) / 2);
  return { calls: due.map((hook) => heartbeat(hook, facts.instanceId)), beats: due.length > 0, releases: false };
};

/** ms. */
const timeoutOf = ({ facts }: View, { hook }: Hook): number =>
  (whatIs(facts.host?.group)?.heartbeatTimeouts[hook] ?? SHORTEST_HOOK) * SECOND;

/** Tasks still run, or logs are still shipped, or one of them cannot be told. */
const isBusy = ({ facts: { host }, memory, now }: View): boolean => {
  if (host === null) return true;
  const container = whatIs(host.container);
  if (container === undefined || (container !== null && tasksOn(container) !== 0)) return true;
  const command = whatIs(host.command);
  const sentAt = memory.commands?.interruption;
  if (command === undefined) return true;
  const unseen =
    sentAt !== undefined && now - sentAt < HOOK_LOOK / 2 && (command === null || command.at < sentAt - HOOK_LOOK);
  return unseen || (command !== null && isUnderWay(command.status));
};

/** null: not known. */
const tasksOn = ({ tasks }: Container): number | null => whatIs(tasks)?.length ?? null;

// --- All that could be done is done. Is it over? ---

const givenUp: Rule = (view) =>
  (view.memory.tries ?? 0) >= TRIES_AT_MOST && !isPressing(view) ? notSafe(view, unsafeOf(view)) : undefined;

/** There is more to do for the host than for its volumes: what they lack is tried at each of its looks, and told when it is over. */
const isPressing = (view: View): boolean => drainsNow(view) || view.ending.hooks.length > 0;

/** Log devices that would go with the instance, or stay where the rescue does not find them; of a dead one, as last seen. */
const unsafeOf = ({ facts: { devices: shown, host, instanceId }, devices, memory }: View): readonly Device[] => {
  if (shown.length === 0) return memory.unsafe ?? [];
  const volumes = whatIs(host?.volumes);
  const isLost = (volume: string) => volumes !== undefined && volumes[volume]?.[RESCUE_TAGS.instance] !== instanceId;
  return devices.filter(({ volume, deleteOnTermination }) => deleteOnTermination || isLost(volume));
};

const namesOf = (devices: readonly Device[]): string =>
  devices.map(({ name, volume }) => `${name} (${volume})`).join(', ');

const notSafe = ({ facts, memory, ending, policy }: View, unsafe: readonly Device[]): Escalate | undefined => {
  const { instanceId, state } = facts;
  if (unsafe.length === 0) return undefined;
  const tried = `${memory.tries ?? 0} tries failed; the instance is ${state}.`;
  const mortal = unsafe.filter(({ deleteOnTermination }) => deleteOnTermination);
  const tag = unsafe
    .map((device) => JSON.stringify(workItem(facts, device, ending, policy)))
    .map((item) => `aws ec2 create-tags --cli-input-json ${quoted(item)}`)
    .join(' && ');
  if (mortal.length === 0) {
    const why = `${namesOf(unsafe)} is kept, but the rescue does not find it: ${tried}`;
    return escalate('volume-not-tagged', why, tag, memory);
  }
  const mappings = mortal.map(({ name }) => ({ DeviceName: name, Ebs: { DeleteOnTermination: false } }));
  return escalate(
    'volume-not-kept',
    `${namesOf(mortal)} goes with the instance: ${tried}`,
    state === 'terminated'
      ? 'Where the volume is gone, what the host did not ship is lost.'
      : `aws ec2 modify-instance-attribute --instance-id ${instanceId} --block-device-mappings ${quoted(JSON.stringify(mappings))} && ${tag}`,
    memory,
  );
};

/** The host is on its way, or what came first left the second look for later. */
const leaving: Rule = (view) => {
  const { facts, memory, ending } = view;
  const first = facts.host === null && facts.trigger === 'event';
  const goes = memory.interruption !== undefined && memory.interruption.action !== 'hibernate';
  if (!first && ending.hooks.length === 0 && !goes && !(drainsNow(view) && isUnread(view))) return undefined;
  const { unsafe: _, ...rest } = memory;
  return defer('host-leaving', nextLook(view, isUnread(view)), `${keptWords(view)}. ${leavingWords(view)}`, rest);
};

/** What could not be read may still hold something to drain. */
const isUnread = ({ facts: { host } }: View): boolean => unreadIn(host).some((name) => name !== 'command');

const unreadIn = (host: Host | null): (keyof Host)[] =>
  (['group', 'container', 'targets', 'balancers', 'volumes', 'command'] as const).filter(
    (name) => host !== null && 'unknown' in host[name],
  );

/** Epoch ms. `soon`: something was done that is to be verified, or could not be read. */
const nextLook = (view: View, soon: boolean): number => {
  const { facts, ending, now, memory } = view;
  if (facts.host === null) return now;
  const hookLook = Math.min(HOOK_LOOK, ...ending.hooks.map((hook) => timeoutOf(view, hook) / 3));
  const looks = [
    ...(ending.hooks.length > 0 ? [Math.min(now + hookLook, Math.max(now + SECOND, ending.holdUntil))] : []),
    ...(memory.interruption !== undefined ? LOOKS.map((after) => ending.since + after) : []),
    ...(soon ? [now + HOOK_LOOK] : []),
  ];
  const next = Math.min(...looks.filter((at) => at > now), now + 10 * MINUTE);
  return hookLook < HOOK_LOOK ? next : together(next);
};

const together = (at: number): number => Math.ceil(at / TOGETHER) * TOGETHER;

/** First match wins. */
const rules: readonly Rule[] = [outlived, left, work, givenUp, stopped, leaving];

// --- Words and small parts ---

const act = (
  reason: Act['reason'],
  why: string,
  calls: readonly HostCall[],
  remember: Memory,
  followUpAt: number,
): Act<HostCall> => ({ kind: 'act', reason, why, calls, coolDownMs: 0, planned: true, followUpAt, remember });

const sentence = (view: View, calls: readonly HostCall[]): string =>
  `${noticeWords(view)} ${calls.map(callWords).join('; ')}.${missingWords(view)}`;

const noticeWords = ({ memory, facts, now }: View): string => {
  const { interruption, change } = memory;
  if (interruption !== undefined) {
    const age = Math.max(0, Math.round((now - interruption.at) / SECOND));
    const late = now - interruption.at > TWO_MINUTES ? ', too late for more than its volumes' : '';
    const unknown = ['terminate', 'stop', 'hibernate'].includes(interruption.action)
      ? ''
      : ', which Reflex does not know: its volumes are kept, and nothing else is done';
    return `EC2 said ${age} s ago that it takes the instance (${interruption.action}${unknown}${late}).`;
  }
  const [hook] = memory.hooks ?? [];
  if (hook !== undefined) return `Auto Scaling group ${hook.group} terminates the instance.`;
  if (memory.rebalanceAt !== undefined) return 'EC2 sees the instance at elevated risk.';
  return `EC2 ends ${facts.instanceId} (${change?.code}).`;
};

const callWords = ({ call, params }: HostCall): string => {
  switch (call) {
    case 'ModifyInstanceAttribute':
      return `keep ${params.BlockDeviceMappings.map(({ DeviceName, Ebs }) => `${DeviceName} (${Ebs.VolumeId})`).join(', ')}`;
    case 'CreateTags':
    case 'DeleteTags':
      return `tag ${params.Resources.join(', ')}`;
    case 'SendCommand':
      return `ship ${params.Parameters.source.join(' ')}`;
    case 'UpdateContainerInstancesState':
      return 'drain the ECS container instance';
    case 'StopTask':
      return `stop standalone task ${params.task.slice(params.task.lastIndexOf('/') + 1)}`;
    case 'DetachInstances':
      return `have ${params.AutoScalingGroupName} replace it`;
    case 'DeregisterTargets':
      return `deregister ${params.Targets.length} of its ports from ${params.TargetGroupArn.split('/')[1]}`;
    case 'DeregisterInstancesFromLoadBalancer':
      return `deregister it from ${params.LoadBalancerName}`;
    case 'RecordLifecycleActionHeartbeat':
      return `hold hook ${params.LifecycleHookName}`;
    case 'CompleteLifecycleAction':
      return `release hook ${params.LifecycleHookName}`;
  }
};

const missingWords = ({ devices, facts, policy }: View): string => {
  const roots = facts.devices
    .filter(({ root, name }) => root && policy.logDevices.includes(name))
    .map(({ name }) => name);
  const isRoot = roots.length > 0 ? ` ${roots.join(', ')} is the root device: kept only with the word root.` : '';
  const none =
    devices.length === 0 && policy.logDevices.length > 0
      ? ` No volume at ${policy.logDevices.join(' ')}: only what the host ships is saved.`
      : '';
  return `${none}${isRoot}`;
};

const keptWords = (view: View): string => {
  const unsafe = unsafeOf(view);
  const some = (what: string, devices: readonly Device[]): string[] =>
    devices.length === 0 ? [] : [`${devices.map(({ volume }) => volume).join(', ')} ${what}`];
  const words = [
    ...some(
      'kept and tagged',
      view.devices.filter((device) => !unsafe.includes(device)),
    ),
    ...some(
      'NOT kept',
      unsafe.filter(({ deleteOnTermination }) => deleteOnTermination),
    ),
    ...some(
      'kept and NOT tagged',
      unsafe.filter(({ deleteOnTermination }) => !deleteOnTermination),
    ),
  ];
  return words.join(', ') || 'No log volume';
};

const unknownIn = (known: Known<unknown> | undefined): string =>
  known !== undefined && 'unknown' in known ? known.unknown : '';

const leavingWords = ({ facts, now, ending }: View): string => {
  const { host } = facts;
  const container = whatIs(host?.container);
  const tasks = container && tasksOn(container) !== null ? `, ${tasksOn(container)} tasks on it` : '';
  const drained = container ? `container instance ${container.status}${tasks}; ` : '';
  const command = whatIs(host?.command);
  const shipping = command === undefined ? 'not known' : (command?.status ?? 'not sent');
  const unread = unreadIn(host).map((name) => `${name} (${unknownIn(host?.[name])})`);
  const why = unread.length === 0 ? '' : ` Could not be read: ${unread.join(', ')}.`;
  return `${Math.round((now - ending.since) / SECOND)} s after the notice it is ${facts.state}; ${drained}shipping: ${shipping}.${why}`;
};

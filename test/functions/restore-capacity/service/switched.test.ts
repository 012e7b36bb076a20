import { describe, expect, it } from 'vitest';
import { decide } from '../../../../functions/restore-capacity/service/decide.ts';
import type { Memory, Strategy, SwitchedStandIn } from '../../../../functions/restore-capacity/service/facts.ts';
import type { Decision } from '../../../../shared/decision.ts';
import { at } from '../../../support/event-builders.ts';
import { policy as paired, situation } from '../../../support/restore-capacity.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const policy = { ...paired, mode: 'strategy', fallbackService: null, fallbackMode: 'strategy' } as const;
/** Base, weight and order are all somebody's choice. */
const original: Strategy = [
  { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 3 },
  { capacityProvider: 'FARGATE', base: 2, weight: 1 },
];
const onDemand: Strategy = [
  { capacityProvider: 'FARGATE', base: 0, weight: 1 },
  { capacityProvider: 'FARGATE_SPOT', base: 0, weight: 0 },
];
const providers = ['FARGATE', 'FARGATE_SPOT'];
const short = { running: 6, strategy: original };

const standIn = (overrides: Partial<SwitchedStandIn> = {}): Memory => ({
  level: 0,
  standIn: {
    mode: 'strategy',
    since: at - 2 * HOUR,
    original,
    standIn: onDemand,
    probing: false,
    rolledAt: at - 30 * MINUTE,
    ...overrides,
  },
});

const probing = (overrides: Partial<SwitchedStandIn> = {}): Memory =>
  standIn({ probing: true, rolledAt: at - 20 * MINUTE, ...overrides });

const later = (memory: Memory, more: Parameters<typeof situation>[0] = {}) =>
  situation({
    trigger: 'follow-up',
    pair: null,
    providers,
    memory,
    openedAt: at - 2 * HOUR,
    lastActAt: at - 20 * MINUTE,
    ...more,
  });

const strategyOf = (decision: Decision): unknown =>
  decision.kind === 'act' ? decision.calls.map(({ params }) => params) : [];

const standInOf = (decision: Decision) => (decision.remember as Memory | undefined)?.standIn;

const cluster = 'arn:aws:ecs:eu-west-1:111122223333:cluster/prod';

describe('a strategy switch', () => {
  const begin = (service = {}, more: Parameters<typeof situation>[0] = {}) =>
    decide(situation({ service: { ...short, ...service }, pair: null, providers, ...more }), policy, at);

  it('runs every task on demand by a forced deployment, and stores the original ahead of it', () => {
    const decision = begin();

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback', coolDownMs: 0 });
    expect(strategyOf(decision)).toEqual([
      { cluster, service: 'web', capacityProviderStrategy: onDemand, forceNewDeployment: true },
    ]);
    expect(standInOf(decision)).toMatchObject({ original, standIn: onDemand, unverified: true, rolledAt: at });
  });

  it.each([
    ['CodeDeploy', { controller: 'CODE_DEPLOY' }, 'CODE_DEPLOY'],
    ['an external controller', { controller: 'EXTERNAL' }, 'EXTERNAL'],
    ['blue/green deployments', { deploymentStrategy: 'BLUE_GREEN' }, 'BLUE_GREEN'],
    ['a way of deploying that is not known', { deploymentStrategy: 'SPIRAL' }, 'SPIRAL'],
    ['deployments that stop tasks first', { minimumHealthyPercent: 50 }, 'minimumHealthyPercent 50'],
  ])('is refused with %s, and says why', (_, service, text) => {
    const decision = begin(service);

    expect(decision).toMatchObject({ kind: 'escalate', reason: 'not-switchable' });
    expect(decision.why).toContain(text);
    expect(decision).toHaveProperty('advice', expect.stringContaining('reflex:fallback-service'));
  });

  it('is refused where the cluster has no on-demand provider; its providers are never changed', () => {
    const decision = begin({}, { providers: ['FARGATE_SPOT'] });
    expect(decision).toMatchObject({ kind: 'escalate', reason: 'not-switchable' });
    expect(decision.why).toContain('no capacity provider FARGATE');
  });

  it('is refused where more would run on demand than reflex:fallback-max', () => {
    const limited = (fallbackMax: number) =>
      decide(situation({ service: short, pair: null, providers }), { ...policy, fallbackMax }, at);
    expect(limited(9)).toMatchObject({ kind: 'escalate', reason: 'not-switchable' });
    expect(limited(10).kind).toBe('act');
  });

  it('supersedes no deployment, and tells a person after half an hour', () => {
    expect(begin({ deploying: true })).toMatchObject({ kind: 'defer', reason: 'deployment-in-progress' });
    const old = begin({ deploying: true }, { openedAt: at - 30 * MINUTE, trigger: 'follow-up' });
    expect(old).toMatchObject({ kind: 'escalate', reason: 'deployment-in-progress' });
  });
});

describe('while every task runs on demand', () => {
  const inPlace = { strategy: onDemand, running: 10 };

  it.each([
    [0, 30 * MINUTE],
    [1, HOUR],
    [2, 2 * HOUR],
    [9, 6 * HOUR],
  ])('Spot is tried again after level %i: %i ms, by the original strategy to the letter', (level, wait) => {
    const memory = (rolledAt: number) => ({
      ...standIn({ rolledAt, wholeSince: at - 20 * MINUTE, since: at - 7 * HOUR }),
      level,
    });
    const early = decide(later(memory(at - wait + 1), { service: inPlace }), policy, at);
    expect(early).toMatchObject({ kind: 'defer', reason: 'spot-short', until: at + 1 });

    const due = decide(later(memory(at - wait), { service: inPlace }), policy, at);
    expect(due).toMatchObject({ kind: 'act', reason: 'spot-failback' });
    expect(strategyOf(due)).toEqual([
      { cluster, service: 'web', capacityProviderStrategy: original, forceNewDeployment: true },
    ]);
  });

  it('on-demand tasks that do not start either are told of after half an hour', () => {
    const lacking = (minutes: number) =>
      decide(
        later(standIn({ rolledAt: at - HOUR, shortSince: at - minutes * MINUTE }), {
          service: { ...inPlace, running: 4 },
        }),
        policy,
        at,
      );

    expect(lacking(29)).toMatchObject({ kind: 'defer', reason: 'spot-short' });
    expect(lacking(30)).toMatchObject({ kind: 'escalate', reason: 'on-demand-short' });
    expect(standInOf(lacking(30))).toMatchObject({ original, probing: false });
  });

  it('Spot is not tried while tasks are lacking, or somebody deploys', () => {
    const memory = standIn({ wholeSince: at - MINUTE });
    const lacking = decide(later(memory, { service: { ...inPlace, running: 9 } }), policy, at);
    expect(lacking).toMatchObject({ kind: 'defer', reason: 'spot-short' });

    const busy = decide(later(memory, { service: { ...inPlace, deploying: true } }), policy, at);
    expect(busy).toMatchObject({ kind: 'defer', reason: 'deployment-in-progress' });
  });

  it('a strategy that Reflex did not set is somebody else’s: nothing is restored over it', () => {
    const strategy = [{ capacityProvider: 'FARGATE', base: 1, weight: 1 }];
    const decision = decide(later(standIn(), { service: { running: 10, strategy } }), policy, at);

    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-released', remember: { released: at } });
    expect(decision.why).toContain('capacityProvider=FARGATE_SPOT,base=0,weight=3');
  });

  it('the original set back by somebody else is theirs, too', () => {
    const decision = decide(later(standIn(), { service: { running: 10, strategy: original } }), policy, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
  });

  it('rows in another order are the same strategy', () => {
    const strategy = [...onDemand].reverse();
    const decision = decide(later(standIn(), { service: { running: 10, strategy } }), policy, at);
    expect(decision.reason).toBe('spot-failback');
  });

  it('a call that was lost is made again, as a try that failed', () => {
    const memory = standIn({ unverified: true, rolledAt: at - MINUTE });
    const decision = decide(later(memory, { service: short }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback', planned: false });
    expect(strategyOf(decision)).toEqual([expect.objectContaining({ capacityProviderStrategy: onDemand })]);
    expect(standInOf(decision)).toMatchObject({ original });
  });

  it.each([
    ['what stands in', standIn, 'spot-short'],
    ['a probe', probing, 'spot-settling'],
  ] as const)(
    '%s may not show for half a minute: no second deployment is forced, and nobody else suspected',
    (_, of, reason) => {
      const memory = (rolledAt: number) => of({ unverified: true, rolledAt });
      const strategy = of === standIn ? original : onDemand;
      const foreign = [{ capacityProvider: 'FARGATE', base: 1, weight: 1 }];
      for (const shown of [strategy, foreign]) {
        const service = { ...short, strategy: shown };
        const young = decide(later(memory(at - 29_999), { service, trigger: 'event' }), policy, at);
        expect(young).toMatchObject({ kind: 'defer', reason, until: at + 1 });
        expect(decide(later(memory(at - 30_000), { service }), policy, at).kind).not.toBe('defer');
      }
    },
  );

  it('a tag that asks for something else ends it', () => {
    const decision = decide(later(standIn(), { service: inPlace }), { ...policy, mode: 'notify' }, at);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'fallback-released' });
  });
});

describe('a service that may not be switched any more', () => {
  it.each([
    ['Spot is tried again', standIn({ wholeSince: at - MINUTE }), onDemand, 10, original],
    ['a probe is taken back', probing({ failedAt: at - MINUTE }), original, 6, onDemand],
    ['a lost call is made again', standIn({ unverified: true }), original, 6, onDemand],
  ])('is left to a person when %s: the deployment would do harm', (_, memory, strategy, running, next) => {
    const service = { strategy, running, deploying: running < 10 };
    expect(decide(later(memory, { service }), policy, at).kind).toBe('act');
    for (const change of [{ minimumHealthyPercent: 50 }, { deploymentStrategy: 'BLUE_GREEN' }]) {
      const decision = decide(later(memory, { service: { ...service, ...change } }), policy, at);

      expect(decision).toMatchObject({ kind: 'escalate', reason: 'not-switchable' });
      const rows = next.map((row) => `capacityProvider=${row.capacityProvider},base=${row.base},weight=${row.weight}`);
      expect(decision).toHaveProperty(
        'advice',
        expect.stringContaining(`--capacity-provider-strategy ${rows.join(' ')} --force-new-deployment`),
      );
      expect(standInOf(decision)).toMatchObject({ original });
    }
  });
});

describe('a probe', () => {
  const back = { strategy: original, running: 10 };

  it('has succeeded when all tasks have run for ten minutes', () => {
    const memory = (since: number) => probing({ wholeSince: since });
    expect(decide(later(memory(at - 9 * MINUTE), { service: back }), policy, at)).toMatchObject({
      kind: 'defer',
      reason: 'spot-settling',
    });
    expect(decide(later(memory(at - 10 * MINUTE), { service: back }), policy, at)).toMatchObject({
      kind: 'skip',
      reason: 'resolved',
      remember: { level: 0, endedAt: at },
    });
  });

  it('has not succeeded within 15 minutes, so that a shortage right after it forces no second deployment within them', () => {
    const memory = (rolledAt: number) => probing({ rolledAt, wholeSince: rolledAt });
    expect(decide(later(memory(at - 14 * MINUTE), { service: back }), policy, at)).toMatchObject({
      kind: 'defer',
      reason: 'spot-settling',
    });
    expect(decide(later(memory(at - 15 * MINUTE), { service: back }), policy, at)).toMatchObject({
      kind: 'skip',
      reason: 'resolved',
    });
  });

  it('has not succeeded while its deployment is in progress, steady as the service is', () => {
    const memory = probing({ wholeSince: at - 19 * MINUTE });
    const decision = decide(later(memory, { service: { ...back, deploying: true } }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
  });

  const starved = { ...back, deploying: true };

  it('that finds no Spot capacity is taken back, and the next one waits twice as long', () => {
    const decision = decide(later(probing(), { service: starved, trigger: 'event' }), policy, at);

    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-fallback' });
    expect(strategyOf(decision)).toEqual([
      { cluster, service: 'web', capacityProviderStrategy: onDemand, forceNewDeployment: true },
    ]);
    expect(decision).toHaveProperty('remember.level', 1);
    expect(standInOf(decision)).toMatchObject({ probing: false, original });
  });

  it('is not taken back within 15 minutes, and the failure is not forgotten until then', () => {
    const young = probing({ rolledAt: at - 5 * MINUTE });
    const decision = decide(later(young, { service: starved, trigger: 'event' }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(standInOf(decision)).toMatchObject({ failedAt: at });

    const due = probing({ rolledAt: at - 15 * MINUTE, failedAt: at - 10 * MINUTE });
    expect(decide(later(due, { service: starved }), policy, at)).toMatchObject({
      kind: 'act',
      reason: 'spot-fallback',
    });
  });

  it('that fails once and then gets through has not failed', () => {
    const memory = probing({ failedAt: at - 10 * MINUTE });
    const decision = decide(later(memory, { service: back }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(standInOf(decision)).not.toHaveProperty('failedAt');
  });

  it('has not failed by an event that is older than it, delivered late', () => {
    const told = (toldAt: number) =>
      decide(later(probing(), { service: starved, trigger: 'event', toldAt }), policy, at);
    expect(told(at - 20 * MINUTE - 1)).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(told(at - 20 * MINUTE)).toMatchObject({ kind: 'act', reason: 'spot-fallback' });
  });

  it('has not failed by an event that the service does not confirm; the wait for it begins anew', () => {
    const memory = probing({ wholeSince: at - 19 * MINUTE });
    const decision = decide(later(memory, { service: back, trigger: 'event' }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-settling' });
    expect(standInOf(decision)).toMatchObject({ probing: true, wholeSince: at });
    expect(standInOf(decision)).not.toHaveProperty('failedAt');
  });

  it('that is not through after half an hour has failed, though no event says so', () => {
    const slow = (rolledAt: number) => decide(later(probing({ rolledAt }), { service: starved }), policy, at);
    expect(slow(at - 29 * MINUTE).kind).toBe('defer');
    expect(slow(at - 30 * MINUTE)).toMatchObject({ kind: 'act', reason: 'spot-fallback' });
  });

  it('is not taken back over somebody else’s deployment', () => {
    const others = { ...starved, deployedAt: at - 10 * MINUTE };
    const decision = decide(later(probing(), { service: others, trigger: 'event' }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'deployment-in-progress' });
  });

  it('that ECS itself rolled back has failed without a call of ours', () => {
    const decision = decide(later(probing(), { service: { strategy: onDemand, running: 10 } }), policy, at);
    expect(decision).toMatchObject({ kind: 'defer', reason: 'spot-short', remember: { level: 1 } });
    expect(standInOf(decision)).toMatchObject({ probing: false, original });
  });

  it('whose call was lost is made again', () => {
    const memory = probing({ unverified: true });
    const decision = decide(later(memory, { service: { strategy: onDemand, running: 10 } }), policy, at);
    expect(decision).toMatchObject({ kind: 'act', reason: 'spot-failback', planned: false });
    expect(strategyOf(decision)).toEqual([expect.objectContaining({ capacityProviderStrategy: original })]);
  });
});

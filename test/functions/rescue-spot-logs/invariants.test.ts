import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commandInvocation,
  instanceStateChange,
  snapshotNotification,
  taskStateChange,
} from '../../support/event-builders.ts';
import { type RescueFault, TASK_FATES } from '../../support/fake-aws/rescue-world.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { memoryTable } from '../../support/memory-table.ts';
import { rescuer, tick, useRescueAws } from '../../support/rescue-spot-logs.ts';

const aws = await useRescueAws();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const FAULTS: Readonly<Record<string, RescueFault>> = {
  throttled: new AwsError('RequestLimitExceeded', 'Request limit exceeded.', 503),
  denied: new AwsError('UnauthorizedOperation', 'You are not authorized.', 403),
  refused: new AwsError('IncorrectState', 'Not in this state.'),
  'hang-up': 'hang-up',
  lost: 'lost',
  crash: 'crash',
  'crash after': 'crash after',
};

/** The whole way, with trouble at one call of AWS, or of a port of the pipeline. */
const wholeWay = async (trouble: {
  call?: number;
  fault?: RescueFault;
  port?: number;
  crash?: 'crash' | 'crash after';
}) => {
  let ports = 0;
  let crashed = false;
  const rescue = rescuer(aws, {
    trouble: () => {
      if (crashed || ++ports !== trouble.port || trouble.crash === undefined) return 'none';
      crashed = true;
      return trouble.crash;
    },
  });
  const { instance } = aws.addVolume();
  aws.faults((_, n) => (n === trouble.call ? trouble.fault : undefined));
  await rescue.send(instanceStateChange(instance));
  for (let sweep = 0; sweep < 9 && aws.volumes.size + aws.snapshots.size > 0; sweep++) await rescue.sweeps(5 * MINUTE);
  return { rescue, calls: aws.calls.length, ports };
};

const cleaned = () => ({ lost: aws.lost, left: [...aws.volumes.keys(), ...aws.snapshots.keys()] });

describe('trouble at any single AWS call', () => {
  it.each(Object.entries(FAULTS))('(%s) loses no log, and the sweep ends what was begun', async (_, fault) => {
    const { calls } = await wholeWay({});
    expect(calls).toBeGreaterThan(30);

    for (let call = 1; call <= calls; call++) {
      await wholeWay({ call, fault });
      expect({ call, ...cleaned() }).toEqual({ call, lost: [], left: [] });
    }
  });
});

describe('a crash at any step of the pipeline', () => {
  it.each(['crash', 'crash after'] as const)('(%s) loses no log, and the sweep ends what was begun', async (crash) => {
    const { ports } = await wholeWay({});
    expect(ports).toBeGreaterThan(20);

    for (let port = 1; port <= ports; port++) {
      await wholeWay({ port, crash });
      expect({ port, ...cleaned() }).toEqual({ port, lost: [], left: [] });
    }
  });
});

describe('any trouble, in any order of events', () => {
  const fate = fc.constantFrom(...TASK_FATES);
  const step = fc.oneof(
    fc.record({
      kind: fc.constantFrom('terminated', 'snapshot', 'task', 'command', 'tick'),
      after: fc.nat(10 * MINUTE),
    }),
    fc.record({
      kind: fc.constantFrom('lose the ledger', 'lose a marker', 'lose the inbox'),
      after: fc.nat(10 * MINUTE),
    }),
  );
  const scenario = fc.record({
    tasks: fc.array(fate, { maxLength: 6 }),
    snapshots: fc.array(fc.constantFrom('completed' as const, 'error' as const), { maxLength: 3 }),
    places: fc.array(fc.boolean(), { maxLength: 4 }),
    faults: fc.dictionary(fc.nat(120).map(String), fc.constantFrom(...Object.values(FAULTS)), { maxKeys: 6 }),
    steps: fc.array(step, { minLength: 4, maxLength: 14 }),
  });

  it('deletes no volume whose logs are not in S3', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ tasks, snapshots, places, faults, steps }) => {
        const rescue = rescuer(aws);
        const { id, instance } = aws.addVolume();
        const [ownTasks, ownSnapshots, ownPlaces] = [[...tasks], [...snapshots], [...places]];
        aws.fates({
          task: () => ownTasks.shift() ?? 'good',
          snapshot: () => ownSnapshots.shift() ?? 'completed',
          place: () => ownPlaces.shift() ?? true,
        });
        aws.faults((_, n) => faults[n]);

        for (const { kind, after } of steps) {
          if (kind === 'terminated') await rescue.send(instanceStateChange(instance));
          if (kind === 'command') await rescue.send(commandInvocation(instance, { status: 'Failed' }));
          if (kind === 'snapshot') await rescue.send(snapshotNotification({ volume: id }));
          if (kind === 'task') await rescue.send(stoppedTask(id, rescue.world.now));
          if (kind === 'tick') await rescue.send(tick);
          if (kind === 'lose the ledger') Object.assign(rescue.world, { table: memoryTable() });
          if (kind === 'lose a marker') aws.objects.delete(`reflex-logs/spot-logs/_RESCUED/${id}.json`);
          if (kind === 'lose the inbox') rescue.world.inbox.length = 0;
          await rescue.run(after);
        }
        await rescue.sweeps(HOUR, 10 * MINUTE);

        expect(aws.lost).toEqual([]);
        const kept = aws.volumes.has(id);
        const proven = [...aws.objects.keys()].some((key) => key.endsWith(`_RESCUED/${id}.json`));
        if (!kept) expect(proven || steps.some(({ kind }) => kind === 'lose a marker')).toBe(true);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});

const stoppedTask = (volume: string, at: number) => {
  const event = taskStateChange({ stoppingAt: at });
  return { ...event, detail: { ...event.detail, startedBy: `rescue/${volume}`, lastStatus: 'STOPPED' } };
};

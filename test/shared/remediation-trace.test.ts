import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { alarmEvent, sqsBatch, streamArn } from '../support/event-builders.ts';
import { instance, thing, workshop } from '../support/fake-function.ts';
import { storedRecords } from '../support/fake-runtime.ts';
import { type SegmentDocument, startXrayDaemon, type XrayDaemon } from '../support/xray-daemon.ts';

const root = '1-68f3c1aa-0123456789abcdef01234567';
const orders = streamArn('orders');
const clicks = streamArn('clicks');

let daemon: XrayDaemon;
beforeAll(async () => {
  daemon = await startXrayDaemon();
});
afterAll(() => daemon.close());
beforeEach(() => {
  daemon.clear();
  vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', daemon.address);
  vi.stubEnv('_X_AMZN_TRACE_ID', `Root=${root};Parent=53995c3f42cd8ad8;Sampled=1`);
});

/** Segments by name, those below a stage as `stage/name`. */
async function traced(): Promise<Record<string, SegmentDocument>> {
  const all = await daemon.segments();
  const nameOf = ({ name, parent_id }: SegmentDocument): string => {
    const parent = all.find(({ id }) => id === parent_id);
    return parent === undefined ? name : `${nameOf(parent)}/${name}`;
  };
  return Object.fromEntries(all.map((segment) => [nameOf(segment), segment]));
}

describe('the trace of a message', () => {
  it('has a subsegment a stage, in order, and below it one a resource with what was decided', async () => {
    const { handler } = instance({ shop: workshop({ [orders]: thing(), [clicks]: thing(0) }) });

    const { outcomes } = await handler(sqsBatch(alarmEvent(), alarmEvent({ name: 'c', stream: 'clicks' })));

    const segments = await traced();
    const stages = ['receive', 'observe', 'decide', 'guard', 'act', 'record'];
    expect(Object.keys(segments).filter((name) => !name.includes('/'))).toEqual(stages);
    for (const stage of stages) {
      expect(segments[stage]).toMatchObject({ trace_id: root, parent_id: '53995c3f42cd8ad8' });
    }
    expect(segments['record/orders']?.annotations).toEqual({
      resource: orders,
      decision: 'act',
      reason: 'scale-up',
      mode: 'on',
      incident: outcomes[0]?.incidentId,
    });
    expect(segments['record/clicks']?.annotations).toEqual({
      resource: clicks,
      decision: 'skip',
      reason: 'within-band',
      mode: 'on',
    });
    expect(Object.keys(segments).toSorted()).toEqual(
      [...stages, 'decide/orders', 'decide/clicks', 'guard/orders', 'record/orders', 'record/clicks'].toSorted(),
    );
  });

  it('shows at each stage what it made of the decision', async () => {
    const { handler } = instance({ calendar: async () => ({ open: false, until: null }) });

    await handler(sqsBatch(alarmEvent()));

    const segments = await traced();
    expect(segments['decide/orders']?.annotations).toMatchObject({ decision: 'act', reason: 'scale-up' });
    expect(segments['guard/orders']?.annotations).toMatchObject({ decision: 'defer', reason: 'frozen' });
    expect(segments['record/orders']?.annotations).toMatchObject({ decision: 'defer', reason: 'frozen' });
  });

  it('is named in the record and the notification', async () => {
    const { handler, world } = instance();

    await handler(sqsBatch(alarmEvent()));

    expect(storedRecords(world)).toMatchObject([{ traceId: root }]);
    expect(world.told).toMatchObject([{ record: { traceId: root } }]);
  });

  it('changes no outcome where nobody listens', async () => {
    const [traced, silent] = [instance(), instance()];
    const result = await traced.handler(sqsBatch(alarmEvent()));
    vi.stubEnv('AWS_XRAY_DAEMON_ADDRESS', undefined);

    expect(await silent.handler(sqsBatch(alarmEvent()))).toEqual(result);
  });
});

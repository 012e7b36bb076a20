import { expect, it } from 'vitest';
import { bundlesOf } from '../../shared/events/reflex-bundle.ts';
import { remediation } from '../../shared/remediation.ts';
import { alarmEvent, sqsBatch, streamArn } from '../support/event-builders.ts';
import { fakeFunction, thing, workshop } from '../support/fake-function.ts';
import { fakeRuntime } from '../support/fake-runtime.ts';

const streams = (count: number): string[] => Array.from({ length: count }, (_, i) => `s${i}`);
const bundled = (names: readonly string[]) =>
  bundlesOf(names.map((stream) => alarmEvent({ stream }))).map(({ body }) => body);
const handled = (names: readonly string[], bodies: readonly string[], observe?: () => never) => {
  const runtime = fakeRuntime({ stormLimit: Number.POSITIVE_INFINITY });
  const shop = workshop(Object.fromEntries(names.map((name) => [streamArn(name), thing()])));
  const fn = fakeFunction(runtime, shop, observe === undefined ? {} : { observe });
  return { shop, result: remediation(fn, runtime)(sqsBatch(...bodies)) };
};

it('the events of a bundle are acted on, each once', async () => {
  const names = streams(3);

  const { shop, result } = handled(names, [...bundled(names), ...bundled(names.slice(0, 1))]);

  expect(await result).toMatchObject({ batchItemFailures: [] });
  expect(shop.acts.map(({ resource }) => resource).sort()).toEqual(names.map((name) => streamArn(name)));
});

it('a bundle of which several events fail is named once among the failures', async () => {
  const names = streams(3);

  const { result } = handled(names, bundled(names), () => {
    throw new Error('no');
  });

  const { batchItemFailures = [], failures } = await result;
  expect(failures).toHaveLength(3);
  expect(batchItemFailures).toHaveLength(1);
});

it('the answer to a batch stays below what Lambda takes, and every resource is acted on', async () => {
  const names = streams(4_100);

  const { shop, result } = handled(names, bundled(names));

  const answer = await result;
  expect(shop.acts).toHaveLength(4_100);
  expect(answer.outcomes).toHaveLength(4_000);
  expect(JSON.stringify(answer).length).toBeLessThan(6_000_000);
}, 30_000);

import { describe, expect, it } from 'vitest';
import {
  hasOtherSources,
  listEventSourceConsumers,
  putFunctionConcurrency,
  reservedConcurrency,
  unreservedConcurrency,
} from '../../../shared/aws/lambda.ts';
import { streamArn } from '../../support/event-builders.ts';
import { AwsError } from '../../support/fake-aws/service.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();
const orders = streamArn('orders');

describe('listEventSourceConsumers', () => {
  it('names the functions of enabled mappings, without alias', async () => {
    fake.lambda.map(orders, 'billing', { factor: 2 });
    fake.lambda.map(orders, 'audit', { alias: 'live' });
    fake.lambda.map(orders, 'starting', { state: 'Creating' });
    fake.lambda.map(streamArn('payments'), 'other');

    const consumers = await listEventSourceConsumers(orders);

    expect(consumers).toEqual([
      { functionName: 'billing', parallelizationFactor: 2 },
      { functionName: 'audit', parallelizationFactor: 1 },
      { functionName: 'starting', parallelizationFactor: 1 },
    ]);
  });

  it.each(['Disabled', 'Disabling', 'Deleting'])('leaves out a mapping that is %s', async (state) => {
    fake.lambda.map(orders, 'billing', { state });

    expect(await listEventSourceConsumers(orders)).toEqual([]);
  });

  it('adds up the mappings of one function', async () => {
    fake.lambda.map(orders, 'billing', { factor: 2, alias: 'blue' });
    fake.lambda.map(orders, 'billing', { factor: 3, alias: 'green' });

    expect(await listEventSourceConsumers(orders)).toEqual([{ functionName: 'billing', parallelizationFactor: 5 }]);
  });

  it('reads every page', async () => {
    for (let i = 0; i < 101; i++) fake.lambda.map(orders, `fn-${i}`);

    const consumers = await listEventSourceConsumers(orders);

    expect(consumers).toHaveLength(101);
    expect(fake.called('ListEventSourceMappings')).toEqual([
      { EventSourceArn: orders },
      { EventSourceArn: orders, Marker: '100' },
    ]);
  });
});

describe('hasOtherSources', () => {
  it('finds another source behind the first page of mappings, and none where they are all idle or the same', async () => {
    for (let i = 0; i < 100; i++) fake.lambda.map(orders, 'billing');
    fake.lambda.map(`${orders}-idle`, 'billing', { state: 'Disabled' });
    const alone = await hasOtherSources('billing', orders);
    fake.lambda.map(`${orders}-2`, 'billing');

    const together = await hasOtherSources('billing', orders);

    expect({ alone, together }).toEqual({ alone: false, together: true });
  });
});

describe('reserved concurrency', () => {
  it('is read and set', async () => {
    fake.lambda.map(orders, 'billing');
    const before = await reservedConcurrency('billing');

    await putFunctionConcurrency({ FunctionName: 'billing', ReservedConcurrentExecutions: 8 });

    expect(before).toBeNull();
    expect(await reservedConcurrency('billing')).toBe(8);
    expect(await unreservedConcurrency()).toBe(992);
  });

  it('is undefined for a function that is gone', async () => {
    expect(await reservedConcurrency('gone')).toBeUndefined();
  });

  it('rejects where it may not be read', async () => {
    fake.fault('GetFunctionConcurrency', new AwsError('AccessDeniedException', 'not authorized', 403));

    await expect(reservedConcurrency('billing')).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });

  it('is refused where fewer than 100 would stay unreserved', async () => {
    fake.lambda.map(orders, 'billing');

    await putFunctionConcurrency({ FunctionName: 'billing', ReservedConcurrentExecutions: 900 });

    await expect(
      putFunctionConcurrency({ FunctionName: 'billing', ReservedConcurrentExecutions: 901 }),
    ).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: expect.stringContaining('UnreservedConcurrentExecution below its minimum value of [100]'),
    });
    expect(await reservedConcurrency('billing')).toBe(900);
  });
});

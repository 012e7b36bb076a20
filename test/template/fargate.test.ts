import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Props, props, readTemplate, type Value } from '../../scripts/template.ts';
import { isSpotInterruption } from '../../shared/ecs-task.ts';
import { receive } from '../../shared/events/envelope.ts';
import { parse } from '../../shared/events/registry.ts';
import { type TaskOptions, taskStateChange } from '../support/event-builders.ts';

const ROOT = join(import.meta.dirname, '../..');
const { Resources } = readTemplate();
const sample = (file: string): Value => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Value;

/** EventBridge's matching as far as these rules use it: one of the values, a prefix, or one of several patterns. */
const matches = (pattern: Props, event: Props): boolean =>
  Object.entries(pattern).every(([key, wanted]) => {
    if (key === '$or') return (wanted as Value[]).some((one) => matches(props(one), event));
    if (Array.isArray(wanted)) return wanted.some((one) => isValue(one, event[key] ?? null));
    return matches(props(wanted), props(event[key]));
  });

const isValue = (wanted: Value, found: Value): boolean =>
  typeof wanted === 'object' && wanted !== null
    ? typeof found === 'string' && found.startsWith(String(props(wanted).prefix))
    : wanted === found;

describe.each(['DrainFargateInterruptionRule', 'ResumeFargateInterruptionRule'])('%s', (rule) => {
  const letsIn = (event: Value): boolean => matches(props(Resources[rule]?.Properties?.EventPattern), props(event));

  it('lets in every sample of an interruption, and no other sample', () => {
    const files = globSync('events/aws.*.json', { cwd: ROOT });
    const isInterruption = (file: string): boolean => {
      const [parsed] = receive(sample(file)).messages.map(parse);
      return (
        parsed?.kind === 'event' && parsed.event.kind === 'task-state-change' && isSpotInterruption(parsed.event.task)
      );
    };
    const single = files.filter((file) => !/aws\.sqs\.|broken/.test(file));

    expect(single.filter(isInterruption).length).toBeGreaterThan(15);
    expect(single.filter((file) => letsIn(sample(file)))).toEqual(single.filter(isInterruption));
  });

  it.each<[string, TaskOptions]>([
    ['today', { stopCode: 'SpotInterruption', stoppedReason: '' }],
    ['as it was documented', { stopCode: 'TerminationNotice', stoppedReason: '' }],
    ['without a stopCode', { stopCode: null }],
    ['of another cluster', { cluster: 'staging' }],
    ['of a standalone task', { service: null }],
  ])('lets in an interruption %s', (_, options) => {
    expect(letsIn(taskStateChange(options) as unknown as Value)).toBe(true);
  });

  it.each<[string, TaskOptions]>([
    ['on container instances', { launchType: 'EC2' }],
    ['that is to run', { desiredStatus: 'RUNNING' }],
    ['that ended otherwise', { stopCode: 'UserInitiated', stoppedReason: 'Task stopped by user' }],
  ])('keeps out a task %s', (_, options) => {
    expect(letsIn(taskStateChange(options) as unknown as Value)).toBe(false);
  });

  it('keeps out what another source calls by the same name', () => {
    expect(letsIn({ ...(taskStateChange() as unknown as Props), source: 'custom' } as Value)).toBe(false);
  });
});

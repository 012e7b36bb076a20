import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Props, props, readTemplate, type Value } from '../../scripts/template.ts';

const ROOT = join(import.meta.dirname, '../..');
const { Resources } = readTemplate();
const rules = ['RestoreCapacityPlacementRule', 'RestoreCapacityWarningRule', 'RestoreCapacityLaunchRule'];
const sample = (file: string): Value => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Value;

/** EventBridge's matching as far as these rules use it: every field has one of the values. */
const matches = (pattern: Props, event: Props): boolean =>
  Object.entries(pattern).every(([key, wanted]) =>
    Array.isArray(wanted) ? wanted.includes(event[key] ?? null) : matches(props(wanted), props(event[key])),
  );

const letIn = (event: Value): string[] =>
  rules.filter((rule) => matches(props(Resources[rule]?.Properties?.EventPattern), props(event)));

describe('what wakes restore-capacity', () => {
  it.each([
    ['aws.ecs.service-action.placement-failure.json', 'RestoreCapacityPlacementRule'],
    ['aws.ecs.service-action.placement-failure-short-arn.json', 'RestoreCapacityPlacementRule'],
    ['aws.ec2.spot-interruption.terminate.json', 'RestoreCapacityWarningRule'],
    ['aws.autoscaling.launch-unsuccessful.json', 'RestoreCapacityLaunchRule'],
  ])('%s comes in by %s', (file, rule) => {
    expect(letIn(sample(`events/${file}`))).toEqual([rule]);
  });

  it.each(['steady-state', 'capacity-provider-steady-state', 'placement-failure-ec2'])(
    'aws.ecs.service-action.%s stays out',
    (kind) => {
      expect(letIn(sample(`events/aws.ecs.service-action.${kind}.json`))).toEqual([]);
    },
  );

  it('nothing but these, and its own messages', () => {
    const others = globSync('events/aws.*.json', { cwd: ROOT }).filter(
      (file) => !/service-action|spot-interruption\.(terminate|stop|hibernate)|launch-unsuccessful/.test(file),
    );
    expect(others.length).toBeGreaterThan(20);
    expect(others.filter((file) => letIn(sample(file)).length > 0)).toEqual([]);
  });

  it('the schedule looks every five minutes at everything that has opted in', () => {
    const { ScheduleExpression, Target } = props(Resources.RestoreCapacitySweep?.Properties);
    expect(ScheduleExpression).toBe('rate(5 minutes)');
    expect(JSON.parse(String(props(Target).Input))).toEqual({ source: 'reflex', 'detail-type': 'Tick' });
  });
});

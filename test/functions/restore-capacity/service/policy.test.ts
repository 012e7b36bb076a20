import { describe, expect, it } from 'vitest';
import { servicePolicy, stackPolicy } from '../../../../functions/restore-capacity/service/policy.ts';

const stack = stackPolicy({});
const enabled = { 'reflex:enabled': 'true' };

describe('how on-demand tasks stand in', () => {
  it.each([
    ['nothing is said', {}, 'notify'],
    ['a paired service is named', { 'reflex:fallback-service': 'web-od' }, 'paired'],
    ['it is said outright', { 'reflex:fallback-service': 'web-od', 'reflex:fallback-mode': 'paired' }, 'paired'],
    ['a switch is asked for', { 'reflex:fallback-mode': 'strategy' }, 'strategy'],
    ['a person wants to decide', { 'reflex:fallback-service': 'web-od', 'reflex:fallback-mode': 'notify' }, 'notify'],
  ])('where %s', (_, tags, mode) => {
    expect(servicePolicy(stack, { ...enabled, ...tags }).mode).toBe(mode);
  });

  it('cannot be paired with nobody', () => {
    expect(() => servicePolicy(stack, { ...enabled, 'reflex:fallback-mode': 'paired' })).toThrow(
      'tag reflex:fallback-mode: paired needs the tag reflex:fallback-service',
    );
  });
});

describe('a tag', () => {
  it.each([
    ['reflex:fallback-service', 'arn:aws:ecs:eu-west-1:111122223333:service/prod/web-od', 'the name of an ECS service'],
    ['reflex:fallback-mode', 'Strategy', 'one of paired, strategy, notify, or auto'],
    ['reflex:fallback-max', '0', 'a whole number from 1 to 5000, or none'],
    ['reflex:fallback-max', '-1', 'a whole number'],
    ['reflex:fall-back', 'x', 'unknown'],
  ])('%s = %s is refused, naming what is allowed', (tag, value, text) => {
    expect(() => servicePolicy(stack, { ...enabled, [tag]: value })).toThrow(text);
  });

  it('of drain-fargate on the same service is known', () => {
    const tags = { ...enabled, 'reflex:keep-last-target': 'false', 'reflex:target-groups': 'none' };
    expect(() => servicePolicy(stack, tags)).not.toThrow();
  });

  it('limits the number', () => {
    expect(servicePolicy(stack, { ...enabled, 'reflex:fallback-max': '20' }).fallbackMax).toBe(20);
    expect(servicePolicy(stack, enabled).fallbackMax).toBeNull();
  });
});

it('a wrong variable is named', () => {
  expect(() => stackPolicy({ SERVICE_FALLBACK_MODE: 'maybe' })).toThrow('SERVICE_FALLBACK_MODE');
});

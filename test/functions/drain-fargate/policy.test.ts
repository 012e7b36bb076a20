import { describe, expect, it } from 'vitest';
import { extraTargetGroups, servicePolicy, stackPolicy } from '../../../functions/drain-fargate/policy.ts';
import { targetGroupArn } from '../../support/fake-aws/elbv2.ts';

const [web, grpc] = [targetGroupArn('web'), targetGroupArn('grpc')];
const stack = stackPolicy({});

describe('the stack', () => {
  it('keeps the last target, and knows no further target groups', () => {
    expect(stack).toEqual({ keepLastTarget: true, targetGroups: [] });
  });

  it('may be told otherwise', () => {
    expect(stackPolicy({ KEEP_LAST_TARGET: 'false' })).toMatchObject({ keepLastTarget: false });
    expect(stackPolicy({ KEEP_LAST_TARGET: 'true' })).toMatchObject({ keepLastTarget: true });
  });

  it.each(['yes', 'TRUE', '1'])('refuses KEEP_LAST_TARGET = %s, and says what is allowed', (KEEP_LAST_TARGET) => {
    expect(() => stackPolicy({ KEEP_LAST_TARGET })).toThrow(
      `KEEP_LAST_TARGET: expected true or false, found "${KEEP_LAST_TARGET}"`,
    );
  });
});

describe('a service', () => {
  it('overrides it by tag', () => {
    const tags = {
      'reflex:enabled': 'true',
      'reflex:keep-last-target': 'false',
      'reflex:target-groups': `${web} ${grpc}`,
    };

    expect(servicePolicy(stack, tags)).toEqual({ keepLastTarget: false, targetGroups: [web, grpc] });
  });

  it.each(['reflex:fallback-service', 'reflex:fallback-mode', 'reflex:fallback-max'])('may carry %s', (tag) => {
    expect(servicePolicy(stack, { [tag]: 'anything' })).toEqual(stack);
  });

  it.each([
    ['reflex:resume', 'true', 'unknown'],
    ['reflex:keep-last-target', 'no', 'expected true or false'],
    ['reflex:target-groups', 'web', 'expected ARNs of target groups, separated by spaces, or none'],
    ['reflex:target-groups', `${web},${grpc}`, 'expected ARNs'],
    ['reflex:target-groups', `x${web}`, 'expected ARNs'],
    ['reflex:target-groups', '', 'expected ARNs'],
    [
      'reflex:target-groups',
      'arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/1',
      'expected ARNs',
    ],
  ])('with %s = %s is stopped, and told why', (tag, value, words) => {
    expect(() => servicePolicy(stack, { [tag]: value })).toThrow(words);
  });

  it('without target groups has none', () => {
    expect(servicePolicy(stack, { 'reflex:target-groups': 'none' }).targetGroups).toEqual([]);
  });
});

describe('what is read', () => {
  it('are the target groups of the tag, while a malformed one names none', () => {
    expect(extraTargetGroups(stack, { 'reflex:target-groups': `${web}  ${grpc}` })).toEqual([web, grpc]);
    expect(extraTargetGroups(stack, { 'reflex:target-groups': 'web' })).toEqual([]);
    expect(extraTargetGroups(stack, {})).toEqual([]);
  });
});

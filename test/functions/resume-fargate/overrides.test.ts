import type { KeyValuePair, TaskOverride } from '@aws-sdk/client-ecs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  OVERRIDES_AT_MOST,
  resumedBefore,
  VARIABLES,
  withResume,
} from '../../../functions/resume-fargate/overrides.ts';
import { clientToken, startedBy } from '../../../functions/resume-fargate/run.ts';

const ROOT = '0123456789abcdef0123456789abcdef';
const resume = {
  attempt: 2,
  of: 'arn:aws:ecs:eu-west-1:111122223333:task/prod/x',
  root: ROOT,
  reason: 'SpotInterruption',
};
const own: readonly (string | undefined)[] = Object.values(VARIABLES);
const others = (environment: readonly KeyValuePair[] = []) => environment.filter(({ name }) => !own.includes(name));

const pair = fc.record({
  name: fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom(...Object.values(VARIABLES))),
  value: fc.string({ maxLength: 12 }),
});
const container = fc.record(
  {
    name: fc.constantFrom('app', 'side', 'stranger'),
    command: fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
    environment: fc.uniqueArray(pair, { maxLength: 6, selector: ({ name }) => name }),
    cpu: fc.nat(),
  },
  { requiredKeys: ['name'] },
);
const overrides: fc.Arbitrary<TaskOverride> = fc.record(
  {
    containerOverrides: fc.uniqueArray(container, { maxLength: 3, selector: ({ name }) => name }),
    cpu: fc.constant('512'),
    taskRoleArn: fc.string({ maxLength: 20 }),
  },
  { requiredKeys: [] },
);

describe('the overrides of a resumed task', () => {
  it('are those it had, in their order, with nothing changed but the resume variables', () => {
    fc.assert(
      fc.property(overrides, (before) => {
        const after = withResume(before, ['app', 'side'], resume);

        const { containerOverrides: was = [], ...rest } = before;
        const { containerOverrides: is = [], ...restAfter } = after ?? {};
        expect(JSON.stringify(restAfter)).toBe(JSON.stringify(rest));
        for (const [i, container] of was.filter(({ name }) => name !== 'stranger').entries()) {
          const { environment: environmentBefore, ...before } = container;
          const { environment: environmentAfter, ...after } = is[i] ?? {};
          expect(JSON.stringify(after)).toBe(JSON.stringify(before));
          expect(JSON.stringify(others(environmentAfter))).toBe(JSON.stringify(others(environmentBefore)));
        }
        expect(is.map(({ name }) => name)).not.toContain('stranger');
      }),
    );
  });

  it('tell every container of the definition, once, and are read back', () => {
    fc.assert(
      fc.property(overrides, (before) => {
        const after = withResume(before, ['app', 'side'], resume) ?? {};

        for (const name of ['app', 'side']) {
          const found = after.containerOverrides?.filter((container) => container.name === name) ?? [];
          expect(found).toHaveLength(1);
          const told = found[0]?.environment?.filter((pair) => own.includes(pair.name)) ?? [];
          expect(told.map(({ value }) => value).toSorted()).toEqual(
            ['2', ROOT, resume.of, 'SpotInterruption'].toSorted(),
          );
        }
        const app = after.containerOverrides?.filter(({ name }) => name === 'app');
        expect(resumedBefore({ containerOverrides: app })).toEqual({ attempt: 2, root: ROOT });
      }),
    );
  });

  it('never exceed what RunTask takes: first the two variables a worker can do without go, then all of it', () => {
    const sized = (length: number) => ({ containerOverrides: [{ name: 'app', command: ['x'.repeat(length)] }] });
    const kinds = new Set<number | null>();
    for (let length = 7_600; length < 8_200; length++) {
      const after = withResume(sized(length), ['app'], resume);
      if (after !== null) expect(JSON.stringify(after).length).toBeLessThanOrEqual(OVERRIDES_AT_MOST);
      kinds.add(after === null ? null : (after.containerOverrides?.[0]?.environment?.length ?? 0));
    }
    expect([...kinds]).toEqual([4, 2, null]);
  });

  it('drop what an earlier attempt said where there is no room to say it anew', () => {
    const environment = [{ name: VARIABLES.of, value: 'older' }];
    const before = { containerOverrides: [{ name: 'app', command: ['x'.repeat(7_950)], environment }] };

    const after = withResume(before, ['app'], resume);

    expect(after?.containerOverrides?.[0]?.environment?.map(({ name }) => name)).toEqual([
      VARIABLES.attempt,
      VARIABLES.root,
    ]);
  });

  it.each([
    ['none', {}, 0, null],
    ['a number', { [VARIABLES.attempt]: '3', [VARIABLES.root]: ROOT }, 3, ROOT],
    ['no number', { [VARIABLES.attempt]: '-1' }, 0, null],
    ['words', { [VARIABLES.attempt]: 'many', [VARIABLES.root]: 'arn:x' }, 0, null],
  ])('are read: %s', (_, variables, attempt, root) => {
    const environment = Object.entries(variables).map(([name, value]) => ({ name, value: String(value) }));

    expect(resumedBefore({ containerOverrides: [{ name: 'app', environment }] })).toEqual({ attempt, root });
  });
});

describe('the client token', () => {
  it('has at most 64 characters, is the same for the same, and another for each of its parts', () => {
    const tokens = [
      clientToken(ROOT, 1, 'FARGATE', 0),
      clientToken(ROOT.replace('0', '1'), 1, 'FARGATE', 0),
      clientToken(ROOT, 20, 'FARGATE', 0),
      clientToken('00000000-0000-0000-0000-000000000000', 20, 'FARGATE_SPOT', 99),
      clientToken(ROOT, 1, 'FARGATE_SPOT', 0),
      clientToken(ROOT, 1, 'FARGATE', 1),
    ];

    expect(new Set(tokens).size).toBe(6);
    expect(tokens.every((token) => /^[!-~]{1,64}$/.test(token))).toBe(true);
    expect(clientToken(ROOT, 1, 'FARGATE', 0)).toBe(tokens[0]);
  });
});

it('startedBy has no character that ECS refuses', () => {
  expect(startedBy(ROOT, 12)).toMatch(/^[\w/-]{1,128}$/);
});

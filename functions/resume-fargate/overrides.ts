import type { ContainerOverride, KeyValuePair, TaskOverride } from '@aws-sdk/client-ecs';

/** The environment variables a resumed task finds. Those before the last two may be left out for want of room. */
export const VARIABLES = {
  of: 'REFLEX_RESUME_OF',
  reason: 'REFLEX_RESUME_REASON',
  attempt: 'REFLEX_RESUME_ATTEMPT',
  root: 'REFLEX_RESUME_ROOT',
} as const;

/** RunTask takes overrides of this many characters, their JSON formatting included. */
export const OVERRIDES_AT_MOST = 8_192;

export interface Resume {
  /** Which resume of the work this is, from 1. */
  readonly attempt: number;
  /** ARN of the interrupted task. */
  readonly of: string;
  /** Id of the task the work began with. */
  readonly root: string;
  readonly reason: string;
}

/** How often, and since which task, the work was resumed before, from the overrides of a task. */
export const resumedBefore = ({
  containerOverrides = [],
}: TaskOverride): { readonly attempt: number; readonly root: string | null } => {
  const variables = containerOverrides.flatMap(({ environment }) => environment ?? []);
  const values = (wanted: string) => variables.filter(({ name }) => name === wanted).map(({ value }) => value ?? '');
  const attempts = values(VARIABLES.attempt).filter((text) => /^\d{1,3}$/.test(text));
  return {
    attempt: Math.max(0, ...attempts.map(Number)),
    root: values(VARIABLES.root).find((text) => /^[0-9a-f-]{32,36}$/.test(text)) ?? null,
  };
};

/**
 * The overrides a task was run with, and the resume variables in every one of these containers, which are those of its definition. Nothing
 * else is touched: a variable of the same name is replaced where it stands, new ones follow. ECS also shows entries for containers that
 * AWS has added to the task, and refuses them in RunTask: they are left out. null: the overrides do not fit, even without the variables
 * that a worker can do without.
 */
export const withResume = (
  overrides: TaskOverride,
  containers: readonly string[],
  { of, reason, attempt, root }: Resume,
): TaskOverride | null => {
  const needed = [
    { name: VARIABLES.attempt, value: String(attempt) },
    { name: VARIABLES.root, value: root },
  ];
  const all = [...needed, { name: VARIABLES.of, value: of }, { name: VARIABLES.reason, value: reason }];
  for (const variables of [all, needed]) {
    const whole = withVariables(overrides, containers, variables);
    if (JSON.stringify(whole).length <= OVERRIDES_AT_MOST) return whole;
  }
  return null;
};

const withVariables = (
  overrides: TaskOverride,
  containers: readonly string[],
  variables: readonly KeyValuePair[],
): TaskOverride => {
  const { containerOverrides = [] } = overrides;
  const kept = containerOverrides.filter(({ name = '' }) => containers.includes(name));
  const named = new Set(kept.map(({ name }) => name));
  const missing: readonly ContainerOverride[] = containers.filter((name) => !named.has(name)).map((name) => ({ name }));
  return {
    ...overrides,
    containerOverrides: [...kept, ...missing].map((container) => ({
      ...container,
      environment: merged(container.environment ?? [], variables),
    })),
  };
};

/** A variable from an earlier attempt that has no room this time goes: it would tell of another task. */
const merged = (environment: readonly KeyValuePair[], variables: readonly KeyValuePair[]): KeyValuePair[] => {
  const own: readonly (string | undefined)[] = Object.values(VARIABLES);
  const kept = environment.flatMap((pair) => {
    if (!own.includes(pair.name)) return [pair];
    return variables.filter(({ name }) => name === pair.name);
  });
  const there = new Set(kept.map(({ name }) => name));
  return [...kept, ...variables.filter(({ name }) => !there.has(name))];
};

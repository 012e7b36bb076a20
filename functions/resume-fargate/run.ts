import type { RunTaskRequest, Tag } from '@aws-sdk/client-ecs';
import type { Call } from '../../shared/decision.ts';
import { OPT_IN_TAG } from '../../shared/settings.ts';
import type { Network, TaskFacts } from './facts.ts';
import { withResume } from './overrides.ts';
import { ATTEMPT_TAG, ROOT_TAG } from './policy.ts';

export type RunCall = Call<'RunTask', RunTaskRequest>;
export type Provider = 'FARGATE_SPOT' | 'FARGATE';

/** A task takes this many tags. */
const TAGS_AT_MOST = 50;

/** Says who ran a task, and for what: so that it is found again. ECS takes letters, digits, `-`, `_` and `/`. */
export const startedBy = (root: string, attempt: number): string => `reflex-resume/${root}/${attempt}`;

/**
 * ECS runs one task for one token, however often it is asked. It also answers with the same refusal, so a definite one (and
 * nothing else) makes another token. At most 64 characters, as many as ECS takes.
 */
export const clientToken = (root: string, attempt: number, provider: Provider, refused: number): string =>
  `${root}/${attempt}/${provider}/${refused}`;

/** The call that runs a task again. null: its overrides would be too long. */
export const runCall = (
  facts: TaskFacts,
  network: Network,
  { attempt, provider, refused }: { readonly attempt: number; readonly provider: Provider; readonly refused: number },
): RunCall | null => {
  const { task, root } = facts;
  const resume = { attempt, of: task.arn, root, reason: task.stopCode ?? 'SpotInterruption' };
  const overrides = withResume(facts.overrides, facts.containers, resume);
  if (overrides === null) return null;
  const { subnets, securityGroups, assignPublicIp } = network;
  return {
    call: 'RunTask',
    params: {
      cluster: task.clusterArn,
      taskDefinition: task.taskDefinitionArn,
      count: 1,
      // On-demand by launch type: that works in clusters without the capacity provider FARGATE, too.
      ...(provider === 'FARGATE_SPOT'
        ? { capacityProviderStrategy: [{ capacityProvider: provider, weight: 1 }] }
        : { launchType: provider }),
      networkConfiguration: {
        awsvpcConfiguration: { subnets: [...subnets], securityGroups: [...securityGroups], assignPublicIp },
      },
      overrides,
      ...(facts.platformVersion !== null && { platformVersion: facts.platformVersion }),
      // ECS names the group after the family by itself.
      ...(task.group !== null && task.group !== `family:${facts.family}` && { group: task.group }),
      ...(facts.enableExecuteCommand && { enableExecuteCommand: true }),
      ...(Object.keys(facts.taskTags).some(isManaged) && { enableECSManagedTags: true }),
      startedBy: startedBy(root, attempt),
      tags: tagsFor(facts, attempt),
      clientToken: clientToken(root, attempt, provider, refused),
    },
  };
};

const isManaged = (key: string): boolean => key.startsWith('aws:ecs:');

/**
 * The task's own; `aws:` is AWS's. The opt-in always: what Reflex runs carries it, and the permission to run asks for it. Where there is no
 * room for all, Reflex's marks go first, and then the last of the task's own.
 */
const tagsFor = ({ taskTags, root }: TaskFacts, attempt: number): Tag[] => {
  const tags = {
    [OPT_IN_TAG]: 'true',
    ...Object.fromEntries(Object.entries(taskTags).filter(([key]) => !key.startsWith('aws:'))),
  };
  const marks = { [ROOT_TAG]: root, [ATTEMPT_TAG]: String(attempt) };
  const all = { ...tags, ...marks };
  const fitting = Object.keys(all).length <= TAGS_AT_MOST ? all : tags;
  return Object.entries(fitting)
    .slice(0, TAGS_AT_MOST)
    .map(([key, value]) => ({ key, value }));
};

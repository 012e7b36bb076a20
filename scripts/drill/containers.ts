import { text } from 'node:stream/consumers';
import { serve } from './serve.ts';

/** The embedded ECS keeps tasks, but runs no container and never lacks capacity. This stands before it and passes every call on. */
export interface Containers {
  readonly endpoint: string;
  /** From here on DescribeTasks shows the task, which has to be stopped, as ended so: by its container's own exit, if not said. */
  ended(taskArn: string, exitCode: number, end?: TaskEnd): void;
  /** From here on DescribeServices shows this many tasks of the service running; null: all it should have. */
  runs(serviceName: string, running: number | null): void;
}

/** What ECS shows of a task's end. */
export interface TaskEnd {
  readonly stopCode: string;
  readonly stoppedReason: string;
  /** What the embedded ECS does not keep, and real events show. */
  readonly version?: number;
  readonly launchType?: string;
  readonly capacityProviderName?: string;
}

const ownExit: TaskEnd = {
  stopCode: 'EssentialContainerExited',
  stoppedReason: 'Essential container in task exited',
};

/** `ecs`: endpoint of the embedded ECS. Ends with the process. */
export async function startContainers(ecs: string): Promise<Containers> {
  const exits = new Map<string, Exit>();
  const short = new Map<string, number>();
  const endpoint = await serve(async (request, response) => {
    const { authorization = '', 'content-type': type = '', 'x-amz-target': target = '' } = request.headers;
    const headers = { authorization, 'content-type': type, 'x-amz-target': String(target) };
    const answer = await fetch(ecs, { method: 'POST', headers, body: await text(request) });
    const body = await answer.text();
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? type });
    const [, operation] = headers['x-amz-target'].split('.');
    if (answer.ok && operation === 'DescribeTasks') response.end(withExits(body, exits));
    else if (answer.ok && operation === 'DescribeServices') response.end(withShortage(body, short));
    else response.end(body);
  });
  return {
    endpoint,
    ended: (taskArn, exitCode, end = ownExit) => exits.set(taskArn, { exitCode, end }),
    runs: (serviceName, running) => {
      if (running === null) short.delete(serviceName);
      else short.set(serviceName, running);
    },
  };
}

interface Exit {
  readonly exitCode: number;
  readonly end: TaskEnd;
}

interface TasksAnswer {
  readonly tasks?: readonly { readonly taskArn: string; readonly containers: readonly object[] }[];
}

/** The answer of DescribeTasks, with how the containers ended. Pure. */
export function withExits(body: string, exits: ReadonlyMap<string, Exit>): string {
  const answer = JSON.parse(body) as TasksAnswer;
  const tasks = (answer.tasks ?? []).map((task) => {
    const exit = exits.get(task.taskArn);
    if (exit === undefined) return task;
    const { exitCode, end } = exit;
    return { ...task, ...end, containers: task.containers.map((container) => ({ ...container, exitCode })) };
  });
  return JSON.stringify({ ...answer, tasks });
}

interface ServicesAnswer {
  readonly services?: readonly { readonly serviceName: string; readonly deployments?: readonly object[] }[];
}

/** The answer of DescribeServices, with as many tasks running as there is capacity for. Pure. */
export function withShortage(body: string, short: ReadonlyMap<string, number>): string {
  const answer = JSON.parse(body) as ServicesAnswer;
  const services = (answer.services ?? []).map((service) => {
    const runningCount = short.get(service.serviceName);
    if (runningCount === undefined) return service;
    const [newest, ...others] = service.deployments ?? [];
    return { ...service, runningCount, pendingCount: 0, deployments: [{ ...newest, runningCount }, ...others] };
  });
  return JSON.stringify({ ...answer, services });
}

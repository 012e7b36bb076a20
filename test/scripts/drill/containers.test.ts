import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startContainers, withExits } from '../../../scripts/drill/containers.ts';

const task = {
  taskArn: 'arn:task/1',
  lastStatus: 'STOPPED',
  stopCode: 'UserInitiated',
  containers: [{ name: 'ship' }],
};
const end = { stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' };
const other = { ...task, taskArn: 'arn:task/2' };

describe('how a container ended', () => {
  it('is shown of the task that ended, and of no other', () => {
    const shown = JSON.parse(
      withExits(JSON.stringify({ tasks: [task, other] }), new Map([[task.taskArn, { exitCode: 75, end }]])),
    );

    expect(shown.tasks).toEqual([
      {
        ...task,
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
        containers: [{ name: 'ship', exitCode: 75 }],
      },
      other,
    ]);
  });
});

describe('what stands before the embedded ECS', () => {
  const heard: string[] = [];
  const ecs = createServer(async (request, response) => {
    heard.push(`${request.headers['x-amz-target']} ${await text(request)}`);
    response.end(JSON.stringify({ tasks: [task] }));
  });
  beforeAll(() => new Promise<void>((listening) => ecs.listen(0, '127.0.0.1', listening)));
  afterAll(() => ecs.close());
  const ask = async (endpoint: string, operation: string): Promise<unknown> => {
    const headers = { 'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}` };
    return (await fetch(endpoint, { method: 'POST', headers, body: '{"cluster":"c"}' })).json();
  };

  it('passes every call on, and changes the answer of DescribeTasks alone', async () => {
    const address = ecs.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const containers = await startContainers(`http://127.0.0.1:${port}`);

    containers.ended(task.taskArn, 0);
    const described = await ask(containers.endpoint, 'DescribeTasks');
    const run = await ask(containers.endpoint, 'RunTask');

    expect(heard.map((line) => line.split('.')[1])).toEqual([
      'DescribeTasks {"cluster":"c"}',
      'RunTask {"cluster":"c"}',
    ]);
    expect(described).toMatchObject({ tasks: [{ containers: [{ exitCode: 0 }] }] });
    expect(run).toEqual({ tasks: [task] });
  });
});

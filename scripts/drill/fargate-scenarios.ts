import { CreateClusterCommand, CreateServiceCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import {
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { type Aws, putEvent } from './aws.ts';
import { account, region } from './emulator.ts';
import { acted, react } from './reaction.ts';
import type { Scenario } from './scenario.ts';
import type { ListView } from './story.ts';
import { spotInterruption } from './trouble.ts';

/** As in the sample event. */
const task = { id: '7a75e7b735c14174aefbca3d0c1dd2c9', address: '10.0.2.164' };
const sister = '10.0.1.31';
const containerPort = 8_080;

const spotDrain: Scenario = {
  id: 'spot-drain',
  title: 'A Fargate Spot task is interrupted',
  shows:
    'Two minutes before the task is gone, the load balancer stops sending it requests; its sister goes on serving.',
  async run({ aws, ...world }, { name }) {
    const targetGroupArn = await createService(aws, name);
    const reaction = await react(
      { aws, ...world },
      {
        arn: `arn:aws:ecs:${region}:${account}:task/${name}/${task.id}`,
        operation: 'DeregisterTargets',
        view: () => viewTargets(aws, targetGroupArn),
        settled: ({ parts }) => parts.every(({ id }) => !id.startsWith(task.address)),
        make: (now) => putEvent(aws, spotInterruption(name, now)),
      },
    );
    const left = reaction.after.parts.map(({ id }) => id);
    const asked = reaction.decision?.actions.find(({ call }) => call === 'DeregisterTargets');
    const named = JSON.stringify(asked?.params ?? null).includes(
      JSON.stringify({ Id: task.address, Port: containerPort }),
    );
    return {
      event: `EventBridge: ECS Task State Change, task ${task.id} is DEACTIVATING (SpotInterruption)`,
      reaction,
      checks: [
        {
          what: `DescribeTargetHealth: ${task.address}:${containerPort} is gone, ${sister}:${containerPort} is left`,
          ok: left.length === 1 && left[0] === `${sister}:${containerPort}`,
        },
        acted(reaction.decision),
        { what: `DeregisterTargets named port ${containerPort}, not the target group's own 80`, ok: named },
      ],
    };
  },
};

export const fargateScenarios: readonly Scenario[] = [spotDrain];

/**
 * A service whose two tasks are registered in a target group that has another port of its own. It wants no tasks: the
 * emulator would start containers. Gives the target group's ARN.
 */
async function createService({ ecs, elbv2 }: Aws, cluster: string): Promise<string> {
  const { TargetGroups: [group] = [] } = await elbv2.send(
    new CreateTargetGroupCommand({
      Name: cluster,
      Protocol: 'HTTP',
      Port: 80,
      VpcId: 'vpc-0123456789abcdef0',
      TargetType: 'ip',
    }),
  );
  const targetGroupArn = group?.TargetGroupArn ?? '';
  const Targets = [task.address, sister].map((Id) => ({ Id, Port: containerPort }));
  await elbv2.send(new RegisterTargetsCommand({ TargetGroupArn: targetGroupArn, Targets }));
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'web',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: 'nginx', portMappings: [{ containerPort }], stopTimeout: 120 }],
    }),
  );
  await ecs.send(
    new CreateServiceCommand({
      cluster,
      serviceName: 'web',
      taskDefinition: taskDefinition?.taskDefinitionArn,
      desiredCount: 0,
      loadBalancers: [{ targetGroupArn, containerName: 'app', containerPort }],
      tags: [{ key: 'reflex:enabled', value: 'true' }],
    }),
  );
  return targetGroupArn;
}

async function viewTargets({ elbv2 }: Aws, targetGroupArn: string): Promise<ListView> {
  const { TargetHealthDescriptions = [] } = await elbv2.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: targetGroupArn }),
  );
  return {
    noun: 'target',
    parts: TargetHealthDescriptions.map(({ Target, TargetHealth }) => ({
      id: `${Target?.Id}:${Target?.Port}`,
      says: TargetHealth?.State ?? '',
    })),
  };
}

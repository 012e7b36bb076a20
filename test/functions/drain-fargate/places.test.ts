import { describe, expect, it } from 'vitest';
import { placesOf, providersOf, registriesOf, servingContainers } from '../../../functions/drain-fargate/places.ts';
import { registryArn } from '../../support/fake-aws/servicediscovery.ts';
import { ecsTask } from '../../support/task-facts.ts';

const task = ecsTask({ startedBy: 'ecs-svc/2' });
const balancer = (targetGroupArn: string, containerPort = 80, containerName = 'app') => ({
  targetGroupArn,
  containerPort,
  containerName,
});
const at = (targetGroupArn: string, port: number | null = 80, by = 'ecs') => ({ targetGroupArn, port, by });

describe('the target groups of a task', () => {
  it.each([
    ['none', {}, []],
    ['those of its service', { loadBalancers: [balancer('a'), balancer('b', 81)] }, [at('a'), at('b', 81)]],
    ['each port of one of them', { loadBalancers: [balancer('a'), balancer('a', 81)] }, [at('a'), at('a', 81)]],
    ['each once', { loadBalancers: [balancer('a'), balancer('a')] }, [at('a')]],
    ['no classic load balancer', { loadBalancers: [{ loadBalancerName: 'old', containerPort: 80 }] }, []],
    ['one whose port the service does not say', { loadBalancers: [{ targetGroupArn: 'a' }] }, [at('a', null)]],
    [
      'both sides of a blue/green service',
      { loadBalancers: [{ ...balancer('a'), advancedConfiguration: { alternateTargetGroupArn: 'b' } }] },
      [at('a'), at('b')],
    ],
    [
      'those of its task set, not those the service mirrors',
      {
        loadBalancers: [balancer('a')],
        taskSets: [
          { id: 'ecs-svc/1', loadBalancers: [balancer('a')] },
          { id: 'ecs-svc/2', loadBalancers: [balancer('b')] },
        ],
      },
      [at('b')],
    ],
    [
      'those of every task set, where none is its own',
      {
        loadBalancers: [balancer('c')],
        taskSets: [
          { id: 'ecs-svc/1', loadBalancers: [balancer('a')] },
          { id: 'ecs-svc/3', loadBalancers: [balancer('b')] },
        ],
      },
      [at('a'), at('b')],
    ],
  ])('are %s', (_, service, places) => {
    expect(placesOf(service, task, [])).toEqual(places);
  });

  it('are also those its tag names, unless ECS knows them', () => {
    const loadBalancers = [balancer('a'), balancer('c')];

    expect(placesOf({ loadBalancers }, task, ['a', 'b'])).toEqual([at('a'), at('c'), at('b', null, 'tag')]);
  });
});

describe('the registries of a task', () => {
  const shared = registryArn('srv-2', '999988887777');

  it('are named by id, and those of another account by ARN, each once', () => {
    const serviceRegistries = [registryArn('srv-1'), registryArn('srv-1'), shared].map((arn) => ({ registryArn: arn }));

    expect(registriesOf({ serviceRegistries }, task)).toEqual(['srv-1', shared]);
  });

  it('are those of its task set', () => {
    const taskSets = [{ id: 'ecs-svc/2', serviceRegistries: [{ registryArn: registryArn('srv-3') }] }];

    expect(registriesOf({ taskSets, serviceRegistries: [{ registryArn: registryArn('srv-1') }] }, task)).toEqual([
      'srv-3',
    ]);
    expect(registriesOf({ serviceRegistries: [{}] }, task)).toEqual([]);
    expect(registriesOf({}, task)).toEqual([]);
  });
});

describe('capacity providers', () => {
  const strategy = (...items: readonly [string, number?, number?][]) => ({
    capacityProviderStrategy: items.map(([capacityProvider, weight, base]) => ({
      capacityProvider,
      ...(weight !== undefined && { weight }),
      ...(base !== undefined && { base }),
    })),
  });

  it.each([
    ['are not known where the service has no strategy', {}, null],
    ['are those with a weight', strategy(['FARGATE_SPOT', 1], ['FARGATE', 0]), ['FARGATE_SPOT']],
    ['are those with a base', strategy(['FARGATE_SPOT', 1], ['FARGATE', 0, 1]), ['FARGATE_SPOT', 'FARGATE']],
    ['are none that are only named', strategy(['FARGATE']), []],
    ['are named once', strategy(['FARGATE', 1], ['FARGATE', 2]), ['FARGATE']],
  ])('%s', (_, service, providers) => {
    expect(providersOf(service, task)).toEqual(providers);
  });
});

it('containers that serve are those behind a load balancer', () => {
  expect(servingContainers({ loadBalancers: [balancer('a', 80, 'app'), { targetGroupArn: 'b' }] }, task)).toEqual([
    'app',
  ]);
  expect(servingContainers({}, task)).toEqual([]);
});

import { describe, expect, it } from 'vitest';
import { barChart, lineChart } from '../../bench/chart.ts';
import { bareSdk, importsOf } from '../../bench/cold-start.ts';
import { fullStack } from '../../bench/full-stack.ts';

describe('what a function imports from the SDK', () => {
  it('is found through all its modules; types and what is imported when first used are left out', async () => {
    const imports = await importsOf('functions/relieve-elasticache/handler.ts');

    const clients = imports.map(({ client }) => client);
    expect(clients).toContain('@aws-sdk/client-elasticache');
    expect(clients).toContain('@aws-sdk/client-dynamodb');
    expect(clients).not.toContain('@aws-sdk/client-ec2');
    expect(imports.flatMap(({ names }) => names).every((name) => /^\w+$/.test(name))).toBe(true);
  });
});

describe('the yardsticks', () => {
  const imports = [{ client: '@aws-sdk/client-sns', names: ['SNSClient', 'PublishCommand'] }];

  it('keep every client and command', () => {
    expect(bareSdk(imports)).toContain('[n0SNSClient, n0PublishCommand]');
    expect(fullStack(imports)).toContain('[n0SNSClient, n0PublishCommand]');
  });

  it('make clients only in the full stack', () => {
    expect(bareSdk(imports)).not.toContain('new ');
    expect(fullStack(imports)).toContain('captureAWSv3Client(new n0SNSClient({}))');
  });
});

describe('a chart', () => {
  it('puts the origin at the left and below, and the largest values at the right and above', () => {
    const chart = lineChart({
      title: 'a & b',
      x: { label: 's', max: 10 },
      y: { label: '%', max: 100 },
      lines: [
        {
          name: 'one',
          points: [
            [0, 0],
            [10, 100],
          ],
        },
      ],
    });

    expect(chart).toContain('points="56.0,332.0 736.0,72.0"');
    expect(chart).toContain('a &amp; b');
  });

  it('gives a part of every bar the same colour', () => {
    const parts = [
      { name: 'x', value: 1 },
      { name: 'y', value: 1 },
    ];
    const chart = barChart({
      title: 't',
      unit: 'x',
      bars: [
        { name: 'a', parts },
        { name: 'b', parts: parts.slice(1) },
      ],
    });

    expect(chart.match(/fill="#c2571a"/g)).toHaveLength(3);
    expect(chart).toContain('2.00 x');
  });
});

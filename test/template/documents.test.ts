import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Props, props, readTemplate } from '../../scripts/template.ts';

const { Resources } = readTemplate();
const script = (path: string): string => readFileSync(join(import.meta.dirname, '../../documents', path), 'utf8');

it('the command document runs documents/ship-logs letter for letter', () => {
  const { mainSteps } = props(Resources.ShipLogs?.Properties?.Content);
  const [step] = mainSteps as Props[];

  const commands = props(step?.inputs).runCommand as string[];
  expect(commands.at(-1)).toBe(script('ship-logs/ship-logs.sh'));
  // Run Command would take it for a parameter.
  expect(commands.at(-1)).not.toContain('{{');
});

it('the command document declares each parameter that its script is given, and accepts no shell syntax in any', () => {
  const { parameters, mainSteps } = props(Resources.ShipLogs?.Properties?.Content);
  const [step] = mainSteps as Props[];
  const given = JSON.stringify(step?.inputs).matchAll(/\{\{ (\w+) \}\}/g);

  expect([...given].map(([, name]) => name).sort()).toEqual(Object.keys(props(parameters)).sort());
  for (const [name, parameter] of Object.entries(props(parameters))) {
    const { allowedPattern, allowedValues } = props(parameter);
    const accepts = (text: string): boolean =>
      Array.isArray(allowedValues) ? allowedValues.includes(text) : new RegExp(String(allowedPattern)).test(text);
    expect(accepts("/var/log'; reboot; '"), name).toBe(false);
    expect(accepts('s3://bucket/$(reboot)'), name).toBe(false);
  }
});

it('the rescue task runs documents/rescue letter for letter, as root, on a volume that it cannot write to', () => {
  const { ContainerDefinitions, Volumes } = props(Resources.RescueTask?.Properties);
  const [container] = ContainerDefinitions as Props[];

  expect(container?.EntryPoint).toEqual(['/bin/bash', '-c']);
  expect(container?.Command).toEqual([script('rescue/rescue.sh')]);
  expect(container?.User).toBeUndefined();
  expect(Volumes).toEqual([{ Name: 'logs', ConfiguredAtLaunch: true }]);
  expect(container?.MountPoints).toEqual([{ SourceVolume: 'logs', ContainerPath: '/mnt/logs', ReadOnly: true }]);
});

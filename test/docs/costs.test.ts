import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, props, readTemplate } from '../../scripts/template.ts';

const template = readTemplate();
const page = readFileSync(join(import.meta.dirname, '../../docs/costs.md'), 'utf8');
const ofType = (type: string) => Object.values(template.Resources).filter(({ Type }) => Type === type);

const MONTH_MINUTES = 30 * 24 * 60;

/** Cells of the first row that begins so. */
const row = (beginning: string): string[] => {
  const line = page.split('\n').find((each) => each.startsWith(`| ${beginning}`)) ?? '';
  return line.slice(2, -2).split(' | ');
};

const inMinutes = (rate: string): number => {
  const [, count, unit] = /^rate\((\d+) (minute|hour)s?\)$/.exec(rate) ?? [];
  return Number(count) * (unit === 'hour' ? 60 : 1);
};

describe('docs/costs.md', () => {
  it('counts the alarms of the template', () => {
    const [, count, price, cost] = row('alarms on Reflex itself');
    const alarms = ofType('AWS::CloudWatch::Alarm').length;
    expect([count, price, cost]).toEqual([String(alarms), '0.10 each', (alarms * 0.1).toFixed(2)]);
  });

  it('counts what the schedules of the template send in a month of 30 days', () => {
    const rates = ofType('AWS::Scheduler::Schedule').map(({ Properties }) => String(Properties?.ScheduleExpression));
    const ticks = rates.reduce((sum, rate) => sum + MONTH_MINUTES / inMinutes(rate), 0);

    expect(row('sweeps:')[1]).toContain(`= ${ticks.toLocaleString('en-US')} requests`);
  });

  it('knows how much memory the functions have', () => {
    const memory = functionsOf(template).map(({ logicalId, folder }) => ({
      folder,
      MB: Number(
        template.Resources[logicalId]?.Properties?.MemorySize ?? props(template.Globals.Function).MemorySize,
      ).toLocaleString('en-US'),
    }));
    const others = memory.filter(({ MB }) => MB !== '512');

    const [text = ''] = row('... 0.1 s each');
    expect(text).toContain('seven at 512 MB');
    expect(memory.length - others.length).toBe(7);
    for (const { folder, MB } of others) expect(text).toContain(`${folder} at ${MB}`);
  });

  it('adds the fixed part up', () => {
    const table = page.slice(page.indexOf('## A month in which nothing happens'), page.indexOf('| **together**'));
    const costs = [...table.matchAll(/\| (\d+\.\d\d) \|$/gm)].map(([, cost]) => Number(cost));

    expect(costs.length).toBeGreaterThan(8);
    expect(Math.abs(costs.reduce((sum, cost) => sum + cost, 0) - 9.65)).toBeLessThan(0.05);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionsOf, props, readTemplate } from '../../scripts/template.ts';
import { anchorsOf } from '../support/anchors.ts';

const template = readTemplate();
const page = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
const alarms = Object.entries(template.Resources).filter(([, { Type }]) => Type === 'AWS::CloudWatch::Alarm');

/** The cells of the rows between two headings. */
const rowsUnder = (heading: string): string[][] => {
  const [, rest = ''] = page.split(`\n## ${heading}\n`);
  const [section = ''] = rest.split('\n## ');
  const lines = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('|-'));
  return lines.map((line) => line.slice(2, -2).split(' | '));
};

describe('the runbook', () => {
  it.each(alarms)('has the section that %s names in its description', (_, { Properties }) => {
    const [, anchor = 'none named'] = /See docs\/runbook\.md#(\S+)$/.exec(String(Properties?.AlarmDescription)) ?? [];
    expect(anchorsOf(page)).toContain(anchor);
  });

  it.each(alarms)('leads to the section of %s from its table of alarms', (_, { Properties }) => {
    const name = String(props(Properties?.AlarmName)['Fn::Sub']).replace(/^\$\{ResourcePrefix\}/, 'reflex');
    const anchor = /#(\S+)$/.exec(String(Properties?.AlarmDescription))?.[1];
    const rows = [...page.matchAll(/^\| `(reflex-\S+)` \| \[[^\]]+\]\(#(\S+)\) \|$/gm)];

    const row = rows.find(([, pattern = '']) => new RegExp(`^${pattern.replace('<function>', '[a-z-]+')}$`).test(name));
    expect(row?.[2], name).toBe(anchor);
  });

  it('says for every function what undoes its act', () => {
    const named = rowsUnder('Roll back').map(([first]) => first);
    expect(named.slice(1)).toEqual(functionsOf(template).map(({ folder }) => folder));
  });
});

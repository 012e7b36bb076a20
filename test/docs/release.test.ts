import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTemplate } from '../../scripts/template.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

describe('the changelog', () => {
  it('has every version, the present one first, each with what to do when upgrading', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    const [, ...sections] = read('CHANGELOG.md').split(/^## /m);

    expect(sections[0]).toMatch(new RegExp(`^${version.replaceAll('.', '\\.')} - `));
    for (const section of sections) expect(section).toMatch(/^Upgrading: \S/m);
  });
});

describe('the metadata for the Serverless Application Repository', () => {
  const metadata = readTemplate().Metadata['AWS::ServerlessRepo::Application'] ?? {};

  it('is whole, within the limits of CreateApplication', () => {
    const { Name, Author, Description, SpdxLicenseId, Labels } = metadata;
    const labels = Array.isArray(Labels) ? Labels.map(String) : [];

    expect(Name).toMatch(/^[a-zA-Z0-9-]{1,140}$/);
    expect(Author).toMatch(/^[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?$/);
    expect(String(Description).length).toBeLessThanOrEqual(256);
    expect(SpdxLicenseId).toBe('Apache-2.0');
    expect(labels.length).toBeLessThanOrEqual(10);
    for (const label of labels) expect(label).toMatch(/^[a-zA-Z0-9+_:/@-]{1,127}$/);
  });

  it('leads to files of the checkout', () => {
    for (const file of [metadata.LicenseUrl, metadata.ReadmeUrl])
      expect(existsSync(join(ROOT, String(file)))).toBe(true);
  });
});

describe('the workflow', () => {
  it('pins every action by its commit', () => {
    const uses = [...read('.github/workflows/ci.yml').matchAll(/uses: (\S+)/g)].map(([, action]) => action);

    expect(uses.length).toBeGreaterThan(0);
    for (const action of uses) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  });
});

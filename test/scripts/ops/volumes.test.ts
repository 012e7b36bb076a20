import { expect, it } from 'vitest';
import type { KeptVolume } from '../../../scripts/ops/volumes.ts';
import { workItemTags } from '../../../shared/spot-logs.ts';
import { at } from '../../support/event-builders.ts';
import { terminal } from './terminal.ts';

const tags = workItemTags({
  rescue: 'shipping',
  instance: 'i-0123456789abcdef0',
  device: '/dev/xvdf',
  root: false,
  filesystem: 'xfs',
  prefix: 'spot-logs',
  since: at,
  attempts: 1,
});
const volume = (id: string, changes: Record<string, string> = {}): KeptVolume => ({
  id,
  GiB: 100,
  state: 'available',
  tags: { ...tags, ...changes },
});

it('lists kept volumes, the oldest first, with what comes next and how much they hold', async () => {
  const older = volume('vol-older', { 'reflex:since': '2026-03-04T03:12:00Z', 'reflex:rescue': 'failed' });

  const { code, out } = await terminal({ keptVolumes: [volume('vol-newer'), older] }).run('volumes');

  expect(code).toBe(0);
  const [, first, second, , sum] = out.split('\n');
  expect(first).toContain('vol-older');
  expect(first).toContain('failed: a person must look; nothing is deleted');
  expect(second).toContain('vol-newer');
  expect(second).toContain('shipping: its logs are being copied to the bucket');
  expect(second).toContain('(15 min)');
  expect(sum).toContain('2 volumes, 200 GiB');
});

it('shows a volume whose tags somebody broke, and what is wrong', async () => {
  const { out } = await terminal({ keptVolumes: [volume('vol-1', { 'reflex:since': 'yesterday' })] }).run('volumes');

  expect(out).toContain('vol-1');
  expect(out).toContain('reflex:since');
});

it('says that none is kept', async () => {
  expect((await terminal().run('volumes')).out).toBe('No log volume is kept.');
});

it('gives a script the work items', async () => {
  const { out } = await terminal({ keptVolumes: [volume('vol-1')] }).run('volumes', '--json');

  expect(JSON.parse(out)).toMatchObject([{ id: 'vol-1', GiB: 100, rescue: 'shipping', attempts: 1, since: at }]);
});

import { describe, expect, it } from 'vitest';
import { calendarState } from '../../../shared/aws/ssm-calendar.ts';
import { useFakeAws } from '../../support/fake-aws/use-fake-aws.ts';

const fake = await useFakeAws();

describe('calendarState', () => {
  it.each([
    ['OPEN', true],
    ['CLOSED', false],
    ['SOMETHING_NEW', false],
  ])('takes %s as open: %s', async (State, open) => {
    fake.ssm.calendars.set('freeze', { State, NextTransitionTime: '2026-03-06T08:00:00Z' });

    expect(await calendarState('freeze')).toEqual({ open, until: Date.parse('2026-03-06T08:00:00Z') });
  });

  it.each([{}, { NextTransitionTime: 'not a time' }])('knows no next change from %o', async (rest) => {
    fake.ssm.calendars.set('freeze', { State: 'CLOSED', ...rest });

    expect(await calendarState('freeze')).toEqual({ open: false, until: null });
  });

  it('rejects for a calendar that does not exist', async () => {
    await expect(calendarState('freeze')).rejects.toMatchObject({ name: 'InvalidDocument' });
  });
});

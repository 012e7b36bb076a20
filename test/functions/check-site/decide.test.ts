import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../functions/check-site/decide.ts';
import type { Answer, SiteSituation } from '../../../functions/check-site/facts.ts';
import { stackPolicy } from '../../../functions/check-site/policy.ts';
import type { JsonObject } from '../../../shared/json.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-03-05T03:12:00Z');
const URL_ = 'https://shop.example/health';
const policy = stackPolicy({});

const well: Answer = {
  status: 200,
  latencyMs: 80,
  certificateExpiresAt: NOW + 60 * DAY,
  bodyMatches: null,
  error: null,
};
const down: Answer = {
  status: null,
  latencyMs: 15_000,
  certificateExpiresAt: null,
  bodyMatches: null,
  error: 'no answer',
};

const situation = (answer: Answer, remembered: JsonObject = {}): SiteSituation => ({
  ...answer,
  url: URL_,
  asOf: NOW,
  tags: { 'reflex:enabled': 'true' },
  trigger: 'tick',
  ledger: { attempts: {}, lastActAt: null, incident: null, remembered },
});

/** Looks at one answer after the other, five minutes apart, as the ledger remembers from one to the next. */
const story = (answers: readonly Answer[]) => {
  let remembered: JsonObject = {};
  return answers.map((answer, i) => {
    const decision = decide(situation(answer, remembered), policy, NOW + i * 300_000);
    remembered = decision.remember ?? remembered;
    return decision;
  });
};
const reasons = (answers: readonly Answer[]) => story(answers).map(({ reason }) => reason);
const news = (answers: readonly Answer[]) =>
  story(answers).flatMap((told) => (told.finding === undefined ? [] : [told.reason]));

describe('a site', () => {
  it('that answers is well', () => {
    const [decision] = story([well]);
    expect(decision).toMatchObject({ kind: 'skip', reason: 'site-well' });
    expect(decision?.finding).toBeUndefined();
  });

  it('that fails once is told of to nobody', () => {
    expect(reasons([well, down, well])).toEqual(['site-well', 'site-failed-once', 'site-well']);
    expect(news([well, down, well, down, well])).toEqual([]);
  });

  it('that fails twice in a row is told of once, and once when it is well again', () => {
    const answers = [well, down, down, down, down, well, well];
    expect(reasons(answers)).toEqual([
      'site-well',
      'site-failed-once',
      'site-failing',
      'site-still-failing',
      'site-still-failing',
      'resolved',
      'site-well',
    ]);
    expect(news(answers)).toEqual(['site-failing', 'resolved']);
  });

  it('that falls ill again the same day is told of again', () => {
    expect(news([down, down, well, down, down])).toEqual(['site-failing', 'resolved', 'site-failing']);
  });

  it('says since when, and what was found', () => {
    const raised = story([{ ...well, status: 503 }, down])[1];
    expect(raised?.why).toBe(`${URL_}: no answer; 2 checks in a row failed since 2026-03-05T03:12:00Z.`);
  });

  it.each([
    ['a status that is no success', { status: 503 }, 'answered 503'],
    ['a redirect that leads nowhere', { status: 304 }, 'answered 304'],
    ['an answer that took too long', { latencyMs: 5_001 }, 'took 5001 ms, more than 5000'],
    ['a body without what it should contain', { bodyMatches: false }, 'the body does not contain what it should'],
  ])('fails by %s', (_, part, found) => {
    const [decision] = story([{ ...well, ...part }]);
    expect(decision).toMatchObject({ reason: 'site-failed-once' });
    expect(decision?.why).toContain(found);
  });

  it.each([
    ['any success', { status: 204 }],
    ['the last millisecond', { latencyMs: 5_000 }],
    ['a body that matches', { bodyMatches: true }],
  ])('is well with %s', (_, part) => {
    expect(reasons([{ ...well, ...part }])).toEqual(['site-well']);
  });
});

describe('a certificate', () => {
  const expiring = { ...well, certificateExpiresAt: NOW + 13 * DAY };

  it('that the limit was lowered for is not called renewed', () => {
    const told = story([expiring, expiring]).at(-1);

    const after = decide(situation(expiring, told?.remember), stackPolicy({ SITE_CERTIFICATE_DAYS: '7' }), NOW);

    expect(after).toMatchObject({ kind: 'skip', reason: 'resolved' });
    expect(after.why).toMatch(/expires at 2026-03-18.*, no longer in less than 7 days\.$/);
  });

  it('about to expire is told of once, and once when it was renewed', () => {
    expect(news([expiring, expiring, expiring, well, well])).toEqual(['certificate-expiring', 'resolved']);
  });

  it('with two weeks left is told of to nobody', () => {
    expect(news([well, { ...well, certificateExpiresAt: NOW + 15 * DAY }])).toEqual([]);
  });

  it('does not hide that the site fails, nor does that hide it', () => {
    const both = { ...expiring, status: 500 };
    expect(news([both, both, both, well, well])).toEqual([
      'site-failing',
      'certificate-expiring',
      'resolved',
      'resolved',
    ]);
  });

  it('is not forgotten while the site gives none', () => {
    expect(news([expiring, expiring, down, expiring])).toEqual(['certificate-expiring']);
  });
});

describe('any history', () => {
  it('alternates: raised only after two failures in a row, cleared only after that, never twice in a row', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (fails) => {
        const told = story(fails.map((fail) => (fail ? down : well)));
        let raised = false;
        let streak = 0;
        for (const [i, fail] of fails.entries()) {
          streak = fail ? streak + 1 : 0;
          const expected = !raised && streak >= 2 ? 'site-failing' : raised && !fail ? 'resolved' : null;
          if (expected === 'site-failing') raised = true;
          if (expected === 'resolved') raised = false;
          const found = told[i];
          expect(found?.finding === undefined ? null : found.reason).toBe(expected);
        }
      }),
    );
  });
});

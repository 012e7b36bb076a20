import { expect, it } from 'vitest';
import { asWord, said } from '../../shared/words.ts';

it.each<[string, unknown, string]>([
  ['what is no error', 'down', 'down'],
  ['nothing', undefined, 'undefined'],
  ['name and message', new TypeError('boom'), 'TypeError: boom'],
  ['the name alone where there is no message', new RangeError(), 'RangeError'],
  [
    'causes to the last',
    new Error('outer', { cause: new Error('inner', { cause: 'root' }) }),
    'Error: outer (Error: inner (root))',
  ],
  [
    'all that a connection to several addresses met, which has no message of its own',
    new AggregateError([new Error('connect ECONNREFUSED ::1:443'), new Error('connect ETIMEDOUT 10.0.0.1:443')]),
    'AggregateError (Error: connect ECONNREFUSED ::1:443, Error: connect ETIMEDOUT 10.0.0.1:443)',
  ],
])('an error says %s', (_, error, text) => {
  expect(said(error)).toBe(text);
});

it.each([
  ['arn:aws:ecs:eu-west-1:111122223333:task/web/0123', 'arn:aws:ecs:eu-west-1:111122223333:task/web/0123'],
  ['autoScalingGroupName/my group', "'autoScalingGroupName/my group'"],
  ['https://a.example/?b=1&c=2', "'https://a.example/?b=1&c=2'"],
  ["it's; $(reboot)", "'it'\\''s; $(reboot)'"],
  ['', "''"],
])('a shell takes %s for one word', (text, word) => {
  expect(asWord(text)).toBe(word);
});

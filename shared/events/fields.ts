import * as v from 'valibot';
import { BrokenMessage } from './event.ts';

/** Keys come from outside and may be of any length; a path shows this much of each. */
const keyLength = 64;
const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})$/;
const nouns: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  Array: 'a list',
};

export type Fields = Readonly<Record<string, unknown>>;

/** True for an object that is not a list. */
export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of an object; none where it is something else. */
export function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

/** What a value is, for an error message; never the value itself. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (value === '') return 'an empty string';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A value as JSON; empty where it has none. Never throws. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

/** Epoch ms of an ISO 8601 time that carries its zone (`Z`, `+00:00`, and AWS's `+0000`), else undefined. */
export function epochMs(value: unknown): number | undefined {
  const ms = typeof value === 'string' && isoTime.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

const notList = v.custom<Fields>(isObject, 'an object');

/** An object with these fields, others ignored. Unlike valibot's own, a list is none. */
export function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(notList, v.object(entries));
}

/** An object whose every value is a string. */
export const textMap = v.pipe(notList, v.record(v.string(), v.string()));

/** A string that is not empty. */
export const text = v.pipe(v.string(), v.minLength(1, 'a string that is not empty'));

/** An ISO 8601 time with its zone, as epoch ms. */
export const time = v.pipe(
  v.string(),
  v.check((value) => epochMs(value) !== undefined, 'an ISO 8601 time with its zone'),
  v.transform((value) => Date.parse(value)),
);

/**
 * Reads `input` by `schema`.
 * @throws BrokenMessage naming the first wrong field by its path, e.g. `detail.state.value`.
 */
export function read<Output>(schema: v.GenericSchema<unknown, Output>, input: unknown): Output {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((step) => String(step.key).slice(0, keyLength));
  throw new BrokenMessage(path.join('.') || 'message', expectation(issue), kindOf(issue.input));
}

function expectation(issue: v.BaseIssue<unknown>): string {
  return issue.input === undefined ? 'a value' : (nouns[issue.expected ?? ''] ?? issue.message);
}

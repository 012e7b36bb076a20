import type { OutcomeAction } from '../shared/decision.ts';
import { shortArn } from '../shared/words.ts';

/** `UpdateShardCount TargetShardCount=2`: a call on one line, without the parameters that are `known` and those that are empty. */
export function callText({ call, params }: Pick<OutcomeAction, 'call' | 'params'>, known: readonly string[]): string {
  const shown = Object.entries(typeof params === 'object' && params !== null ? params : {})
    .filter(([name]) => !known.includes(name))
    .map(([name, value]) => [name, valueText(value)])
    .filter(([, text]) => text !== '' && text !== '[]')
    .map(([name, text]) => `${name}=${text}`);
  return [call, ...shown].join(' ');
}

/** A parameter as people read it: tags and dimensions as `name=value`, ARNs short. */
function valueText(value: unknown): string {
  if (typeof value === 'string') return shortArn(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value);
  const [[first, name] = [], [second, named] = [], ...more] = entries;
  const isPair = /^(key|name)$/i.test(String(first)) && /^value$/i.test(String(second)) && more.length === 0;
  return isPair
    ? `${valueText(name)}=${valueText(named)}`
    : `{${entries.map(([key, inner]) => `${key}: ${valueText(inner)}`).join(', ')}}`;
}

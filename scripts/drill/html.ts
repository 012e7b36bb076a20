import { type Drill, type Story, type View, verdict } from './story.ts';
import type { Trace } from './trace.ts';
import { duration, type Row, rowsOf } from './waterfall.ts';
import { actionText, changeText, clockText, count, viewText } from './words.ts';

/** HTML that is already safe. */
type Html = { readonly html: string };
type Part = Html | string | number | null | readonly Part[];

/** Escapes everything that is put in, except what this function made itself. */
function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return {
    html: strings.map((text, index) => text + (index < parts.length ? markup(parts[index] ?? null) : '')).join(''),
  };
}

function markup(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  return 'html' in part ? part.html : part.map(markup).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

/** The whole drill as one page that needs nothing from anywhere. */
export function page(drill: Drill): string {
  const { passed, failed, skipped } = verdict(drill.stories);
  const head =
    failed === 0
      ? `${passed} of ${passed + skipped} as it should be`
      : `${failed} of ${passed + failed + skipped} failed`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Reflex drill: ${head}</title>
<style>${{ html: style }}</style>
</head>
<body>
<header>
<h1>Reflex drill</h1>
<p class="verdict ${failed === 0 ? 'passed' : 'failed'}">${head}${skipped === 0 ? null : `, ${skipped} skipped`}</p>
<p>The template, deployed to an AWS that is embedded on one machine. Trouble was made; this is what Reflex did about it.
Before and after are read from that AWS, bars are the X-Ray segments the functions sent.</p>
<p class="quiet">${new Date(drill.startedAt).toISOString().replace('T', ' ').slice(0, 16)} UTC, took ${duration(drill.endedAt - drill.startedAt)}</p>
</header>
<nav aria-label="Scenarios"><table>
<caption>Scenarios</caption>
<thead><tr><th scope="col">Scenario</th><th scope="col">Function</th><th scope="col">Result</th><th scope="col">Before → after</th><th scope="col">Decision</th><th scope="col" class="number">Event to call</th></tr></thead>
<tbody>${drill.stories.map(summaryRow)}</tbody>
</table></nav>
<main>${drill.stories.map(article)}</main>
<footer>
<details><summary>What was deployed: ${count(drill.resources.length, 'resource')}</summary>
<table><caption>Resources of the stack</caption>
<thead><tr><th scope="col">Logical id</th><th scope="col">Type</th></tr></thead>
<tbody>${drill.resources.map(({ id, type }) => html`<tr><td>${id}</td><td>${type}</td></tr>`)}</tbody></table></details>
${
  drill.differences.length === 0
    ? null
    : html`<h2>Otherwise than in template.yaml</h2>
<dl class="plain">${drill.differences.map(({ what, why }) => html`<dt><code>${what}</code></dt><dd>${why}</dd>`)}</dl>`
}
<p class="quiet">${drill.setting.map(([name, value]) => `${name} ${value}`).join(' · ')}</p>
</footer>
</body>
</html>
`.html;
}

const words: Readonly<Record<Story['status'], string>> = {
  passed: '✓ passed',
  failed: '✗ failed',
  skipped: '– skipped',
};

function summaryRow(story: Story): Html {
  const { id, title, fn, status, decision, reactionMs } = story;
  return html`<tr><th scope="row"><a href="#${id}">${title}</a></th><td>${fn}</td><td class="${status}">${words[status]}</td>
<td>${changeText(story)}</td>
<td>${decision === null ? '' : `${decision.decision}: ${decision.reason}${decision.dryRun ? ' (dry run)' : ''}`}</td>
<td class="number">${reactionMs === null ? '' : duration(reactionMs)}</td></tr>
`;
}

function article(story: Story): Html {
  const {
    id,
    title,
    shows,
    fn,
    status,
    note,
    event,
    decision,
    before,
    after,
    reactionMs,
    trace,
    moments,
    notification,
    checks,
  } = story;
  return html`<article id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title} <span class="badge ${status}">${words[status]}</span></h2>
<p>${shows}</p>
${note === null ? null : html`<p class="${status}">${note}</p>`}
<dl>
${entry('Function', fn)}
${entry('Event', event)}
${
  decision === null
    ? null
    : [
        entry(
          'Decision',
          html`<strong>${decision.decision}</strong> <code>${decision.reason}</code>${decision.dryRun ? ' (dry run)' : null}`,
        ),
        entry('Why', decision.why),
        entry(
          decision.dryRun ? 'Would call' : 'Calls',
          decision.actions.length === 0
            ? null
            : decision.actions.map((action) => html`<code>${actionText(action)}</code><br>`),
        ),
      ]
}
${before === null ? null : entry('AWS before', viewed(before))}
${after === null ? null : entry('AWS after', viewed(after))}
${entry('Reaction', reactionMs === null ? null : `${duration(reactionMs)} from the event to the answer of the call`)}
${entry('Told', notification)}
</dl>
${
  moments.length === 0
    ? null
    : html`<h3>The incident's story</h3><ol class="moments">${moments.map(
        ({ at, what }) => html`<li><time datetime="${new Date(at).toISOString()}">${clockText(at)}</time> ${what}</li>`,
      )}</ol>`
}
${trace === null ? null : waterfall(trace, `${id}-trace`)}
${
  checks.length === 0
    ? null
    : html`<h3>Checked on the embedded AWS</h3><ul class="checks">${checks.map(
        ({ what, ok }) => html`<li class="${ok ? 'passed' : 'failed'}"><span>${ok ? '✓' : '✗'}</span> ${what}</li>`,
      )}</ul>`
}
</article>
`;
}

function entry(term: string, value: Part): Html | null {
  return value === null ? null : html`<dt>${term}</dt><dd>${value}</dd>`;
}

function viewed(view: View): Html {
  const text = viewText(view);
  if (!('open' in view)) {
    return html`${text}<ul class="parts">${view.parts.map(({ id, says }) => html`<li><code>${id}</code> ${says}</li>`)}</ul>`;
  }
  return html`${text}<svg class="shards" viewBox="0 0 400 14" preserveAspectRatio="none" role="img" aria-label="${text}">${view.open.map(
    ({ id, from, to }) =>
      html`<rect x="${from * 400 + 1}" y="1" width="${Math.max((to - from) * 400 - 2, 1)}" height="12" rx="2"><title>${id}</title></rect>`,
  )}</svg>`;
}

const line = 22;
const left = 300;
const right = 80;
const whole = 960;

function waterfall(trace: Trace, id: string): Html {
  const rows = rowsOf(trace);
  const width = whole - left - right;
  const took = duration(trace.end - trace.start);
  const drawn = (row: Row, index: number): Html => {
    const y = index * line;
    const start = left + row.from * width;
    const kind = row.trouble === null ? row.kind : 'trouble';
    return html`<g class="${kind}"><text x="${row.depth * 14}" y="${y + 15}">${row.label}</text><rect x="${start}" y="${y + 4}" width="${Math.max((row.to - row.from) * width, 1.5)}" height="${line - 8}" rx="2"/><text x="${whole}" y="${y + 15}" text-anchor="end">${duration(row.ms)}</text></g>`;
  };
  return html`<h3 id="${id}">Trace <code>${trace.id}</code>, ${took}</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="${id}"><svg class="waterfall" viewBox="0 0 ${whole} ${rows.length * line}" role="img" aria-label="Waterfall of ${count(rows.length, 'span')}, ${took}; the table below has the same">${rows.map(drawn)}</svg></div>
<details><summary>The same as a table</summary><table><caption>Spans</caption>
<thead><tr><th scope="col">Span</th><th scope="col" class="number">Starts at</th><th scope="col" class="number">Takes</th></tr></thead>
<tbody>${rows.map(({ label, depth, from, ms, trouble }) => html`<tr><td style="padding-left:${depth + 0.4}em">${label}${trouble === null ? null : ` (${trouble})`}</td><td class="number">${duration(from * (trace.end - trace.start))}</td><td class="number">${duration(ms)}</td></tr>`)}</tbody></table></details>`;
}

const style = `
:root{--ink:#1b1f24;--quiet:#57606a;--paper:#fff;--card:#f6f8fa;--line:#d0d7de;--good:#116329;--bad:#a40e26;--warn:#7d4e00;--step:#2da44e;--call:#0969da;--link:#0550ae}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--quiet:#9198a1;--paper:#0d1117;--card:#161b22;--line:#30363d;--good:#56d364;--bad:#ff7b72;--warn:#e3b341;--step:#3fb950;--call:#58a6ff;--link:#79c0ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1rem 4rem;max-width:64rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.9rem}h2{font-size:1.2rem;margin:0 0 .3rem}h3{font-size:1rem;margin:1.4rem 0 .4rem}
a{color:var(--link)}code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}
.verdict{font-size:1.3rem;font-weight:600;margin:.2rem 0 .8rem}.quiet{color:var(--quiet);font-size:.9rem}
.passed{color:var(--good)}.failed{color:var(--bad)}.skipped{color:var(--warn)}
article{margin:1.5rem 0;padding:1.2rem 1.4rem;background:var(--card);border:1px solid var(--line);border-radius:8px;scroll-margin-top:1rem}
article p{margin:.2rem 0 .8rem}.badge{font-size:.85rem;font-weight:600;margin-left:.4rem;white-space:nowrap}
table{border-collapse:collapse;width:100%}caption{text-align:left;color:var(--quiet);font-size:.85rem;padding-bottom:.3rem}
th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}tbody th{font-weight:400}
nav{overflow-x:auto}nav table{font-size:.93rem}nav td,nav thead th{white-space:nowrap}nav tbody th{min-width:14rem}
.number{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:8rem 1fr;gap:.35rem 1rem;margin:0}dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
dl.plain{grid-template-columns:1fr}dl.plain dd{margin:0 0 .6rem}
.parts{margin:.2rem 0 0;padding-left:1.2rem}
.shards{display:block;width:100%;max-width:26rem;height:14px;margin-top:.3rem}.shards rect{fill:var(--call);opacity:.75}
.scroll{overflow-x:auto}.waterfall{display:block;min-width:44rem;width:100%;font:12px ui-monospace,monospace}
.waterfall text{fill:var(--ink)}.waterfall .call text{fill:var(--quiet)}
.waterfall .step rect{fill:var(--step)}.waterfall .call rect{fill:var(--call)}.waterfall .trouble rect{fill:var(--bad)}
.moments{list-style:none;padding:0;margin:0}.moments li{display:grid;grid-template-columns:5.5rem 1fr;margin:.2rem 0}.moments time{font-variant-numeric:tabular-nums;color:var(--quiet)}
.checks{list-style:none;padding:0;margin:0}.checks li{color:var(--ink)}.checks .passed span{color:var(--good)}.checks .failed span{color:var(--bad)}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--link)}
@media(max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}
@media print{article{break-inside:avoid}}
`;

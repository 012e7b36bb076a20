import { describe, expect, it } from 'vitest';
import { page } from '../../../scripts/drill/html.ts';
import type { Drill, Story } from '../../../scripts/drill/story.ts';
import { deployedLines, differenceLines, shardBar, storyLines, verdictLines } from '../../../scripts/drill/terminal.ts';
import { assemble } from '../../../scripts/drill/trace.ts';
import type { JsonObject } from '../../../shared/json.ts';

const [trace = null] = assemble([
  { id: 'a', name: 'act', trace_id: '1-5f', parent_id: 'p', start_time: 1, end_time: 1.1 },
  {
    id: 'b',
    name: 'Kinesis',
    trace_id: '1-5f',
    parent_id: 'a',
    start_time: 1,
    end_time: 1.05,
    aws: { operation: 'UpdateShardCount' },
  },
]);
const one = { status: 'ACTIVE', open: [{ id: 'shardId-0', from: 0, to: 1 }], closed: [] };
const two = {
  status: 'ACTIVE',
  open: [
    { id: 'shardId-1', from: 0, to: 0.5 },
    { id: 'shardId-2', from: 0.5, to: 1 },
  ],
  closed: ['shardId-0'],
};

const story: Story = {
  id: 'eventbridge',
  title: 'An alarm on the event bus',
  shows: 'The alarm needs no action.',
  fn: 'reshard-kinesis',
  status: 'passed',
  note: null,
  name: 'drill-eventbridge',
  event: 'EventBridge: alarm a is ALARM',
  decision: {
    decision: 'act',
    reason: 'scale-up',
    why: '99 % of 1 shard; 2 would carry it.',
    mode: 'on',
    dryRun: false,
    actions: [{ call: 'UpdateShardCount', params: { StreamARN: 'arn', TargetShardCount: 2 } }],
  },
  before: one,
  after: two,
  reactionMs: 931,
  trace,
  moments: [{ at: Date.UTC(2026, 2, 5, 3, 12), what: 'act scale-up' }],
  notification: 'Reflex acted',
  checks: [{ what: 'ListShards: 2 open shards', ok: true }],
};

const drill = (stories: readonly Story[]): Drill => ({
  startedAt: 0,
  endedAt: 150_000,
  setting: [['Node', '24']],
  resources: [{ id: 'Ledger', type: 'AWS::DynamoDB::Table' }],
  differences: [{ what: 'Doc', why: 'the emulator does not know AWS::SSM::Document' }],
  stories,
});

const plain = { paint: (_style: string, text: string) => text, width: 100 };

describe('a story on the terminal', () => {
  it('tells event, decision, why, before, after, reaction, trace and checks', () => {
    const text = storyLines(story, plain).join('\n');

    for (const part of [
      'Function    reshard-kinesis',
      'EventBridge: alarm a is ALARM',
      'act scale-up',
      '99\u00a0% of 1 shard',
      'UpdateShardCount TargetShardCount=2',
      '1 open shard ',
      '2 open shards, 1 closed',
      '931 ms from the event to the answer of the call',
      '1-5f',
      'Kinesis UpdateShardCount',
      '03:12:00',
      '✓ ListShards: 2 open shards',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('never is wider than the terminal', () => {
    const words = 'word '.repeat(60);
    const long: Story = {
      ...story,
      event: words,
      moments: [{ at: 0, what: words }],
      decision: story.decision && { ...story.decision, actions: [{ call: 'PutMetricAlarm', params: { words } }] },
      before: { noun: 'alarm', parts: [{ id: 'an-alarm', says: words }] },
      trace: trace && { ...trace, spans: trace.spans.map((span) => ({ ...span, name: 'Span'.repeat(30) })) },
      notification: words,
      checks: [{ what: words, ok: true }],
    };

    expect(Math.max(...storyLines(long, { ...plain, width: 80 }).map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('says of a dry run what would have been called', () => {
    const dry = { ...story, decision: story.decision && { ...story.decision, dryRun: true } };

    expect(storyLines(dry, plain).join('\n')).toMatch(/Would call +UpdateShardCount/);
    expect(storyLines(story, plain).join('\n')).not.toContain('Would call');
  });

  it('marks what was not so', () => {
    const failed: Story = {
      ...story,
      status: 'failed',
      note: 'Not so: 2 open shards',
      checks: [{ what: '2', ok: false }],
    };

    expect(storyLines(failed, plain).join('\n')).toContain('Not so: 2 open shards');
    expect(storyLines(failed, plain).join('\n')).toContain('✗ 2');
  });
});

describe('a resource that consists of parts', () => {
  const node = (nth: number, says: string) => ({ id: `cache-00${nth}`, says });
  const parts = [node(1, 'primary'), node(2, 'replica'), node(3, 'replica')];
  const cache: Story = { ...story, before: { noun: 'node', parts: parts.slice(0, 2) }, after: { noun: 'node', parts } };

  it('is listed with each of them, before and after', () => {
    const text = storyLines(cache, plain).join('\n');

    expect(text).toMatch(/AWS before +2 nodes +cache-001 {2}primary\n +cache-002 {2}replica\n/);
    expect(text.match(/(?<=\n).*(?=cache-002)/g)?.map((line) => line.length)).toEqual([28, 28]);
    expect(text).toMatch(/AWS after +3 nodes +cache-001 {2}primary\n +cache-002 {2}replica\n +cache-003 {2}replica\n/);
    expect(verdictLines(drill([cache]), plain.paint)[0]).toContain('2 → 3');
  });

  it('is the same on the page', () => {
    const html = page(drill([cache]));

    expect(html).toContain('<td>2 → 3</td>');
    expect(html).toContain('3 nodes<ul class="parts"><li><code>cache-001</code> primary</li>');
  });

  it('may have lost all of them', () => {
    const gone: Story = { ...cache, after: { noun: 'target', parts: [] } };

    expect(storyLines(gone, plain).join('\n')).toMatch(/AWS after +0 targets/);
  });
});

describe('a call', () => {
  const calling = (params: JsonObject): Story => ({
    ...story,
    decision: story.decision && { ...story.decision, actions: [{ call: 'Call', params }] },
  });
  const shown = (params: JsonObject) =>
    /Calls +(Call.*?)\n {4}AWS/s.exec(storyLines(calling(params), plain).join('\n'))?.[1];

  it('is shown with its parameters as people read them', () => {
    expect(
      shown({
        cluster: 'arn:aws:ecs:us-east-1:123456789012:cluster/p',
        group: '',
        AlarmActions: [],
        Tags: [{ Key: 'reflex:rescue', Value: 'done' }],
        Targets: [{ Id: '10.0.2.1' }],
      }),
    ).toBe('Call cluster=cluster/p Tags=[reflex:rescue=done] Targets=[{Id: 10.0.2.1}]');
  });

  it('is cut where it is long; the page has all of it', () => {
    const params = { words: 'word '.repeat(200) };

    expect(shown(params)?.split('\n')).toHaveLength(4);
    expect(shown(params)).toMatch(/…$/);
    expect(page(drill([calling(params)]))).toContain('word '.repeat(199));
  });
});

describe('the open shards', () => {
  it.each([
    [one, '├───────┤'],
    [two, '├───┼───┤'],
  ])('are parts of the hash key space', (view, drawn) => {
    expect(shardBar(view, 8)).toBe(drawn);
  });
});

describe('what was deployed', () => {
  it('is counted by type', () => {
    const queue = (id: string) => ({ id, type: 'AWS::SQS::Queue' });

    const lines = deployedLines([queue('a'), { id: 'b', type: 'AWS::SNS::Topic' }, queue('c')], 80);

    expect(lines).toEqual(['      SNS::Topic SQS::Queue×2']);
  });

  it('and what it has otherwise than the template is told with the reason, once', () => {
    const why = 'the emulator does not know AWS::SSM::Document';
    const differences = ['Doc', 'Other'].map((what) => ({ what, why }));

    expect(differenceLines(differences, plain).slice(1)).toEqual([`    Doc, Other (${why})`]);
    expect(differenceLines([], plain)).toEqual([]);
  });
});

describe('the verdict', () => {
  it('has a line for each scenario, with its function, in columns', () => {
    const stories: Story[] = [story, { ...story, id: 'a', fn: 'tune-alarms', status: 'failed', note: 'Not so: x' }];

    expect(verdictLines(drill(stories), plain.paint).slice(0, 2)).toEqual([
      '  ✓ eventbridge  reshard-kinesis  1 → 2   act scale-up             931 ms',
      '  ✗ a            tune-alarms      Not so: x',
    ]);
  });

  it('counts what failed and what was skipped', () => {
    const stories: Story[] = [
      story,
      { ...story, status: 'failed', note: 'x' },
      { ...story, status: 'skipped', note: 'y' },
    ];

    expect(verdictLines(drill(stories), plain.paint).at(-1)).toContain('1 as it should be, 1 skipped, 1 failed');
  });
});

describe('the page', () => {
  it('needs nothing from anywhere', () => {
    const html = page(drill([story]));

    expect(html).not.toMatch(/(?:src|href)="(?!#)/);
    expect(html).not.toMatch(/@import|url\(|<script/);
  });

  it('tells the same as the terminal, with the waterfall as a picture and as a table', () => {
    const html = page(drill([story]));

    for (const part of [
      story.title,
      'scale-up',
      '1 → 2',
      '931 ms',
      'role="img"',
      '<caption>Spans</caption>',
      'AWS::SSM::Document',
    ]) {
      expect(html).toContain(part);
    }
  });

  it('escapes what comes from outside', () => {
    const html = page(drill([{ ...story, event: '<script>alert("x")</script> & co', notification: "it's" }]));

    expect(html).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co');
    expect(html).toContain('it&#39;s');
    expect(html).not.toContain('<script');
  });

  it('says in its title what failed', () => {
    expect(page(drill([story]))).toContain('<title>Reflex drill: 1 of 1 as it should be</title>');
    expect(page(drill([{ ...story, status: 'failed', note: 'x' }]))).toContain('1 of 1 failed</title>');
  });
});

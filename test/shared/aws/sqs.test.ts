import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { send, sendBatch } from '../../../shared/aws/sqs.ts';
import { type AwsEndpoint, type AwsRequest, startAwsEndpoint } from '../../support/aws-endpoint.ts';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly DelaySeconds: number;
}
const entries = (request: AwsRequest | undefined): Entry[] => (request?.input.Entries ?? []) as Entry[];

let endpoint: AwsEndpoint;
let queue: string;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  queue = `${endpoint.url}/111122223333/inbox`;
});
afterAll(async () => {
  await endpoint.close();
});
beforeEach(() => {
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
  vi.stubEnv('AWS_ENDPOINT_URL', endpoint.url);
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  endpoint.requests.length = 0;
});

describe('send', () => {
  const answer = ({ input }: AwsRequest) => ({
    body: { MessageId: 'm-1', MD5OfMessageBody: md5(String(input.MessageBody)) },
  });

  it('sends the body with its delay and gives the message id', async () => {
    endpoint.reply(answer);

    const id = await send(queue, { body: '{"kind":"follow-up"}', delaySeconds: 60 });

    expect(id).toBe('m-1');
    expect(endpoint.requests[0]?.operation).toBe('SendMessage');
    expect(endpoint.requests[0]?.input).toEqual({
      QueueUrl: queue,
      MessageBody: '{"kind":"follow-up"}',
      DelaySeconds: 60,
    });
  });

  it.each([
    [901, 900],
    [86_400, 900],
    [0.2, 1],
    [0, 0],
    [-5, 0],
  ])('delays %d s by %d s: SQS takes whole seconds from 0 to 900', async (wanted, sent) => {
    endpoint.reply(answer);

    await send(queue, { body: 'x', delaySeconds: wanted });

    expect(endpoint.requests[0]?.input.DelaySeconds).toBe(sent);
  });

  it('throws what SQS throws', async () => {
    endpoint.reply(() => ({ status: 403, body: { __type: 'com.amazonaws.sqs#AccessDeniedException' } }));

    await expect(send(queue, { body: 'x', delaySeconds: 0 })).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });
});

describe('sendBatch', () => {
  const messages = Array.from({ length: 23 }, (_, index) => ({ body: `body ${index}`, delaySeconds: index }));
  const sent = ({ Id, MessageBody }: Entry) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) });

  it('sends every message once, ten a call', async () => {
    endpoint.reply((request) => ({ body: { Successful: entries(request).map(sent) } }));

    const failures = await sendBatch(queue, messages);

    expect(failures).toEqual([]);
    expect(endpoint.requests.map((request) => entries(request).length)).toEqual([10, 10, 3]);
    const bodies = endpoint.requests
      .flatMap(entries)
      .map(({ MessageBody, DelaySeconds }) => [MessageBody, DelaySeconds]);
    expect(bodies).toEqual(messages.map(({ body, delaySeconds }) => [body, delaySeconds]));
  });

  it('gives the messages that SQS refused, by index', async () => {
    endpoint.reply((request) => ({
      body: {
        Successful: entries(request)
          .filter(({ Id }) => Id !== '4' && Id !== '21')
          .map(sent),
        Failed: entries(request)
          .filter(({ Id }) => Id === '4' || Id === '21')
          .map(({ Id }) => ({ Id, Code: 'InternalError', Message: 'try again', SenderFault: false })),
      },
    }));

    expect(await sendBatch(queue, messages)).toEqual([
      { index: 4, message: 'InternalError: try again' },
      { index: 21, message: 'InternalError: try again' },
    ]);
  });

  it('goes on after a call that failed as a whole, and gives its messages', async () => {
    endpoint.reply((request) =>
      endpoint.requests.length === 2 ? { hangUp: true } : { body: { Successful: entries(request).map(sent) } },
    );

    const failures = await sendBatch(queue, messages);

    expect(failures.map(({ index }) => index)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(failures[0]?.message).toContain('socket hang up');
    expect(endpoint.requests).toHaveLength(3);
  });

  it('calls nothing for no messages', async () => {
    expect(await sendBatch(queue, [])).toEqual([]);
    expect(endpoint.requests).toEqual([]);
  });
});

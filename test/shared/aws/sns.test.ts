import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { publish } from '../../../shared/aws/sns.ts';
import { type AwsEndpoint, startAwsEndpoint } from '../../support/aws-endpoint.ts';

const topic = 'arn:aws:sns:eu-west-1:111122223333:reflex';
let endpoint: AwsEndpoint;

beforeAll(async () => {
  endpoint = await startAwsEndpoint();
});
afterAll(async () => {
  await endpoint.close();
});
beforeEach(() => {
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
  vi.stubEnv('AWS_ENDPOINT_URL', endpoint.url);
  endpoint.requests.length = 0;
});

describe('publish', () => {
  it('sends the subject and a message per protocol, and gives the message id', async () => {
    const body =
      '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>';
    endpoint.reply(() => ({ body, headers: { 'content-type': 'text/xml' } }));
    const message = JSON.stringify({ default: 'short', email: 'long' });

    const id = await publish(topic, { subject: 'Reflex acted', message });

    expect(id).toBe('m-1');
    expect(endpoint.requests).toHaveLength(1);
    expect(endpoint.requests[0]?.input).toMatchObject({
      Action: 'Publish',
      TopicArn: topic,
      Subject: 'Reflex acted',
      Message: message,
      MessageStructure: 'json',
    });
  });

  it('throws what SNS throws', async () => {
    const body =
      '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error></ErrorResponse>';
    endpoint.reply(() => ({ status: 404, body, headers: { 'content-type': 'text/xml' } }));

    await expect(publish(topic, { subject: 's', message: '{"default":"x"}' })).rejects.toMatchObject({
      name: 'NotFoundException',
    });
  });
});

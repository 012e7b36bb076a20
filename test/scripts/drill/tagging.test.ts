import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../scripts/drill/aws.ts';
import { matching, startTagging } from '../../../scripts/drill/tagging.ts';

const arn = (service: string, resource: string) => `arn:aws:${service}:us-east-1:123456789012:${resource}`;
const stream = { ResourceARN: arn('kinesis', 'stream/a'), Tags: [{ Key: 'reflex:enabled', Value: 'true' }] };
const off = { ResourceARN: arn('kinesis', 'stream/b'), Tags: [{ Key: 'reflex:enabled', Value: 'false' }] };
const bare = { ResourceARN: arn('kinesis', 'stream/c'), Tags: [] };
const alarm = { ResourceARN: arn('cloudwatch', 'alarm:x'), Tags: [{ Key: 'reflex:alarm-of', Value: 'y' }] };
const held = [stream, off, bare, alarm];

describe('what the Tagging API lists', () => {
  it.each([
    ['of a type', { ResourceTypeFilters: ['kinesis:stream'] }, [stream, off]],
    ['of an alarm, whose ARN has a colon', { ResourceTypeFilters: ['cloudwatch:alarm'] }, [alarm]],
    ['with a tag', { TagFilters: [{ Key: 'reflex:alarm-of' }] }, [alarm]],
    ['with a value', { TagFilters: [{ Key: 'reflex:enabled', Values: ['true'] }] }, [stream]],
    ['by ARN, without what has no tags', { ResourceARNList: [off.ResourceARN, bare.ResourceARN] }, [off]],
  ])('%s', (_, question, listed) => {
    expect(matching(question, held)).toEqual(listed);
  });
});

describe('what stands in for it', () => {
  const group = {
    ResourceARN: arn('elasticache', 'replicationgroup:g'),
    Tags: [{ Key: 'reflex:enabled', Value: '1' }],
  };
  const answers: Readonly<Record<string, unknown>> = {
    GetResources: { ResourceTagMappingList: [group], PaginationToken: '' },
    ListStreams: { StreamNames: ['a'], HasMoreStreams: false },
    ListTagsForStream: { Tags: stream.Tags, HasMoreTags: false },
  };
  const heard: string[] = [];
  const emulator = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    heard.push(operation);
    await text(request);
    response.setHeader('content-type', 'application/x-amz-json-1.1').end(JSON.stringify(answers[operation]));
  });
  beforeAll(() => new Promise<void>((listening) => emulator.listen(0, '127.0.0.1', listening)));
  afterAll(() => emulator.close());

  it('adds what moto holds to what ministack answers, and asks only for the type', async () => {
    const endpoint = `http://127.0.0.1:${(emulator.address() as AddressInfo).port}`;
    const tagging = new ResourceGroupsTaggingAPIClient({
      endpoint: await startTagging(connect(endpoint, endpoint)),
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    });

    const { ResourceTagMappingList } = await tagging.send(
      new GetResourcesCommand({ ResourceTypeFilters: ['kinesis:stream'], TagFilters: [{ Key: 'reflex:enabled' }] }),
    );

    expect(ResourceTagMappingList).toEqual([group, stream]);
    expect(heard.toSorted()).toEqual(['GetResources', 'ListStreams', 'ListTagsForStream']);
  });
});

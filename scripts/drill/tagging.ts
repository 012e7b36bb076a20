import { text } from 'node:stream/consumers';
import { DescribeAlarmsCommand, ListTagsForResourceCommand } from '@aws-sdk/client-cloudwatch';
import { DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { ListStreamsCommand, ListTagsForStreamCommand } from '@aws-sdk/client-kinesis';
import type { Aws } from './aws.ts';
import { arnOfVolume } from './hosts.ts';
import { serve } from './serve.ts';
import { streamArn } from './streams.ts';

/** A resource with its tags, as the Tagging API lists it. */
interface Mapping {
  readonly ResourceARN: string;
  readonly Tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[];
}

/** GetResources, as far as it is asked here. */
interface Question {
  readonly TagFilters?: readonly { readonly Key: string; readonly Values?: readonly string[] }[];
  readonly ResourceTypeFilters?: readonly string[];
  readonly ResourceARNList?: readonly string[];
}

/**
 * The Resource Groups Tagging API, which ministack has only of its own services, and moto not without packages that nothing else
 * needs. Streams, alarms and volumes are asked of moto, which holds them; the rest is ministack's answer. Ends with the process.
 */
export function startTagging(aws: Aws): Promise<string> {
  return serve(async (request, response) => {
    const { authorization = '', 'content-type': type = '', 'x-amz-target': target = '' } = request.headers;
    const body = await text(request);
    const headers = { authorization, 'content-type': type, 'x-amz-target': String(target) };
    const question = JSON.parse(body) as Question;
    const [answer, held] = await Promise.all([
      fetch(aws.endpoint, { method: 'POST', headers, body }),
      heldByMoto(aws, question),
    ]);
    response.writeHead(answer.status, { 'content-type': type });
    response.end(answer.ok ? withMappings(await answer.text(), matching(question, held)) : await answer.text());
  });
}

/** Only types that are asked for: each is a call and more. */
async function heldByMoto(aws: Aws, { ResourceTypeFilters, ResourceARNList = [] }: Question): Promise<Mapping[]> {
  const types = ResourceTypeFilters ?? ResourceARNList.map(typeOf);
  const asked = Object.entries(holders).filter(([type]) => types.includes(type));
  return (await Promise.all(asked.map(([, read]) => read(aws)))).flat();
}

async function streams({ kinesis }: Aws): Promise<Mapping[]> {
  const { StreamNames = [] } = await kinesis.send(new ListStreamsCommand({ Limit: 100 }));
  return Promise.all(
    StreamNames.map(async (StreamName) => {
      const { Tags = [] } = await kinesis.send(new ListTagsForStreamCommand({ StreamName }));
      return { ResourceARN: streamArn(StreamName), Tags };
    }),
  );
}

async function alarms({ metrics }: Aws): Promise<Mapping[]> {
  const { MetricAlarms = [] } = await metrics.send(new DescribeAlarmsCommand({}));
  return Promise.all(
    MetricAlarms.map(async ({ AlarmArn: ResourceARN = '' }) => {
      const { Tags = [] } = await metrics.send(new ListTagsForResourceCommand({ ResourceARN }));
      return { ResourceARN, Tags };
    }),
  );
}

async function volumes({ ec2 }: Aws): Promise<Mapping[]> {
  const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({}));
  return Volumes.map(({ VolumeId = '', Tags = [] }) => ({ ResourceARN: arnOfVolume(VolumeId), Tags }));
}

const holders: Readonly<Record<string, (aws: Aws) => Promise<Mapping[]>>> = {
  'kinesis:stream': streams,
  'cloudwatch:alarm': alarms,
  'ec2:volume': volumes,
};

/** Those of the resources that GetResources would list. Pure. */
export function matching(question: Question, held: readonly Mapping[]): Mapping[] {
  const { TagFilters = [], ResourceTypeFilters, ResourceARNList } = question;
  return held.filter(
    ({ ResourceARN, Tags }) =>
      Tags.length > 0 &&
      (ResourceARNList?.includes(ResourceARN) ?? true) &&
      (ResourceTypeFilters?.includes(typeOf(ResourceARN)) ?? true) &&
      TagFilters.every(({ Key, Values = [] }) => {
        const tag = Tags.find((each) => each.Key === Key);
        return tag !== undefined && (Values.length === 0 || Values.includes(tag.Value ?? ''));
      }),
  );
}

/** `kinesis:stream` */
function typeOf(arn: string): string {
  const [, , service = '', , , resource = ''] = arn.split(':');
  return `${service}:${resource.split('/')[0]}`;
}

function withMappings(body: string, more: readonly Mapping[]): string {
  const answer = JSON.parse(body) as { readonly ResourceTagMappingList?: readonly Mapping[] };
  return JSON.stringify({ ...answer, ResourceTagMappingList: [...(answer.ResourceTagMappingList ?? []), ...more] });
}

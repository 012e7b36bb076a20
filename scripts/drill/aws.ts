import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ECSClient } from '@aws-sdk/client-ecs';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { ElastiCacheClient } from '@aws-sdk/client-elasticache';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { account, region } from './emulator.ts';

/** Clients of the embedded AWS. Only these, with these endpoints, are ever used: no profile, no account of anybody's. */
export interface Aws {
  readonly endpoint: string;
  readonly kinesis: KinesisClient;
  /** Metrics, as the functions read them. */
  readonly metrics: CloudWatchClient;
  /** Alarms: only this CloudWatch evaluates them and tells SNS. */
  readonly alarms: CloudWatchClient;
  readonly dynamodb: DynamoDBClient;
  readonly ec2: EC2Client;
  readonly ecs: ECSClient;
  /** ECS on EC2: container instances, which only this one has. */
  readonly hosts: ECSClient;
  readonly elasticache: ElastiCacheClient;
  readonly elbv2: ElasticLoadBalancingV2Client;
  readonly lambda: LambdaClient;
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
  readonly ssm: SSMClient;
}

/** @throws Error where an endpoint is not on this machine. */
export function connect(endpoint: string, motoEndpoint: string): Aws {
  const config = (url: string) => ({
    endpoint: loopback(url),
    region,
    credentials: { accessKeyId: account, secretAccessKey: 'drill' },
    requestHandler: new NodeHttpHandler({ connectionTimeout: 2_000, requestTimeout: 70_000 }),
  });
  return {
    endpoint: loopback(endpoint),
    kinesis: new KinesisClient(config(motoEndpoint)),
    // moto does not unpack what the SDK compresses: PutMetricData from 10 kB on.
    metrics: new CloudWatchClient({ ...config(motoEndpoint), disableRequestCompression: true }),
    alarms: new CloudWatchClient(config(endpoint)),
    dynamodb: new DynamoDBClient(config(endpoint)),
    ec2: new EC2Client(config(motoEndpoint)),
    ecs: new ECSClient(config(endpoint)),
    hosts: new ECSClient(config(motoEndpoint)),
    elasticache: new ElastiCacheClient(config(endpoint)),
    elbv2: new ElasticLoadBalancingV2Client(config(endpoint)),
    lambda: new LambdaClient(config(endpoint)),
    logs: new CloudWatchLogsClient(config(endpoint)),
    s3: new S3Client({ ...config(endpoint), forcePathStyle: true }),
    sns: new SNSClient(config(endpoint)),
    sqs: new SQSClient(config(endpoint)),
    ssm: new SSMClient(config(motoEndpoint)),
  };
}

export function loopback(url: string): string {
  const { hostname } = new URL(url);
  if (hostname === '127.0.0.1' || hostname === '[::1]') return url;
  throw new Error(`${url} is not on this machine; the drill never leaves it`);
}

/** The services of which the drill needs a call or two: plain HTTP, as the SDK would send it. */
export async function putObject({ endpoint }: Aws, path: string, body?: Uint8Array): Promise<void> {
  await send(endpoint, 's3', { method: 'PUT', path, ...(body !== undefined && { body }) });
}

/** PutEvents of one event, with its own `source` (AWS itself would refuse `aws.*`). @throws Error where the bus refuses it. */
export async function putEvent(aws: Aws, event: EventBridgeEvent): Promise<void> {
  const entry = {
    Source: event.source,
    DetailType: event['detail-type'],
    Time: Math.floor(Date.parse(event.time) / 1000),
    Resources: event.resources,
    Detail: JSON.stringify(event.detail),
  };
  const answer = await send(aws.endpoint, 'events', {
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AWSEvents.PutEvents' },
    body: JSON.stringify({ Entries: [entry] }),
  });
  if (JSON.parse(answer).FailedEntryCount !== 0) throw new Error(`PutEvents: ${answer}`);
}

export interface EventBridgeEvent {
  readonly source: string;
  readonly 'detail-type': string;
  readonly time: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
}

/** A call of CloudFormation; gives the XML of the answer. */
export function cloudFormation({ endpoint }: Aws, action: string, params: Readonly<Record<string, string>>) {
  return send(endpoint, 'cloudformation', {
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ Action: action, Version: '2010-05-15', ...params }).toString(),
  });
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

async function send(endpoint: string, service: string, { path, headers, ...request }: Request): Promise<string> {
  // The emulator finds the service in the credential's scope and does not check the signature.
  const scope = `${account}/20260101/${region}/${service}/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=drill`;
  const answer = await fetch(loopback(endpoint) + path, {
    ...(request as RequestInit),
    headers: { ...headers, authorization },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${service} answered ${answer.status}: ${text.slice(0, 500)}`);
  return text;
}

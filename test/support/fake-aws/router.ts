import type { AwsReply, AwsRequest } from '../aws-endpoint.ts';
import { AwsError, type Input, Items, type Service } from './service.ts';

/** Which service a request is signed for. */
export const serviceOf = ({ headers }: AwsRequest): string =>
  /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\/aws4_request/.exec(headers.authorization ?? '')?.[1] ?? '';

/** What a request asks for: the operation, and its input. */
export const asked = (service: Service | undefined, request: AwsRequest): { operation: string; input: Input } =>
  service?.route?.(request) ?? { operation: request.operation, input: request.input };

/** The answer of an operation, in the service's protocol. */
export const answerOf = (service: Service | undefined, operation: string, input: Input): AwsReply => {
  const run = service?.operations[operation];
  if (service === undefined || run === undefined) {
    return refusal(service, new AwsError('UnknownOperationException', `the fake has no ${service?.name} ${operation}`));
  }
  try {
    const output = run(input);
    if (service.dialect) return service.dialect.answer(operation, output);
    return service.xml
      ? { body: `<${operation}Response><${operation}Result>${xml(output)}</${operation}Result></${operation}Response>` }
      : { body: output };
  } catch (error) {
    if (error instanceof AwsError) return refusal(service, error);
    throw error;
  }
};

export const refusal = (service: Service | undefined, error: AwsError): AwsReply =>
  service?.dialect?.refuse(error) ?? inItsProtocol(service, error);

const inItsProtocol = (service: Service | undefined, { code, message, status }: AwsError): AwsReply =>
  service?.xml
    ? {
        status,
        body: `<ErrorResponse><Error>${xml({ Type: 'Sender', Code: code, Message: message })}</Error></ErrorResponse>`,
      }
    : {
        status,
        // CloudWatch and SQS keep their query protocol's codes in a header, REST services theirs in another.
        headers: { 'x-amzn-errortype': code, 'x-amzn-query-error': `${code};Sender` },
        body: { __type: code, message },
      };

/** A list is a row of `member` elements, unless its elements have a name of their own. */
const xml = (value: unknown): string => {
  if (value instanceof Items)
    return value.items.map((item) => `<${value.element}>${xml(item)}</${value.element}>`).join('');
  if (Array.isArray(value)) return value.map((item) => `<member>${xml(item)}</member>`).join('');
  if (typeof value !== 'object' || value === null) return escaped(String(value));
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
    .join('');
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

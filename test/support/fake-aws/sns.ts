import type { Service } from './service.ts';

export interface Published {
  readonly TopicArn: string;
  readonly Subject: string;
  /** By protocol, as `MessageStructure: json` has it. */
  readonly Message: Readonly<Record<string, string>>;
}

/** SNS: what was published, in order. */
export const fakeSns = () => {
  const published: Published[] = [];
  const service: Service = {
    name: 'sns',
    xml: true,
    operations: {
      Publish: ({ TopicArn, Subject, Message }: Record<string, string>) => {
        published.push({ TopicArn: TopicArn ?? '', Subject: Subject ?? '', Message: JSON.parse(Message ?? '{}') });
        return { MessageId: `message-${published.length}` };
      },
    },
  };
  return { service, published };
};

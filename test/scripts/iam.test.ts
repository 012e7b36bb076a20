// biome-ignore-all lint/suspicious/noTemplateCurlyInString: as AWS and CloudFormation write it.
import { describe, expect, it } from 'vitest';
import { misgranted, type Reference } from '../../scripts/iam.ts';
import { parseTemplate } from '../../scripts/template.ts';

const reference: Reference = {
  things: {
    privileges: {
      Mend: { resource_types: { thing: { condition_keys: [] }, '': { condition_keys: ['things:Place'] } } },
      Look: { resource_types: { '': { condition_keys: [] } } },
    },
    resources: {
      thing: {
        arn: 'arn:${Partition}:things:${Region}:${Account}:thing/${Name}',
        condition_keys: ['aws:ResourceTag/${TagKey}'],
      },
    },
  },
};

const problems = (statement: string) =>
  misgranted(
    parseTemplate(`
Resources:
  Inbox: { Type: AWS::SQS::Queue }
  MenderRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - { Sid: Mend, Effect: Allow, ${statement} }
`),
    reference,
  );

const things = 'Resource: !Sub "arn:${AWS::Partition}:things:${AWS::Region}:${AWS::AccountId}:thing/*"';

describe('a statement', () => {
  it.each([
    [
      'with its resource and the tag',
      `Action: things:Mend, ${things}, Condition: { StringEquals: { 'aws:ResourceTag/x': y } }`,
    ],
    ['with a key of the action', `Action: things:Mend, ${things}, Condition: { StringEquals: { things:Place: y } }`],
    ['on everything', "Action: things:Look, Resource: '*'"],
    [
      'that asks for a key to be absent',
      `Action: things:Mend, ${things}, Condition: { 'Null': { things:Colour: 'true' } }`,
    ],
  ])('%s is right', (_, statement) => {
    expect(problems(statement)).toEqual([]);
  });

  it.each([
    ['of no action', "Action: things:Break, Resource: '*'", 'things:Break is no action of AWS'],
    [
      'with a condition that never holds',
      `Action: things:Mend, ${things}, Condition: { StringEquals: { things:Colour: y } }`,
      'knows no condition things:Colour',
    ],
    [
      'on a resource that the action has not',
      `Action: things:Look, ${things}`,
      'things:Look has no resource like arn:*:things:*:*:thing/*',
    ],
    [
      'on a resource of the stack that the action has not',
      'Action: things:Mend, Resource: !GetAtt Inbox.Arn',
      'has no resource like arn:*:sqs:*:*:*',
    ],
  ])('%s is told', (_, statement, problem) => {
    expect(problems(statement).join()).toContain(problem);
  });
});

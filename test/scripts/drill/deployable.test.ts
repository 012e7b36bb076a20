import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withCode, withoutUnknown, withProperty, withVariables } from '../../../scripts/drill/deployable.ts';
import { parseTemplate, readTemplate, type Template, type Value } from '../../../scripts/template.ts';

const template = (resources: string): Template => parseTemplate(`Resources:\n${resources}`);

const known = new Set(['AWS::SQS::Queue', 'AWS::SNS::Topic', 'AWS::IAM::Role']);

describe('a template without what the emulator does not know', () => {
  it('stays as it is where every type is known', () => {
    const whole = template('  Inbox: { Type: AWS::SQS::Queue, Properties: { QueueName: inbox } }');

    const { template: deployed, leftOut } = withoutUnknown(whole, known);

    expect(deployed.Resources).toEqual(whole.Resources);
    expect(leftOut).toEqual([]);
  });

  it('keeps what the SAM transform writes out', () => {
    const sam = template('  Fn: { Type: AWS::Serverless::Function, Properties: { Handler: index.handler } }');

    expect(Object.keys(withoutUnknown(sam, known).template.Resources)).toEqual(['Fn']);
  });

  it('leaves an unknown resource out and says why', () => {
    const { template: deployed, leftOut } = withoutUnknown(template('  Doc: { Type: AWS::SSM::Document }'), known);

    expect(deployed.Resources).toEqual({});
    expect(leftOut).toEqual([{ what: 'Doc', why: 'the emulator does not know AWS::SSM::Document' }]);
  });

  it.each([
    ['!Ref Doc', '{ Ref }'],
    ['!GetAtt Doc.Arn', 'Fn::GetAtt'],
    [`!Sub 'arn:x:\${Doc}'`, 'Fn::Sub'],
    [`!Sub 'arn:x:\${Doc.Arn}/y'`, 'Fn::Sub of an attribute'],
    ["!Join ['', [a, !Ref Doc]]", 'a reference inside another function'],
  ])('leaves out the property that is %s', (reference) => {
    const { template: deployed, leftOut } = withoutUnknown(
      template(`
  Doc: { Type: AWS::SSM::Document }
  Inbox:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: inbox
      Tag: ${reference}`),
      known,
    );

    expect(deployed.Resources.Inbox?.Properties).toEqual({ QueueName: 'inbox' });
    expect(leftOut[1]).toEqual({ what: 'Inbox.Tag', why: 'it refers to Doc' });
  });

  it('does not take a literal for a reference', () => {
    const { template: deployed } = withoutUnknown(
      template(`
  Doc: { Type: AWS::SSM::Document }
  Inbox: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub 'a-\${!Doc}', Other: Doc } }`),
      known,
    );

    expect(deployed.Resources.Inbox?.Properties).toEqual({ QueueName: { 'Fn::Sub': `a-\${!Doc}` }, Other: 'Doc' });
  });

  it('leaves out the whole statement of a policy, and no other', () => {
    const { template: deployed } = withoutUnknown(
      template(`
  Doc: { Type: AWS::SSM::Document }
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement:
              - { Sid: Kept, Action: 'a:b', Resource: '*' }
              - { Sid: Gone, Action: 'c:d', Resource: !GetAtt Doc.Arn }`),
      known,
    );

    expect(JSON.stringify(deployed)).toContain('Kept');
    expect(JSON.stringify(deployed)).not.toContain('Gone');
  });

  it('turns a branch of a condition into no value', () => {
    const { template: deployed } = withoutUnknown(
      template(`
  Doc: { Type: AWS::SSM::Document }
  Inbox: { Type: AWS::SQS::Queue, Properties: { Tag: !If [Given, !Ref Doc, other] } }`),
      known,
    );

    expect(deployed.Resources.Inbox?.Properties?.Tag).toEqual({
      'Fn::If': ['Given', { Ref: 'AWS::NoValue' }, 'other'],
    });
  });

  it('waits for nothing that is gone', () => {
    const { template: deployed } = withoutUnknown(
      template(`
  Doc: { Type: AWS::SSM::Document }
  One: { Type: AWS::SQS::Queue, DependsOn: Doc }
  Two: { Type: AWS::SQS::Queue, DependsOn: [Doc, One] }`),
      known,
    );

    expect(deployed.Resources.One).not.toHaveProperty('DependsOn');
    expect(deployed.Resources.Two?.DependsOn).toEqual(['One']);
  });

  it('leaves out an output as a whole', () => {
    const whole = parseTemplate(`
Resources: { Doc: { Type: AWS::SSM::Document }, Inbox: { Type: AWS::SQS::Queue } }
Outputs: { Doc: { Value: !Ref Doc }, Inbox: { Value: !Ref Inbox } }`);

    expect(withoutUnknown(whole, known).template.Outputs).toEqual({ Inbox: { Value: { Ref: 'Inbox' } } });
  });

  it('never refers to what is gone, whichever types of the real template are unknown', () => {
    const whole = readTemplate();
    const types = [...new Set(Object.values(whole.Resources).map(({ Type }) => Type))];

    fc.assert(
      fc.property(fc.subarray(types), (some) => {
        const { template: deployed } = withoutUnknown(whole, new Set(some));
        const gone = Object.keys(whole.Resources).filter((id) => !(id in deployed.Resources));
        const text = JSON.stringify([deployed.Resources, deployed.Outputs] as unknown as Value);
        return gone.every((id) => !text.includes(`{"Ref":"${id}"}`) && !text.includes(`"Fn::GetAtt":["${id}"`));
      }),
      { numRuns: 100 },
    );
  });
});

describe('a template with code', () => {
  it('takes each function from S3 and names the bundled handler', () => {
    const packaged = withCode(readTemplate(), 'bucket');

    expect(packaged.Resources.ReshardKinesis?.Properties).toMatchObject({
      CodeUri: { Bucket: 'bucket', Key: 'reshard-kinesis.zip' },
      Handler: 'index.handler',
    });
    expect(packaged.Resources.Ledger).toEqual(readTemplate().Resources.Ledger);
  });
});

describe('a template with a property of its own', () => {
  it('says what was and what is', () => {
    const queue = template('  Inbox: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 360 } }');

    const { template: changed, difference } = withProperty(queue, 'Inbox', 'VisibilityTimeout', 8, 'faster');

    expect(changed.Resources.Inbox?.Properties).toEqual({ VisibilityTimeout: 8 });
    expect(difference).toEqual({ what: 'Inbox.VisibilityTimeout: 360 -> 8', why: 'faster' });
  });

  it('refuses a resource that is not there', () => {
    expect(() => withProperty(template('  A: { Type: AWS::SQS::Queue }'), 'B', 'C', 1, '')).toThrow('resource B');
  });
});

describe('a template with more variables for a function', () => {
  const fn = template(`
  Fn:
    Type: AWS::Serverless::Function
    Properties: { Handler: index.handler, Environment: { Variables: { A: '1', B: '2' } } }`);

  it('has them beside its own, and says which they are', () => {
    const { template: deployed, difference } = withVariables(fn, 'Fn', { B: '3', C: '4' }, 'because');

    expect(deployed.Resources.Fn?.Properties?.Environment).toEqual({ Variables: { A: '1', B: '3', C: '4' } });
    expect(deployed.Resources.Fn?.Properties?.Handler).toBe('index.handler');
    expect(difference).toEqual({ what: 'Fn: B, C', why: 'because' });
  });

  it('is not made of a function that there is not', () => {
    expect(() => withVariables(fn, 'Other', {}, '')).toThrow('template.yaml has no resource Other');
  });
});

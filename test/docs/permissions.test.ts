import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PAGE, permissionsPage } from '../../scripts/permissions.ts';
import { TEMPLATE_FILE } from '../../scripts/template.ts';

const template = readFileSync(TEMPLATE_FILE, 'utf8');

describe('the page of permissions', () => {
  it('is what the template says: npm run docs:permissions', () => {
    expect(readFileSync(PAGE, 'utf8')).toBe(permissionsPage(template));
  });

  it('gives a reason for every statement of a function', () => {
    const rows = permissionsPage(template)
      .split('## Roles of others')[0]
      ?.split('\n')
      .filter((line) => line.startsWith('| **'));

    expect(rows?.length).toBeGreaterThan(30);
    expect(rows?.filter((line) => !/^\| \*\*\w+\*\*(?: \(denied\))?: .{8,}? \|/.test(line))).toEqual([]);
  });

  it('shows what a statement asks for, and that it denies', () => {
    const page = permissionsPage(`
Globals: { Function: {} }
Resources:
  MendThings:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: functions/mend-things, Role: !GetAtt MendThingsRole.Arn }
  MendThingsRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: mend-things
          PolicyDocument:
            Statement:
              # The remediation,
              # and nothing else.
              - Sid: Mend
                Effect: Allow
                Action: things:Mend
                Resource: !Sub arn:\${AWS::Partition}:things:\${AWS::Region}:\${AWS::AccountId}:thing/*
                Condition:
                  StringEquals: { 'aws:ResourceTag/reflex:enabled': 'true' }
                  # A remark is no part of it.
                  'Null': { aws:TagKeys: 'false' }
              # One thing, or a list of them.
              - Sid: See
                Effect: Allow
                Action: [things:See]
                Resource:
                  - !If [ThingsAreGiven, !Split [',', !Ref Things], !Sub 'thing/*']
                  - !GetAtt Thing.Arn
              - !If
                - SomeAreSacred
                # Never these.
                - Sid: Leave
                  Effect: Deny
                  Action: [things:Mend, things:Break]
                  Resource: '*'
                - !Ref AWS::NoValue
`);

    expect(page).toContain(
      '| **Mend**: The remediation, and nothing else. | `things:Mend` | `things:thing/*` ' +
        '| `StringEquals aws:ResourceTag/reflex:enabled = true`, `Null aws:TagKeys = false` |',
    );
    expect(page).toContain('| `things:See` | `Things` or `thing/*`, `Thing.Arn` |  |');
    expect(page).toContain('| **Leave** (denied): Never these. | `things:Mend` `things:Break` | `*` |  |');
  });
});

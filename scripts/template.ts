/** Reads template.yaml as CloudFormation does: the one source of resources, settings and bundler options. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Props = { [key: string]: Value };

export interface Resource {
  readonly Type: string;
  readonly Properties?: Props;
  readonly Metadata?: Props;
  readonly [attribute: string]: Value;
}

export interface Template {
  readonly Metadata: Readonly<Record<string, Props>>;
  readonly Parameters: Readonly<Record<string, Props>>;
  readonly Conditions: Readonly<Record<string, Value>>;
  readonly Globals: { readonly Function: Props };
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, Props>>;
}

/** One Lambda function of the template. */
export interface LambdaFunction {
  /** `ReshardKinesis` */
  readonly logicalId: string;
  /** Its folder under functions/: `reshard-kinesis` */
  readonly folder: string;
  /** `functions/reshard-kinesis` */
  readonly codeUri: string;
  /** esbuild's options as SAM spells them. */
  readonly bundling: Props;
  /** Globals and the function's own; values may still be intrinsic functions such as `{ Ref: 'Ledger' }`. */
  readonly environment: Props;
}

export const TEMPLATE_FILE = join(import.meta.dirname, '../template.yaml');

/** @returns the template with short forms written out (`!Ref X` is `{ Ref: 'X' }`) and YAML anchors resolved. */
export const readTemplate = (file = TEMPLATE_FILE): Template => parseTemplate(readFileSync(file, 'utf8'));

/** @throws Error that names the line, where the text is no YAML. */
export const parseTemplate = (text: string): Template => {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw error;
  return plainValue(document.contents, document) as unknown as Template;
};

/** @returns what a node of the document says, with short forms written out and anchors resolved. */
export const plainValue = (node: unknown, document: Document): Value => {
  const tag = (node as Node | null | undefined)?.tag;
  const value = untagged(node, document);
  if (!tag?.startsWith('!')) return value;
  const name = tag.slice(1);
  if (name === 'Ref' || name === 'Condition') return { [name]: value };
  return { [`Fn::${name}`]: name === 'GetAtt' && typeof value === 'string' ? attribute(value) : value };
};

const untagged = (node: unknown, document: Document): Value => {
  if (isAlias(node)) return untagged(node.resolve(document), document);
  if (isMap(node)) {
    return Object.fromEntries(
      node.items.map(({ key, value }) => [String(untagged(key, document)), plainValue(value, document)]),
    );
  }
  if (isSeq(node)) return node.items.map((item) => plainValue(item, document));
  return isScalar(node) ? (node.value as Value) : null;
};

const attribute = (path: string): [string, string] => {
  const dot = path.indexOf('.');
  return [path.slice(0, dot), path.slice(dot + 1)];
};

export const props = (value: Value | undefined): Props =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};

export const functionsOf = (template: Template): LambdaFunction[] =>
  Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === 'AWS::Serverless::Function')
    .map(([logicalId, resource]) => {
      const codeUri = String(resource.Properties?.CodeUri);
      return {
        logicalId,
        codeUri,
        folder: codeUri.replace(/^functions\//, ''),
        bundling: props(resource.Metadata?.BuildProperties),
        environment: {
          ...props(props(template.Globals.Function.Environment).Variables),
          ...props(props(resource.Properties?.Environment).Variables),
        },
      };
    });

/** @throws Error that lists the known functions. */
export const functionNamed = (folder: string, functions = functionsOf(readTemplate())): LambdaFunction => {
  const found = functions.find((fn) => fn.folder === folder);
  if (found !== undefined) return found;
  throw new Error(
    `No function "${folder}" in template.yaml. Known functions: ${functions.map((fn) => fn.folder).join(', ')}.`,
  );
};

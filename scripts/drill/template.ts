import { isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';

export type Node = string | number | boolean | null | Node[] | Dictionary;
export type Dictionary = { [key: string]: Node };

/** A CloudFormation template as plain JSON: short tags are written out (`!Ref X` -> `{ "Ref": "X" }`). */
export interface Template extends Dictionary {
  Resources: { [logicalId: string]: Resource };
}

export interface Resource extends Dictionary {
  Type: string;
}

/** What the deployed copy has otherwise than the template, and why. */
export interface Difference {
  readonly what: string;
  readonly why: string;
}

/** Parses a template's YAML. @throws Error with the line where it is malformed. */
export function parseTemplate(text: string): Template {
  // The tags are read from the nodes, so that yaml need not know them.
  const document = parseDocument(text, { logLevel: 'error' });
  const [error] = document.errors;
  if (error !== undefined) throw error;
  const toPlain = (node: unknown): Node => {
    if (isAlias(node)) return toPlain(node.resolve(document));
    return written(tagOf(node), content(node));
  };
  const content = (node: unknown): Node => {
    if (isSeq(node)) return node.items.map(toPlain);
    if (!isMap(node)) return isScalar(node) ? (node.value as Node) : null;
    return Object.fromEntries(node.items.map(({ key, value }) => [String(toPlain(key)), toPlain(value)]));
  };
  return toPlain(document.contents) as Template;
}

function tagOf(node: unknown): string {
  return (isScalar(node) || isMap(node) || isSeq(node)) && node.tag?.startsWith('!') ? node.tag.slice(1) : '';
}

function written(tag: string, value: Node): Node {
  if (tag === '') return value;
  if (tag === 'Ref' || tag === 'Condition') return { [tag]: value };
  if (tag !== 'GetAtt' || typeof value !== 'string') return { [`Fn::${tag}`]: value };
  const dot = value.indexOf('.');
  return { 'Fn::GetAtt': [value.slice(0, dot), value.slice(dot + 1)] };
}

/** True for a type that the SAM transform writes out, so that the emulator never meets it. */
function isTransformed(type: string): boolean {
  return type.startsWith('AWS::Serverless::');
}

/**
 * The template without the resources whose type is not `known`, and without what refers to them: the smallest list
 * element or property around a reference goes, a branch of `Fn::If` becomes `AWS::NoValue`, an output goes as a whole.
 */
export function withoutUnknown(
  template: Template,
  known: ReadonlySet<string>,
): { readonly template: Template; readonly leftOut: readonly Difference[] } {
  const entries = Object.entries(template.Resources);
  const unknown = entries.filter(([, { Type }]) => !known.has(Type) && !isTransformed(Type));
  const gone = new Set(unknown.map(([id]) => id));
  const leftOut: Difference[] = unknown.map(([id, { Type }]) => ({
    what: id,
    why: `the emulator does not know ${Type}`,
  }));
  const cut = (value: Node, path: string): Node | undefined =>
    pruned(value, gone, (what, id) => leftOut.push({ what: `${path}${what}`, why: `it refers to ${id}` }));
  const resources = entries
    .filter(([id]) => !gone.has(id))
    .map(([id, resource]) => [id, cut(withoutDependency(resource, gone), id) ?? resource]);
  const outputs = template.Outputs === undefined ? {} : { Outputs: cut(template.Outputs, 'Outputs') ?? {} };
  return { template: { ...template, Resources: Object.fromEntries(resources), ...outputs } as Template, leftOut };
}

function withoutDependency(resource: Resource, gone: ReadonlySet<string>): Resource {
  const { DependsOn: on, ...rest } = resource;
  if (on === undefined) return resource;
  const left = [on].flat().filter((id) => !gone.has(String(id)));
  return left.length === 0 ? (rest as Resource) : { ...resource, DependsOn: left };
}

type Note = (path: string, id: string) => void;

/** The value without what refers to a resource that is gone; undefined where the value itself must go. */
function pruned(value: Node, gone: ReadonlySet<string>, note: Note): Node | undefined {
  if (Array.isArray(value)) {
    return value.flatMap((element, index) => {
      const id = referredIn(element, gone, 'list');
      if (id !== undefined) {
        note(`[${index}]`, id);
        return [];
      }
      return [pruned(element, gone, prefixed(note, `[${index}]`)) ?? null];
    });
  }
  if (typeof value !== 'object' || value === null) return value;
  const branches = value['Fn::If'];
  if (Array.isArray(branches)) {
    return { 'Fn::If': branches.map((branch) => (refers(branch, gone) ? { Ref: 'AWS::NoValue' } : branch)) };
  }
  const kept = Object.entries(value).flatMap(([key, inner]): [string, Node][] => {
    const id = referredIn(inner, gone, 'property');
    if (id !== undefined) {
      note(`.${key}`, id);
      return [];
    }
    return [[key, pruned(inner, gone, prefixed(note, `.${key}`)) ?? null]];
  });
  return Object.fromEntries(kept);
}

function prefixed(note: Note, prefix: string): Note {
  return (path, id) => note(prefix + path, id);
}

/** The id that makes this value go as a whole: it is the reference, or (in a list) a map whose reference lies in no list of its own. */
function referredIn(value: Node, gone: ReadonlySet<string>, container: 'list' | 'property'): string | undefined {
  if (isIntrinsic(value)) return 'Fn::If' in value ? undefined : refers(value, gone);
  if (container === 'property' || typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  for (const inner of Object.values(value)) {
    const id = referredIn(inner, gone, 'list');
    if (id !== undefined) return id;
  }
  return undefined;
}

function isIntrinsic(value: Node): value is Dictionary {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const [key, ...more] = Object.keys(value);
  return more.length === 0 && key !== undefined && (key === 'Ref' || key.startsWith('Fn::'));
}

/** The first resource that is gone and that a value refers to, at any depth. */
function refers(value: Node, gone: ReadonlySet<string>): string | undefined {
  if (Array.isArray(value)) return firstOf(value, (inner) => refers(inner, gone));
  if (typeof value !== 'object' || value === null) return undefined;
  const { Ref: ref, 'Fn::GetAtt': getAtt, 'Fn::Sub': sub } = value;
  const named = typeof ref === 'string' ? [ref] : [];
  if (getAtt !== undefined) named.push(String([getAtt].flat()[0]).split('.')[0] ?? '');
  if (sub !== undefined) named.push(...subReferences(String([sub].flat()[0])));
  return named.find((id) => gone.has(id)) ?? firstOf(Object.values(value), (inner) => refers(inner, gone));
}

/** `${A.Arn}-${B}` -> A, B; not `${!literal}`. */
function subReferences(text: string): string[] {
  return [...text.matchAll(/\$\{([^!}][^}.]*)/g)].map(([, id = '']) => id.trim());
}

function firstOf<T, R>(list: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of list) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Folder name of a function's logical id: `ReshardKinesis` -> `reshard-kinesis`. */
export function folderOf(logicalId: string): string {
  return logicalId.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
}

/** Logical ids of the template's functions. */
export function functionsOf(template: Template): string[] {
  return Object.entries(template.Resources).flatMap(([id, { Type }]) => (Type === 'AWS::Serverless::Function' ? [id] : []));
}

/** The template with each function's code taken from S3 (`<folder>.zip`, `index.mjs` in it), as a packaged template has it. */
export function withCode(template: Template, bucket: string): Template {
  const functions = functionsOf(template).map((id) => {
    const { Metadata, ...resource } = template.Resources[id] as Resource;
    const CodeUri = { Bucket: bucket, Key: `${folderOf(id)}.zip` };
    return [id, { ...resource, Properties: { ...(resource.Properties as Dictionary), CodeUri, Handler: 'index.handler' } }];
  });
  return { ...template, Resources: { ...template.Resources, ...Object.fromEntries(functions) } };
}

/** The template with one property set, and the difference that makes. */
export function withProperty(
  template: Template,
  logicalId: string,
  property: string,
  value: Node,
  why: string,
): { readonly template: Template; readonly difference: Difference } {
  const resource = template.Resources[logicalId];
  if (resource === undefined) throw new Error(`template.yaml has no resource ${logicalId}`);
  const properties = (resource.Properties ?? {}) as Dictionary;
  const was = properties[property] === undefined ? 'default' : JSON.stringify(properties[property]);
  return {
    template: {
      ...template,
      Resources: { ...template.Resources, [logicalId]: { ...resource, Properties: { ...properties, [property]: value } } },
    },
    difference: { what: `${logicalId}.${property}: ${was} -> ${JSON.stringify(value)}`, why },
  };
}

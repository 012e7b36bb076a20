import { functionsOf, type Props, props, type Resource, type Template, type Value } from '../template.ts';

/** What the deployed copy has otherwise than template.yaml, and why. */
export interface Difference {
  readonly what: string;
  readonly why: string;
}

/**
 * The template without the resources whose type is not `known` (those the SAM transform writes out count as known), and
 * without what refers to them: of each reference the property or the list element around it goes, of `Fn::If` the branch
 * becomes `AWS::NoValue`, an output goes as a whole.
 */
export function withoutUnknown(
  template: Template,
  known: ReadonlySet<string>,
): { readonly template: Template; readonly leftOut: readonly Difference[] } {
  const isKnown = ({ Type }: Resource) => known.has(Type) || Type.startsWith('AWS::Serverless::');
  const resources = Object.entries(template.Resources);
  const unknown = resources.filter(([, resource]) => !isKnown(resource));
  const gone = new Set(unknown.map(([id]) => id));
  const leftOut = unknown.map(([id, { Type }]) => ({ what: id, why: `the emulator does not know ${Type}` }));
  const note: Note = (what, id) => leftOut.push({ what, why: `it refers to ${id}` });
  const kept = resources.flatMap(([id, resource]): [string, Resource][] => {
    if (gone.has(id)) return [];
    const properties = pruned(resource.Properties ?? {}, gone, prefixed(note, id));
    return [[id, { ...withoutDependency(resource, gone), Properties: properties as Props }]];
  });
  const outputs = Object.entries(template.Outputs ?? {}).filter(([name, output]) => {
    const id = refers(output, gone);
    if (id !== undefined) note(`output ${name}`, id);
    return id === undefined;
  });
  return {
    template: { ...template, Resources: Object.fromEntries(kept), Outputs: Object.fromEntries(outputs) },
    leftOut,
  };
}

function withoutDependency(resource: Resource, gone: ReadonlySet<string>): Resource {
  const { DependsOn: on, ...rest } = resource;
  const left = [on ?? []].flat().filter((id) => !gone.has(String(id)));
  return left.length === 0 ? rest : { ...rest, DependsOn: left };
}

type Note = (path: string, id: string) => void;

/** The value without what refers to a resource that is gone; undefined where the value itself must go. */
function pruned(value: Value, gone: ReadonlySet<string>, note: Note): Value | undefined {
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
  const kept = Object.entries(value).flatMap(([key, inner]): [string, Value][] => {
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
function referredIn(value: Value, gone: ReadonlySet<string>, container: 'list' | 'property'): string | undefined {
  const intrinsic = intrinsicOf(value);
  if (intrinsic !== null) return intrinsic === 'Fn::If' ? undefined : refers(value, gone);
  if (container === 'property' || typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  for (const inner of Object.values(value)) {
    const id = referredIn(inner, gone, 'list');
    if (id !== undefined) return id;
  }
  return undefined;
}

/** The name of the function that a value is a call of: `Ref`, `Fn::Sub`... */
function intrinsicOf(value: Value): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const [key = '', ...more] = Object.keys(value);
  return more.length === 0 && (key === 'Ref' || key.startsWith('Fn::')) ? key : null;
}

/** The first resource that is gone and that a value refers to, at any depth. */
function refers(value: Value, gone: ReadonlySet<string>): string | undefined {
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

/** S3 key of a function's code. */
export function codeKey(folder: string): string {
  return `${folder}.zip`;
}

/** The template with each function's code taken from S3 (`index.mjs` in a zip), as `sam package` leaves it. */
export function withCode(template: Template, bucket: string): Template {
  const packaged = functionsOf(template).map(({ logicalId, folder }) => {
    const CodeUri = { Bucket: bucket, Key: codeKey(folder) };
    return [logicalId, merged(template, logicalId, { CodeUri, Handler: 'index.handler' })] as const;
  });
  return { ...template, Resources: { ...template.Resources, ...Object.fromEntries(packaged) } };
}

/** The template with one property set, and the difference that makes. */
export function withProperty(
  template: Template,
  logicalId: string,
  property: string,
  value: Value,
  why: string,
): { readonly template: Template; readonly difference: Difference } {
  const was = template.Resources[logicalId]?.Properties?.[property];
  const resource = merged(template, logicalId, { [property]: value });
  return {
    template: { ...template, Resources: { ...template.Resources, [logicalId]: resource } },
    difference: { what: `${logicalId}.${property}: ${JSON.stringify(was ?? null)} -> ${JSON.stringify(value)}`, why },
  };
}

/** The template with more environment variables for a function, and the difference that makes. */
export function withVariables(
  template: Template,
  logicalId: string,
  variables: Readonly<Record<string, string>>,
  why: string,
): { readonly template: Template; readonly difference: Difference } {
  const { Variables } = props(template.Resources[logicalId]?.Properties?.Environment);
  const Environment = { Variables: { ...props(Variables), ...variables } };
  const resource = merged(template, logicalId, { Environment });
  return {
    template: { ...template, Resources: { ...template.Resources, [logicalId]: resource } },
    difference: { what: `${logicalId}: ${Object.keys(variables).join(', ')}`, why },
  };
}

function merged(template: Template, logicalId: string, properties: Props): Resource {
  const resource = template.Resources[logicalId];
  if (resource === undefined) throw new Error(`template.yaml has no resource ${logicalId}`);
  return { ...resource, Properties: { ...resource.Properties, ...properties } };
}

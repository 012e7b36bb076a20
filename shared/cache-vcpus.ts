import { vcpusOf } from './cache-nodes.ts';

/** vCPUs by ElastiCache's name of the node type; types that are not in the table are looked up in EC2, which may not know them either. */
export const vcpusOfTypes = async (nodeTypes: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  const types = [...new Set(nodeTypes)].map((type) => [type, vcpusOf(type)] as const);
  const unknown = types.flatMap(([type, vcpus]) => (vcpus === null && type.startsWith('cache.') ? [type] : []));
  const looked = unknown.length === 0 ? new Map<string, number>() : await inEc2(unknown);
  return new Map(
    types.flatMap(([type, vcpus]): [string, number][] => {
      const known = vcpus ?? looked.get(type);
      return known === undefined ? [] : [[type, known]];
    }),
  );
};

const inEc2 = async (types: readonly string[]): Promise<ReadonlyMap<string, number>> => {
  // EC2's client is larger than all the others together, and the table knows nearly every type.
  const { instanceVcpus } = await import('./aws/ec2-types.ts');
  const known = await instanceVcpus(types.map((type) => type.slice('cache.'.length)));
  return new Map([...known].map(([type, vcpus]) => [`cache.${type}`, vcpus]));
};

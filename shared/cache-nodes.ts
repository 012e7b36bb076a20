/**
 * The vCPUs of ElastiCache node types. No ElastiCache API says; they are EC2's for the same name without `cache.`.
 * Families and sizes: ElastiCache user guide, "Supported node types".
 */

/** By size. */
type Sizes = ReadonlyMap<string, number>;

/** `large:2 xlarge:4` -> numbers by size. */
export const sizes = (text: string): Sizes =>
  new Map(text.split(' ').map((pair): [string, number] => [pair.split(':')[0] ?? '', Number(pair.split(':')[1])]));

const STANDARD = 'large:2 xlarge:4 2xlarge:8 4xlarge:16';
const BURSTABLE = sizes('micro:2 small:2 medium:2');
const GRAVITON = sizes(`${STANDARD} 8xlarge:32 12xlarge:48 16xlarge:64`);
const FIFTH = sizes(`${STANDARD} 12xlarge:48 24xlarge:96`);

/** vCPUs by family and size. t2.small has one, t3.small two; m2.xlarge has two; r6gd begins at xlarge. */
export const VCPUS: ReadonlyMap<string, Sizes> = new Map([
  ['t1', sizes('micro:1')],
  ['t2', sizes('micro:1 small:1 medium:2')],
  ['t3', BURSTABLE],
  ['t4g', BURSTABLE],
  ['m1', sizes('small:1 medium:1 large:2 xlarge:4')],
  ['m2', sizes('xlarge:2 2xlarge:4 4xlarge:8')],
  ['m3', sizes('medium:1 large:2 xlarge:4 2xlarge:8')],
  ['m4', sizes(`${STANDARD} 10xlarge:40`)],
  ['m5', FIFTH],
  ['m6g', GRAVITON],
  ['m7g', GRAVITON],
  ['c1', sizes('xlarge:8')],
  ['c7gn', GRAVITON],
  ['r3', sizes(`${STANDARD} 8xlarge:32`)],
  ['r4', sizes(`${STANDARD} 8xlarge:32 16xlarge:64`)],
  ['r5', FIFTH],
  ['r6g', GRAVITON],
  ['r6gd', sizes('xlarge:4 2xlarge:8 4xlarge:16 8xlarge:32 12xlarge:48 16xlarge:64')],
  ['r7g', GRAVITON],
]);

/** Family and size of a node type such as `cache.r6g.large`. */
export const parts = (nodeType: string): { family: string; size: string } => {
  const [, family = '', size = ''] = nodeType.split('.');
  return { family, size };
};

/** vCPUs of a node type such as `cache.r6g.large`; null: not in the table. */
export const vcpusOf = (nodeType: string): number | null => {
  const { family, size } = parts(nodeType);
  return VCPUS.get(family)?.get(size) ?? null;
};
